"""Subcommands that need no board: check, compress, decompress, info."""

from argparse import Namespace
from pathlib import Path

from golden.errors import InputError, UnsupportedError
from host.report import note, percent, print_json, print_table, progress


def check(arguments: Namespace) -> None:
    """`tamis check`: every node of a network, supported or why not."""
    from host.onnx_import import SUPPORTED, check_onnx

    findings = check_onnx(arguments.model)
    rows = [[f.node, f.operator, "yes" if f.supported else "NO", f.reason] for f in findings]
    print_table(arguments.model, ["node", "operator", "supported", "remark"], rows)
    refused = [finding for finding in findings if not finding.supported]
    if not refused:
        return
    names = ", ".join(f"{finding.node} ({finding.operator})" for finding in refused)
    if any(finding.invalid for finding in refused):
        raise InputError(f"{arguments.model} is no sound network because of {names}; export it again")
    raise UnsupportedError(
        f"{arguments.model} cannot be compressed because of {names}; supported: {SUPPORTED}"
    )


def compress(arguments: Namespace) -> None:
    """`tamis compress`: write a model file, and say what was kept and what it cost."""
    from host.arrays import load_inputs
    from host.cli_targets import board_rows
    from host.compressor import compress
    from host.files import check_place, write_file
    from host.html_report import html_report

    check_place(arguments.report)
    with progress("compressing") as advance:
        result = compress(
            arguments.model,
            keep=arguments.keep,
            keep_global=arguments.keep_global,
            weight_bits=arguments.weight_bits,
            sharing=arguments.sharing,
            calibrate=arguments.calibrate,
            input_bits=arguments.input_bits,
            progress=advance,
        )
    if arguments.report is not None:
        inputs = (
            None if arguments.calibrate is None else load_inputs(arguments.calibrate, result.model.inputs)
        )
        rows = board_rows(result.model, inputs)
        compared = (
            f"golden against onnxruntime: {percent(result.report.comparison.agreement)} of "
            f"{result.report.comparison.samples} inputs have the same largest output"
        )
        page = html_report(
            Path(arguments.model).name,
            result.model,
            result.shared,
            file_bytes=len(result.data),
            source=result.source,
            boards=rows,
            notes=[
                f"Scales of activations: {result.report.calibration}.",
                f"{compared[0].upper()}{compared[1:]}.",
            ],
        )
        write_file(arguments.report, page)
    write_file(arguments.output, result.data)
    report = result.report
    rows = [
        [
            layer.name,
            f"{layer.rows} x {layer.columns}",
            layer.weights,
            percent(layer.kept),
            layer.weight_bits,
            layer.sizes.packed_bytes,
            layer.sizes.coded_bytes,
        ]
        for layer in report.layers
    ]
    heads = ["layer", "shape", "weights", "kept", "weight bits", "packed bytes", "coded bytes"]
    print_table("", heads, rows)
    found = report.comparison
    print(
        f"{arguments.output}: {report.file_bytes:,} bytes instead of {report.dense_bytes:,} dense, "
        f"{report.dense_bytes / report.file_bytes:.1f} times smaller\n"
        f"scales of activations: {report.calibration}\n"
        f"golden against onnxruntime on {found.samples} inputs: largest difference {found.difference:.3g}, "
        f"{100 * found.relative:.3g} % of the output's range; same class for {percent(found.agreement)}; "
        f"{found.saturations} saturations"
    )


def decompress(arguments: Namespace) -> None:
    """`tamis decompress`: the float network that a model file stands for."""
    from host.files import write_file
    from host.onnx_export import decompress
    from host.session import load_model

    network = decompress(load_model(arguments.model))
    write_file(arguments.output, network.SerializeToString(deterministic=True))
    note(f"wrote {arguments.output}")


def info(arguments: Namespace) -> None:
    """`tamis info`: a model's layers, and what a board makes of it."""
    from boards.presets import simulated
    from host.info import describe, print_description
    from host.session import load_model

    description = describe(arguments.model, load_model(arguments.model), simulated(arguments.pes))
    if arguments.json:
        print_json(description)
    else:
        print_description(description)

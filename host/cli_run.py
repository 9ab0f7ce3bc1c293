"""The subcommand `tamis run`: a model on golden, on a simulated board, or on a board at a port."""

import io
from argparse import Namespace
from typing import Any

import numpy as np

from host.arrays import load_inputs, load_labels
from host.files import write_file
from host.report import percent, print_json, progress
from host.session import Prediction, Target, load_model, open_session

TARGETS: dict[Target, str] = {"golden": "golden", "sim": "the simulated board", "serial": "the board"}


def run(arguments: Namespace) -> None:
    """`tamis run`: write the outputs, and say what they cost."""
    target: Target = arguments.target or ("serial" if arguments.port else "golden")
    model = load_model(arguments.model)
    inputs = load_inputs(arguments.input, model.inputs)
    labels = None if arguments.labels is None else load_labels(arguments.labels, len(inputs))
    with (
        progress(f"loading {TARGETS[target]}") as loaded,
        open_session(
            target, pes=arguments.pes, port=arguments.port, baud_rate=arguments.baud, progress=loaded
        ) as session,
        progress("running") as done,
    ):
        prediction = session.predict(
            model, inputs, raw=arguments.raw, threshold=arguments.threshold, progress=done
        )
        pes = session.geometry.pes
    file = io.BytesIO()
    np.save(file, prediction.outputs)
    write_file(arguments.output, file.getvalue())
    found = summary(target, pes, prediction)
    if labels is not None:
        found["accuracy"] = float(np.mean(prediction.raw.argmax(axis=1) == labels))
    if arguments.json:
        print_json(found)
    else:
        print(sentences(found))


def summary(target: Target, pes: int, prediction: Prediction) -> dict[str, Any]:
    """The content of `--json`; see docs/schemas/run.json."""
    return {
        "target": target,
        "pes": pes,
        "inputs": len(prediction.raw),
        "cycles": prediction.cycles.tolist(),
        "stalls": prediction.stalls.tolist(),
        "link_bytes": prediction.link_bytes,
        "load_bytes": prediction.load_bytes,
        "load_bytes_uncoded": prediction.load_bytes_uncoded,
        "retries": prediction.retries,
        "saturations": prediction.saturations,
    }


def sentences(found: dict[str, Any]) -> str:
    """A `summary` for people."""
    cycles, stalls = np.mean(found["cycles"]), np.mean(found["stalls"])
    lines = [
        f"{found['inputs']:,} inputs on {TARGETS[found['target']]} with {found['pes']} PEs: "
        f"{cycles:,.1f} cycles an input, of them {stalls:,.1f} stalled; {found['saturations']:,} saturations."
    ]
    if found["target"] != "golden":
        lines.append(f"{found['link_bytes']:,} bytes over the link, {found['retries']:,} retries.")
        if found["load_bytes"]:
            coded = found["load_bytes"] != found["load_bytes_uncoded"]
            lines.append(
                f"The load took {found['load_bytes']:,} bytes of requests"
                + (f", and {found['load_bytes_uncoded']:,} uncoded." if coded else ", none of them coded.")
            )
    if "accuracy" in found:
        lines.append(f"Accuracy {percent(found['accuracy'])}.")
    return "\n".join(lines)

"""Subcommands that need no board: check, compress, decompress, info."""

from argparse import Namespace

from golden.errors import InputError, UnsupportedError
from host.onnx_import import SUPPORTED, check_onnx
from host.report import print_table


def check(arguments: Namespace) -> None:
    """`tamis check`: every node of a network, supported or why not."""
    findings = check_onnx(arguments.model)
    rows = [[f.node, f.operator, "yes" if f.supported else "NO", f.reason] for f in findings]
    print_table(arguments.model, ["node", "operator", "supported", "remark"], rows)
    refused = [finding for finding in findings if not finding.supported]
    if not refused:
        return
    names = ", ".join(f"{finding.node} ({finding.operator})" for finding in refused)
    if any(finding.invalid for finding in refused):
        raise InputError(f"{arguments.model} cannot be read as a network because of {names}; export it again")
    raise UnsupportedError(f"{arguments.model} cannot be compressed because of {names}; Tamis runs {SUPPORTED}")

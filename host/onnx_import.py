"""ONNX import: a chain of nodes becomes dense layers, or every node that stands in the way is named.

What each operator means is `host.onnx_chain`; here the nodes are walked and the findings kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from golden.errors import InputError, TamisError, UnsupportedError
from host.network import DenseLayer, Network
from host.onnx_chain import OPERATORS, Chain
from host.onnx_file import OLDEST_OPSET, Constants, load_onnx, opset, require_onnx

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

SUPPORTED = (
    "Gemm, MatMul, Add, Relu, BatchNormalization, Flatten, Reshape, Identity, Dropout, Constant, "
    "and a last Softmax or ArgMax"
)
GRAPH = "(graph)"


@dataclass(frozen=True)
class Finding:
    """What is to be said about one node.

    Parameters
    ----------
    node : str
        Its name, or that of its first output.
    operator : str
        Its type; "(graph)" if the finding is about the network as a whole.
    supported : bool
    reason : str
        Why not, or a remark.
    invalid : bool
        The file itself is bad, rather than beyond what Tamis does.
    """

    node: str
    operator: str
    supported: bool
    reason: str = ""
    invalid: bool = False


def check_onnx(path: str | Path) -> list[Finding]:
    """Judge every node of an ONNX file.

    Returns
    -------
    list of Finding
        One for each node, in the file's order, and more for faults of the whole; the file can be imported if
        all are supported. Nodes after a refused one are judged by their operator alone.

    Raises
    ------
    InputError
        If it is not a sound ONNX file.
    ToolMissingError
        If onnx is not installed.
    """
    return _Importer(load_onnx(path)).findings


def import_onnx(path: str | Path) -> Network:
    """Read a network from an ONNX file.

    Raises
    ------
    InputError
        If the file or its weights are bad.
    UnsupportedError
        If the network has an operator, or a use of one, that is not supported.
    ToolMissingError
        If onnx is not installed.
    """
    importer = _Importer(load_onnx(path))
    refused = [finding for finding in importer.findings if not finding.supported]
    if refused:
        first = next((finding for finding in refused if finding.invalid), refused[0])
        more = f" ({len(refused) - 1} more: see `tamis check`)" if len(refused) > 1 else ""
        what = f"{path}" if first.operator == GRAPH else f"node {first.node!r} ({first.operator})"
        kind = InputError if first.invalid else UnsupportedError
        raise kind(f"{what} {first.reason}{more}")
    return importer.network()


class _Importer:
    """Walks the nodes in order, keeping one finding for each."""

    def __init__(self, model: "ModelProto") -> None:
        self.model = model
        self.constants = Constants(model.graph)
        self.needed = {output.name for output in model.graph.output}
        for node in reversed(model.graph.node):
            if self.needed.intersection(node.output):
                self.needed.update(filter(None, node.input))
        self.findings: list[Finding] = []
        self.chain: Chain | None = None
        self.input_shape: tuple[int, ...] = ()
        self._attempt(GRAPH, GRAPH, self._start)
        for position, node in enumerate(model.graph.node):
            name = node.name or next(filter(None, node.output), f"number {position}")
            self._visit(node, _printable(name))
        self._attempt(GRAPH, GRAPH, self._finish)

    def network(self) -> Network:
        """The layers found; only after a walk that refused nothing."""
        assert self.chain is not None
        layers = tuple(
            DenseLayer(
                weights=np.ascontiguousarray(layer.weights, dtype=np.float32),
                bias=layer.bias.astype(np.float32),
                relu=layer.relu,
                name=layer.name,
            )
            for layer in self.chain.layers
        )
        return Network(
            layers=layers,
            final=self.chain.final,
            keepdims=self.chain.keepdims,
            input_shape=self.input_shape if len(self.input_shape) > 1 else (),
        )

    def _attempt(self, label: str, operator: str, action: Callable[[], str]) -> None:
        """Do one thing and keep what is to be said about it; a failure ends the chain."""
        try:
            remark = action()
        except TamisError as error:
            reason = _printable(str(error))
            finding = Finding(label, operator, False, reason, invalid=isinstance(error, InputError))
        except (IndexError, KeyError, ValueError, TypeError) as error:
            reason = next(filter(None, str(error).splitlines()), type(error).__name__)
            reason = f"is malformed ({_printable(reason)}); export again"
            finding = Finding(label, operator, False, reason, invalid=True)
        else:
            finding = Finding(label, operator, True, remark)
        if operator != GRAPH or not finding.supported:
            self.findings.append(finding)
        if not finding.supported:
            self.chain = None

    def _visit(self, node: "NodeProto", label: str) -> None:
        standard = node.domain in ("", "ai.onnx")

        def act() -> str:
            if not self.needed.intersection(node.output):
                return "unused, left out"
            if not standard or node.op_type not in OPERATORS:
                raise UnsupportedError(f"is not supported; Tamis runs {SUPPORTED}")
            self._check_rules(node)
            if node.op_type == "Constant":
                self.constants.add_node(node)
            elif node.op_type == "Identity" and node.input[0] in self.constants:
                self.constants.alias(node.output[0], node.input[0])
            elif self.chain is None:
                return "judged by its operator only, since something before it is refused"
            else:
                self.chain.take(node, label)
            return ""

        prefix = "" if standard else f"{_printable(node.domain)}."
        self._attempt(label, prefix + _printable(node.op_type), act)

    def _check_rules(self, node: "NodeProto") -> None:
        """Refuse a node that breaks ONNX's own rules."""
        checker = require_onnx().checker
        context = checker.C.CheckerContext()
        context.ir_version = self.model.ir_version
        context.opset_imports = {"": opset(self.model)}
        try:
            checker.check_node(node, context)
        except checker.ValidationError as error:
            reason = next(filter(None, str(error).splitlines()), "no reason given")
            raise InputError(f"breaks the rules of ONNX ({reason}); export it again") from None

    def _start(self) -> str:
        graph, version = self.model.graph, opset(self.model)
        if version < OLDEST_OPSET:
            raise UnsupportedError(f"uses opset {version}; export with opset {OLDEST_OPSET} or newer")
        inputs = [entry for entry in graph.input if entry.name not in self.constants]
        for noun, found in (("inputs", inputs), ("outputs", graph.output)):
            if len(found) != 1:
                names = ", ".join(entry.name for entry in found) or "none"
                raise UnsupportedError(f"has {len(found)} {noun} ({names}); exactly one is supported")
        types = require_onnx().TensorProto
        name, kind = inputs[0].name, inputs[0].type.tensor_type
        if kind.elem_type not in (types.FLOAT, types.DOUBLE, types.FLOAT16):
            raise UnsupportedError(f"has an input {name!r} that is no tensor of floats; export with float32")
        batch, shape = None, None
        if kind.HasField("shape"):
            sizes = [entry.dim_value if entry.dim_value > 0 else None for entry in kind.shape.dim]
            if len(sizes) < 2:
                raise UnsupportedError(f"has an input {name!r} of shape {sizes}; (batch, inputs) is needed")
            batch, shape = sizes[0], tuple(sizes[1:])
            if None not in shape:
                self.input_shape = tuple(size or 0 for size in shape)
        self.chain = Chain(self.constants, version, self.needed, name, shape, batch)
        return ""

    def _finish(self) -> str:
        chain, output = self.chain, self.model.graph.output
        if chain is None:
            return ""
        if not chain.layers:
            raise UnsupportedError("has no linear layer; at least one Gemm or MatMul is needed")
        if chain.tensor != output[0].name:
            raise UnsupportedError(
                f"has an output {output[0].name!r} that is not the result of its last layer"
            )
        chain.require_folded("the output")
        return ""


def _printable(text: str | bytes) -> str:
    """Text with a question mark for every character that would disturb a line of output.

    Text of a file that is no UTF-8 comes as bytes.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return "".join(character if character.isprintable() else "?" for character in text)

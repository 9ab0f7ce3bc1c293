"""What a model would take on boards, without synthesis: the content of `tamis estimate`."""

from collections.abc import Sequence
from typing import Any

from golden.errors import UnsupportedError
from golden.model import Model
from host.cost import Preset, answer_seconds, meter, timed_inputs
from host.report import print_table


def estimate(model: Model, preset: Preset) -> dict[str, Any]:
    """What docs/schemas/estimate.json has of a model on a preset, for an input without a zero.

    Parameters
    ----------
    model : Model
    preset : Preset

    Returns
    -------
    dict
        With "fits" false and a reason if the board cannot run the model at all.
    """
    board = {"board": preset.name, "pes": preset.geometry.pes, "clock_mhz": preset.clock_hz / 1e6}
    try:
        metered = meter(model, preset.geometry, timed_inputs(model))
    except UnsupportedError as error:
        return {**board, "fits": False, "reason": str(error)}
    return {
        **board,
        "fits": True,
        "resident": metered.plan.resident,
        "image_bytes": metered.plan.image_bytes,
        "cycles": int(metered.cycles),
        "engine_seconds": metered.cycles / preset.clock_hz,
        "wire_bytes": int(metered.wire_bytes),
        "answer_seconds": answer_seconds(metered, preset),
    }


def print_estimates(path: str, rows: Sequence[dict[str, Any]]) -> None:
    """Show rows of docs/schemas/estimate.json to people."""
    cells = [
        [
            row["board"],
            row["status"],
            row["pes"],
            f"{row['clock_mhz']:.4g}{'' if row['clock_claimed'] else '*'}",
            ("resident" if row["resident"] else "streamed") if row["fits"] else "does not fit",
            row.get("cycles"),
            _milliseconds(row.get("engine_seconds")),
            row.get("wire_bytes"),
            _milliseconds(row.get("answer_seconds")),
        ]
        for row in rows
    ]
    heads = [
        "board",
        "status",
        "PEs",
        "MHz",
        "model",
        "cycles",
        "engine, ms",
        "line, bytes",
        "wire to answer, ms",
    ]
    print_table(f"{path}, an input without a zero, by the cycle model:", heads, cells)
    if not all(row["clock_claimed"] for row in rows):
        print("* the clock that the preset asks for; none is claimed, as the tools' timing is optimistic")
    for row in rows:
        if not row["fits"]:
            print(f"{row['board']}: {row['reason']}")


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:,.3f}"

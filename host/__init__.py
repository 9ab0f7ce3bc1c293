"""Importers, the compressor, the driver of boards, and the `tamis` command line.

The same from Python: `compress`, `load_model`, `predict` and `connect`, looked up when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from host.compressor import compress
    from host.session import connect, load_model, predict

__all__ = ["compress", "connect", "load_model", "predict"]

_HOMES = {"compress": "compressor", "connect": "session", "load_model": "session", "predict": "session"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"host.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'host' has no attribute {name!r}")

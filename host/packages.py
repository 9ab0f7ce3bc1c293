"""Python packages of the extras, imported where they are needed."""

import importlib
from types import ModuleType

from golden.errors import ToolMissingError


def require(module: str, package: str, extra: str, purpose: str = "") -> ModuleType:
    """Import a module of an optional package.

    Parameters
    ----------
    module : str
        Dotted name of the module.
    package : str
        Name of the package that brings it.
    extra : str
        Extra of Tamis that installs the package.
    purpose : str
        What it is needed for, such as "training needs it".

    Raises
    ------
    ToolMissingError
        If it is not installed.

    Examples
    --------
    >>> require("json.decoder", "json", "none").JSONDecoder.__name__
    'JSONDecoder'
    >>> require("no_such", "no-such", "train")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    golden.errors.ToolMissingError: the Python package no-such is not installed
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        why = f", and {purpose}" if purpose else ""
        raise ToolMissingError(
            f"the Python package {package} is not installed{why}; "
            f"install it with `pip install 'tamis[{extra}]'`"
        ) from None

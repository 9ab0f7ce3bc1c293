"""Every error that Tamis raises on purpose, one class per exit code of the `tamis` command.

A message is one sentence: what was found, what is needed, what to do. The command line catches
`TamisError` once and prints it; anything else is a fault of the program (exit code 1).
"""


class TamisError(Exception):
    """Base of all deliberate errors."""

    exit_code = 1


class UsageError(TamisError):
    """The command or the call was put together wrongly (exit code 2)."""

    exit_code = 2


class InputError(TamisError):
    """A model or input file is bad (exit code 3)."""

    exit_code = 3


class UnsupportedError(TamisError):
    """The model is sound but does not fit, or is not supported (exit code 4)."""

    exit_code = 4


class DeviceError(TamisError):
    """The board or the link failed or refused (exit code 5)."""

    exit_code = 5


class ToolMissingError(TamisError):
    """A program or package that this step needs is not installed (exit code 6)."""

    exit_code = 6


class TargetError(TamisError):
    """A target was not met, such as an accuracy; the best that was found is written (exit code 7)."""

    exit_code = 7

"""Reading and writing whole files: one sentence for each way it can fail, and never half a file."""

import os
import tempfile
from pathlib import Path

from golden.errors import InputError


def read_file(path: str | Path) -> bytes:
    """Whole content of a file.

    Raises
    ------
    InputError
        If it is missing, is not a file, or may not be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {_reason(error)}; give the path of a readable file") from None


def check_place(path: str | Path | None) -> None:
    """Refuse a path in a folder that is missing, before the work whose result shall be written there.

    Raises
    ------
    InputError
    """
    if path is not None and not Path(path).absolute().parent.is_dir():
        raise InputError(
            f"cannot write {path}: no such folder; make it or choose another place, then try again"
        )


def write_file(path: str | Path, data: bytes) -> None:
    """Write a file in one go: after any failure the old file, or none, is there.

    Raises
    ------
    InputError
        If the file cannot be written, a full disk included.
    """
    temporary: str | None = None
    try:
        target = Path(os.path.realpath(path))  # a link stays a link
        if target.exists() and not target.is_file():  # a device such as /dev/stdout must not be replaced
            target.write_bytes(data)
            return
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
        temporary = None
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot write {path}: {_reason(error)}; free space or choose another place, then try again"
        ) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _mode(target: Path) -> int:
    """Permissions that a newly written file gets: those of the file it replaces, else the usual ones."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__

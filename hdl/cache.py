"""A cache of what takes long to build, programs and bitstreams, named by the SHA-256 of all that went in.

Everything in it may be deleted at any time.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from golden.errors import TamisError

_KEEP_SECONDS = 30 * 24 * 3600
_LOCK_SECONDS = 3600


def cache_directory():
    """Where built programs are kept: TAMIS_CACHE, or `tamis` in the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TAMIS_CACHE") or Path(base) / "tamis")


def cached(kind, key, make):
    """The cached file or directory for `key`.

    Parameters
    ----------
    kind : str
        Begins its name.
    key : sequence of str
        All that it depends on.
    make : callable
        Called, if it is not there, with an empty directory and the path to write.

    Returns
    -------
    Path

    Raises
    ------
    TamisError
        If another process keeps it locked.
    """
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{kind}-{hashlib.sha256(repr(list(key)).encode()).hexdigest()[:32]}"
    with open(target.with_suffix(".lock"), "w") as lock:
        _acquire(lock)
        if target.exists():
            os.utime(target)
            return target
        with tempfile.TemporaryDirectory(dir=cache, prefix="work-") as work:
            make(Path(work), Path(work) / "made")
            os.replace(Path(work) / "made", target)
    _forget_unused(cache)
    return target


def _acquire(lock):
    """Wait for a file lock; the kernel frees it if its owner dies."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TamisError(f"Another process holds {lock.name} and does not finish: end it") from None
            time.sleep(0.05)


def _forget_unused(cache):
    """Remove what nobody has used for a month, and what a killed build left.

    Other processes make and remove their own files meanwhile: one that is gone needs no removing.
    """
    for path in cache.iterdir():
        try:
            unused = time.time() - path.stat().st_mtime
        except FileNotFoundError:
            continue
        if unused > _KEEP_SECONDS:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

"""Seeded faults: small wrong changes of the source, each of which the tests must notice.

A module of this package holds a list `FAULTS`; its name is the unit that `--unit` selects.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One wrong change.

    Attributes
    ----------
    file : str
        Path under the checkout.
    old, new : str
        Text that occurs exactly once in the file, and what replaces it.
    tests : str
        What pytest is told to run: paths, and options if need be.
    equivalent : str
        Why no test can notice it, if that is so; such a fault may survive.
    """

    file: str
    old: str
    new: str
    tests: str
    equivalent: str = ""

    def apply(self, text: str) -> str:
        """Return the file's text with the fault in it."""
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.file}: {self.old!r} must occur once, not {count} times")
        return text.replace(self.old, self.new)

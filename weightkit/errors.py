"""All errors that weightkit raises on purpose.

```
WeightkitError
├── RequestError            the request is wrong: an argument, an output that exists
│   ├── SelectionError      the selection is malformed, empty or leaves something undecided
│   ├── UnknownWeightError  no weight has the given address
│   └── UnmatchedError      nothing settles which weight is which of another model
├── RefusedError            the file or its contents are refused
│   ├── DamagedFileError    it is not what it says it is: truncated, corrupt, out of bounds
│   ├── UnsafeFileError     it would reach outside itself or past a limit
│   ├── UnsupportedFileError  it is valid, but weightkit cannot read or edit it
│   └── NonFiniteError      the edit would make new infinities or NaNs
└── MachineError            the system failed; the original is untouched
    ├── BusyError           another process uses the file, or has changed it
    └── DurabilityError     replaced, but the disk did not confirm it
```

An error says what happened and what to do about it in separate attributes.
"""

from __future__ import annotations

from typing import Any

from weightkit.escape import escape, printable


class WeightkitError(Exception):
    """The root of all errors that weightkit raises on purpose.

    Args:
        problem: What is wrong: what, where, what it must be and what it is.
        hint: What to do about it, as an imperative; empty if nothing can be done.
        file: The file it is about, as the user named it; empty if there is none.
    """

    def __init__(self, problem: str, *, hint: str = "", file: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.file = file

    def __str__(self) -> str:
        """One line that can be printed: ``file: problem — hint``; the attributes hold names as they are."""
        where = f"{escape(self.file)}: " if self.file else ""
        what_to_do = f" — {printable(self.hint)}" if self.hint else ""
        return f"{where}{escape(self.problem)}{what_to_do}"

    def about(self, file: str) -> WeightkitError:
        """Add the file, if the code that raised did not know it; returns itself."""
        self.file = self.file or file
        return self


class RequestError(WeightkitError):
    """The request is wrong: an argument, or an output that exists."""


class SelectionError(RequestError):
    """The selection is malformed, selects nothing, or leaves something undecided."""


# A KeyError too: `store[path]` raises it, as every mapping does.
class UnknownWeightError(RequestError, KeyError):
    """No weight has the given address."""


class UnmatchedError(RequestError):
    """Nothing settles which weight is which of another model or file."""

    ways: tuple[Any, ...] = ()
    """The matches of a part of the weights that ``match`` can choose: `weightkit.access.Match`."""


class RefusedError(WeightkitError):
    """The file or its contents are refused; nothing was written."""


class DamagedFileError(RefusedError):
    """The file is not what it says it is: truncated, corrupt, or out of its own bounds."""


class UnsafeFileError(RefusedError):
    """The file would reach outside itself, or past a stated limit."""


class UnsupportedFileError(RefusedError):
    """The file is valid, but weightkit cannot read or edit it."""


class NonFiniteError(RefusedError):
    """The edit would make new infinities or NaNs."""


class MachineError(WeightkitError):
    """The system failed: no space, no permission, an I/O error; the original is untouched."""


class BusyError(MachineError):
    """Another process uses the file, or has changed it since it was opened."""


class DurabilityError(MachineError):
    """The file was replaced, but the disk did not confirm that it will last."""

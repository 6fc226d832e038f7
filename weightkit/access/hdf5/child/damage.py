"""Which parts of a file cannot be read, gathered while the rest of it is.

Only the reading process imports this module.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from weightkit.access.hdf5.child.refusal import Refusal
from weightkit.text import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_MOST = 20  # damaged parts, after which no more are looked for
_SHOWN, _LONGEST = 3, 600  # parts that are shown, and their characters: a name may have 64 KiB
_LISTS = ("layer_names", "weight_names")  # attributes in which Keras names what a group holds
_NAMED = 5  # names of such a list that are shown
# What libhdf5 says of a file that ends early.
_TRUNCATED = re.compile(r"truncated file: eof = (\d+),.* stored_eof = (\d+)")
_CAUSE = re.compile(r"\(([^()]+)\)$")  # h5py: what it tried, and why libhdf5 could not


class Damage:
    """The damaged parts of one file."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.weights = 0
        """How many datasets could be read."""

    @contextlib.contextmanager
    def at(self, part: str) -> Iterator[None]:
        """Note that a part cannot be read if the library says so, and go on."""
        try:
            yield
        except (Refusal, MemoryError):
            raise
        except Exception:  # noqa: BLE001  # h5py raises every class there is for a damaged file
            self._parts.append(part)
            if len(self._parts) > _MOST:
                parts = self._listed("at least ")
                raise Refusal("damaged", "/", f"the file is damaged: {parts} cannot be read") from None

    def require_none(self) -> None:
        """Refuse a file of which something cannot be read.

        Raises:
            Refusal: It says which weights are affected, and how many are not.
        """
        if not self._parts:
            return
        found = "1 other weight was found" if self.weights == 1 else f"{self.weights or 'no'} other weights were found"
        raise Refusal("damaged", "/", f"the file is damaged: {self._listed()} cannot be read; {found}")

    def _listed(self, about: str = "") -> str:
        more = len(self._parts) - _SHOWN
        parts = [cut(part, _LONGEST) for part in self._parts[:_SHOWN]] + ([f"{about}{more} more"] if more > 0 else [])
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def contents_of(group: Json) -> str:
    """What is lost where the table of a group's contents is damaged, in words.

    Args:
        group: The group's record.
    """
    names = [
        name
        for attribute, _, value in group["attributes"]
        if attribute in _LISTS
        for name in (value if isinstance(value, list) else [value])
        if name
    ]
    more = ", ..." if len(names) > _NAMED else ""
    listed = f" ({', '.join(map(cut, names[:_NAMED]))}{more})" if names else ""
    return f"all weights under {cut(group['path']) or '/'}{listed}"


def in_words(error: Exception) -> str:
    """Why the library could not read a file, without its names of functions and classes."""
    text = " ".join(str(error).split())[:500]
    if early := _TRUNCATED.search(text):
        return f"it is truncated: it must have {early[2]} bytes, got {early[1]}"
    cause = _CAUSE.search(text)
    return f"the HDF5 library cannot read it ({cause[1] if cause else text or type(error).__name__})"

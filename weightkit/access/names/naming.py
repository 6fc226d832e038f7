"""The input and output of naming a file's weights, for every format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.ref import Kind, Source, excess
from weightkit.errors import UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.configured import Configured


@dataclass(frozen=True, slots=True)
class Stored:
    """What naming needs to know about one dataset of a file."""

    structure: str
    """The format's own path: ``layers/dense/vars/0``, ``d1/d1/kernel:0``."""
    shape: tuple[int, ...]
    dtype: str
    """NumPy's name of the stored type: ``float32``, ``int8``, ``bfloat16``; any text for other types."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What is known about one dataset; everything but ``structure``, ``index`` and ``kind`` may be None."""

    structure: str
    index: int
    """Place in its layer's save order, from 0."""
    layer: str | None = None
    """Names of the layers around it, outermost first, joined with ``/``."""
    name: str | None = None
    kind: Kind = Kind.UNKNOWN
    layer_class: str | None = None
    trainable: bool | None = None
    known_from: Source | None = None
    configured: Configured | None = field(default=None, compare=False, repr=False)
    """The layer's configuration."""
    near: tuple[str, ...] = ()
    """Where ``layer`` is None: the names that are known, and a slash and the file's key for each that is not."""
    around: tuple[str | None, ...] = ()
    """Class of each layer in ``layer`` or ``near``, or its key in files; None where unknown."""


def layer_path(names: Iterable[str]) -> str:
    """The names of the layers around a weight, outermost first, as one path; empty names add nothing.

    Raises:
        UnsafeFileError: It is longer than anybody names a layer.
    """
    return require_short("/".join(filter(None, names)))


def require_short(name: str) -> str:
    """Check the names of the layers around a weight, or the name of its class; returns it.

    A file may give them in any length, and may repeat one for each of very many weights.

    Raises:
        UnsafeFileError: It is longer than anybody names a layer.
    """
    if by := excess(name):
        raise UnsafeFileError(f"{name[:60]}…: a layer's name has {by}", hint="do not trust this file")
    return name

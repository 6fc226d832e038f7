"""Sizes and shapes for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weightkit.access.ref import WeightRef

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def size(count: int) -> str:
    """Bytes for people.

    >>> size(1000), size(4509715)
    ('1000 bytes', '4.3 MiB')
    """
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004  # binary units
        amount, unit = amount / 1024, unit + 1
    return f"{count} {_UNITS[0]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def shape(ref: WeightRef) -> str:
    """The axes for people: ``3x3x64``."""
    return "x".join(map(str, ref.shape)) or "scalar"

"""``weightkit drop``: take weights out of a file."""

from __future__ import annotations

from typing import Any

from weightkit.cli import editing


@editing.command("allow_nonfinite")
def drop() -> Any:
    """Take weights out of a file, of whatever kind, and out of its lists of names.

    All other weights stay as they are, byte for byte. The plan says what Keras will say of the result.

    \b
    Examples:
      weightkit drop model.h5 --where 'name:bias' --dry-run
      weightkit drop model.keras --where kind:optimizer -o without.keras
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.surgery.drop import Drop  # noqa: PLC0415  # it loads NumPy

    return Drop()

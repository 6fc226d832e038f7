"""``weightkit drop``: remove weights from a file."""

from __future__ import annotations

from typing import Any

from weightkit.cli import editing


@editing.command("allow_nonfinite")
def drop() -> Any:
    """Remove weights of any kind from a file, and their names from its lists.

    All other weights stay unchanged, byte for byte. The plan says how Keras loads the result.

    \b
    Examples:
      weightkit drop model.h5 --where 'name:bias' --dry-run
      weightkit drop model.keras --where kind:optimizer -o without.keras
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.surgery.drop import Drop  # noqa: PLC0415  # it loads NumPy

    return Drop()

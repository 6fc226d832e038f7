"""``weightkit strip``: remove what only training needs."""

from __future__ import annotations

from typing import Any

from weightkit.cli import editing


@editing.command("where", "exclude", "like", "allow_nonfinite")
def strip() -> Any:
    """Remove the optimizer's state and the training configuration from a file.

    These are two thirds of most files. The weights stay unchanged, byte for byte, and the file shrinks by what is
    removed. After loading such a model, compile it again.

    \b
    Examples:
      weightkit strip model.keras --dry-run
      weightkit strip model.keras
      weightkit strip model.h5 -o small.h5
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.surgery.strip import Strip  # noqa: PLC0415  # it loads NumPy

    return Strip()

"""What to do about a damaged file of which something is whole."""

from __future__ import annotations

import shlex


def with_salvage(hint: str, file: str) -> str:
    """A hint, and the command that rescues what is whole.

    Args:
        hint: What else to do.
        file: The file as the user named it.

    Example:
        >>> with_salvage("use another copy", "my model.h5")
        "use another copy, or rescue what is whole: `weightkit salvage 'my model.h5' -o OUT`"
    """
    return f"{hint or 'use another copy'}, or rescue what is whole: `weightkit salvage {shlex.quote(file)} -o OUT`"

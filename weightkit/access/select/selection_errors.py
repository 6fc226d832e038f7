"""How a malformed selection is reported: what is wrong, in which text, where, and the hint."""

from __future__ import annotations

from weightkit.errors import SelectionError

LONGEST_TEXT = 1 << 16  # characters; far above any real selection, by hand or by script

_SHOWN = 80  # characters of a text that an error repeats


def cut(text: str) -> str:
    """The text, cut if it is absurdly long."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def shown(text: str) -> str:
    """The text in quotes, cut."""
    return f"'{cut(text)}'"


def malformed(text: str, fault: str, hint: str) -> SelectionError:
    """The error for a selection that cannot be read.

    Args:
        text: The whole selection, as the user wrote it.
        fault: What is wrong with it and where, as the rest of a sentence: ``ends in a lone backslash``.
        hint: What to write instead, as an imperative.
    """
    return SelectionError(f"the selection {shown(text)} {fault}", hint=hint)


def refuse_absurd_length(text: str) -> None:
    """Raise SelectionError if the text is longer than any real selection."""
    if len(text) > LONGEST_TEXT:
        fault = f"has {len(text):,} characters, more than {LONGEST_TEXT:,}"
        raise malformed(text, fault, "give several shorter selections; they are combined")

"""An index after the name of a weight, as in ``emb[0:8]``, and where it is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from weightkit.errors import SelectionError

_ENTRIES = re.compile(r"(?P<weight>.+?)(?P<index>\[(?:(?:[\d:,. ]|(?<!\d)-)+|\w*mask\w*)\])")
"""An index after a name: ``emb[0:8]``, ``emb[mask]``. As a glob, such brackets match one character."""


def entries_in(choice: Any) -> tuple[str, str] | None:
    """The weight and the index of a name with an index after it; None for other choices."""
    found = _ENTRIES.fullmatch(choice) if isinstance(choice, str) else None
    return None if found is None else (found["weight"], found["index"])


def require_no_mapping(given: Any, label: str) -> None:
    """Refuse ``{"emb/embeddings": mask}`` where only whole weights are taken.

    Raises:
        SelectionError: It is a mapping.
    """
    if isinstance(given, Mapping):
        raise _refused("a dictionary", "freeze(model, {weight: entries})", label)


def require_no_index(choice: Any, label: str) -> None:
    """Refuse a name with an index after it; for selections that match nothing.

    Raises:
        SelectionError: It is one.
    """
    if entries_in(choice) is not None:
        raise _refused(repr(choice), f"freeze(model, {choice!r})", label)


def _refused(given: str, call: str, label: str) -> SelectionError:
    return SelectionError(
        f"whole weights must be selected, got {given}: single rows and entries have no flag of their own",
        hint=f"{call} holds entries, and undo() of its plan releases them",
        file=label,
    )

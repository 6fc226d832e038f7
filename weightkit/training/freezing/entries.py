"""Entries of a weight, such as the rows ``emb[0:8]``, which have no flag of their own and cannot be frozen in place.

Setting them again after each step would not hold them: weight decay and moving averages have used them by then. They
are held exactly where the weight is computed, in a model that is made for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from weightkit.errors import SelectionError

_ENTRIES = re.compile(r"(?P<weight>.+?)(?P<index>\[(?:(?:[\d:,. ]|(?<!\d)-)+|\w*mask\w*)\])")
"""An index after a name: ``emb[0:8]``, ``emb[mask]``. As a glob, such brackets match one character."""


def require_no_mapping(given: Any, label: str) -> None:
    """Refuse ``{"emb/embeddings": mask}``.

    Raises:
        SelectionError: It is a mapping.
    """
    if isinstance(given, Mapping):
        first = str(next(iter(given), "emb"))
        raise _refused("a dictionary", first, "mask", label)


def require_no_index(choice: Any, label: str) -> None:
    """Refuse a name with an index after it; for selections that match nothing.

    Raises:
        SelectionError: It is one.
    """
    found = _ENTRIES.fullmatch(choice) if isinstance(choice, str) else None
    if found is not None:
        index = found["index"]
        held = index[1:-1] if "mask" in index else repr(index)
        raise _refused(repr(choice), found["weight"], held, label)


def _refused(given: str, weight: str, entries: str, label: str) -> SelectionError:
    return SelectionError(
        f"freezing takes whole weights, got {given}: single rows and entries have no flag of their own",
        hint=f"hold them in a new model: weightkit.layers.parametrize(model, {weight!r}, Held({entries}))",
        file=label,
    )

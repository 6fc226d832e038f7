"""Which weights of a file are in which nested model: Keras keys a model by its class, which a plain model lacks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from weightkit.access import open_weights
from weightkit.access.live import open_live

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weightkit.access import WeightRef


def renamed_by_key(plain: Any, source: Any) -> dict[str, str]:
    """Renamings for ``load_weights`` of weights whose names a file does not say, by the nested model that holds them.

    Some weights of a nested model have names in the file, and say with which key its class gave the model. The others
    have the same structural address below it.

    Args:
        plain: A built plain model.
        source: What is loaded into it; other sources than files know all names.
    """
    if not isinstance(source, str | os.PathLike):
        return {}
    ours = tuple(open_live(plain))
    with open_weights(source) as store:
        theirs = tuple(store)
    keys = _keys(theirs, {ref.path: ref.structure for ref in ours})
    at = {ref.structure: ref for ref in ours}
    found: dict[str, str] = {}
    for ref in (ref for ref in theirs if ref.name is None):
        own = at.get(_with_our_key(ref.structure, keys))
        if own is not None and own.shape == ref.shape:
            found[ref.path] = own.path  # of class and attribute names, which are no patterns
    return found


def _keys(theirs: Iterable[WeightRef], ours: Mapping[str, str]) -> dict[str, str]:
    """Leading parts of structural addresses that differ where the name is the same."""
    found = {}
    for ref in theirs:
        if ref.path in ours and ref.structure != ours[ref.path]:
            one, other = ref.structure.split("/"), ours[ref.path].split("/")
            while one and other and one[-1] == other[-1]:
                del one[-1], other[-1]
            found["/".join(one)] = "/".join(other)
    return found


def _with_our_key(structure: str, keys: Mapping[str, str]) -> str:
    below = (key for key in keys if structure.startswith(f"{key}/"))
    longest = max(below, key=len, default="")
    return keys[longest] + structure.removeprefix(longest) if longest else structure

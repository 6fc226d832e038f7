"""Match the weights of two targets of any kind: paths, models, open stores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard, cast

from weightkit.access.matching import Told
from weightkit.access.matching import match as match_refs
from weightkit.access.ref import WeightRef
from weightkit.access.targets import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.matching import By, Match
    from weightkit.access.targets import Target


def match(
    ours: Target | Iterable[WeightRef],
    theirs: Target | Iterable[WeightRef],
    by: By = "auto",
    *,
    ordered: bool | None = None,
    strict: bool = False,
    rename: Mapping[str, str] | None = None,
    source_at: str | None = None,
    target_at: str | None = None,
) -> Match:
    """Match each weight of one target with one of another.

    User-given names match by name. Automatic names (``dense_7``) do not count as names: the first Dense layer matches
    the first, as when one architecture is built twice, in the order of the layers where it is known. A layer that
    holds only one other, such as a recurrent layer's cell, is seen through where the other side does not have it.
    Where names do not decide, the format's paths do, then a layer's position among those of its class, then the order
    of all layers, then shapes, if no two layers look the same. An optimizer's state matches by its names, else by its
    order.

    Args:
        ours: A path; a model, a layer or a list of variables of Keras 3; an open store; or references.
        theirs: The same of another.
        by: ``auto`` tries ``name``, ``structure``, ``order`` and ``shape``, and refuses what none decides; each of
            these uses only that, and reports what is missing.
        ordered: Whether ours come in the order of their layers; by default, the store decides. References without
            their store count as unordered.
        strict: Whether ``auto`` goes by names and structure of whole models alone.
        rename: Addresses in theirs, as globs, to those in ours: ``{"predictions": "logits"}``. The n-th ``*`` of the
            new address is what the n-th ``*`` of the glob stands for, and so for ``**``:
            ``{"model_1/**": "**"}``. Where the new address names a layer, that layer is settled; the rule matches
            the rest.
        source_at: The layer of theirs that is matched, in place of all of them.
        target_at: The same of ours.

    Raises:
        RequestError: Nothing decides, ``by`` is not one of these, there is no such layer, or no such file.
        RefusedError: A file is damaged, unsafe, or holds no Keras weights.

    Example:
        >>> from weightkit import match
        >>> print(match("before.h5", "after.keras"))  # doctest: +SKIP
    """
    with weights_of(ours) as first, weights_of(theirs) as second:
        told = Told({} if rename is None else rename, source_at, target_at)
        return match_refs(first, second, by, ordered=ordered, strict=strict, told=told)


@contextlib.contextmanager
def weights_of(given: Target | Iterable[WeightRef]) -> Iterator[Iterable[WeightRef]]:
    """The references of a target, of which a file is closed after use; references are given back as they are."""
    if _is_listed(given):
        yield given
    else:
        with opened(cast("Target", given)) as store:
            yield store


def _is_listed(given: object) -> TypeGuard[Iterable[WeightRef]]:
    """Whether it is a store or references, which are matched as they are; else a path, a model or variables."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return False
    # Only a sequence is looked into: an iterator would lose its first item.
    first = next(iter(given), None) if isinstance(given, Sequence) else None
    return first is None or isinstance(first, WeightRef)

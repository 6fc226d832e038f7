"""Tell layers that are copied as they are without asking for their configurations, which takes a live model time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.transforms.loading.facts import LayerFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access import WeightRef, WeightStore

_TODAY = 3  # the first version whose functions are those of the newest


def is_plain(ours: Sequence[WeightRef], theirs: Sequence[WeightRef], target: WeightStore, source: WeightStore) -> bool:
    """Whether `conversions` would find nothing to do or to say, whatever the configurations are.

    False does not mean that there is something. It holds where the user says nothing of the formats of images.

    Args:
        ours: The weights of a layer of the target.
        theirs: The weights of the layer that it was matched with.
        target: The store that holds ours.
        source: The store that holds theirs.
    """
    if _described(ours) != _described(theirs) or any(ref.name == "recurrent_kernel" for ref in ours):
        return False
    sides = [
        (LayerFacts(keras_version=store.keras_version, backend=store.backend), refs)
        for store, refs in ((target, ours), (source, theirs))
    ]
    return all(side.mirrors(refs) is False and side.major in {None, _TODAY} for side, refs in sides)


def _described(refs: Iterable[WeightRef]) -> list[tuple[object, ...]]:
    return sorted((ref.name or "", ref.shape, ref.dtype_text, str(ref.kind)) for ref in refs)

"""Pair weights by position: the format's own path, or the position of their layer in its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.names.automatic_names import automatic, numbered_name
from weightkit.access.names.keys import key_base, keys_of_class
from weightkit.access.names.layer_order import is_numbered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.ref import WeightRef

Pairs: TypeAlias = "dict[WeightRef, WeightRef]"
LISTS = frozenset({"layers", "_layer_checkpoint_dependencies", "vars"})
"""Keys of version 3 that are no layer's: of the lists in which layers and variables stand."""


def by_structure(ours: Iterable[WeightRef], theirs: Iterable[WeightRef]) -> Pairs:
    """Weights at the same path of the format, else at another one under which Keras looks for them."""
    own, other = list(ours), list(theirs)
    there = {ref.structure: ref for ref in other}
    pairs = {ref: there[ref.structure] for ref in own if ref.structure in there}
    if len(pairs) == len(own):
        return pairs
    used = {ref.structure for ref in pairs.values()}
    left = [ref for ref in own if ref not in pairs]
    return pairs | _at_other_paths(left, [ref for ref in other if ref.structure not in used])


def _at_other_paths(ours: Iterable[WeightRef], theirs: Iterable[WeightRef]) -> Pairs:
    there = {path: ref for ref in theirs for path in reversed((ref.structure, *ref.also))}
    found: Pairs = {}
    used = set[str]()
    for ref in ours:
        leads = (there[path] for path in (ref.structure, *ref.also) if path in there)
        first = next((other for other in leads if other.structure not in used), None)
        if first is not None:
            found[ref] = first
            used.add(first.structure)
    return found


def by_class(ours: Iterable[WeightRef], theirs: Iterable[WeightRef]) -> Pairs:
    """Equal weights of the first, second, third layer of a class, as Keras' own files count them."""
    there = _counted(theirs)
    return {ref: there[place] for place, ref in _counted(ours).items() if place in there}


def by_turn(ours: Iterable[WeightRef], theirs: Iterable[WeightRef]) -> Pairs:
    """Weights in saved order, if all shapes agree; else none.

    An optimizer's state has only its variables' names, and most formats store numbers instead.
    """
    pairs = dict(zip(first := list(ours), second := list(theirs), strict=False))
    fits = len(first) == len(second) and all(a.shape == b.shape for a, b in pairs.items())
    return pairs if fits else {}


def _counted(refs: Iterable[WeightRef]) -> dict[tuple[object, ...], WeightRef]:
    """Each weight by the layers around its own, its class, its layer's position among those, and its name."""
    turns: dict[tuple[object, ...], dict[str, int]] = {}
    found: dict[tuple[object, ...], WeightRef] = {}
    for ref in sorted(refs, key=place_in_lists):
        around, owner = _owner(ref)
        class_key = _class_key(ref)
        if class_key is None:
            continue
        key = (around, class_key)
        turn = turns.setdefault(key, {}).setdefault(owner, len(turns[key]) if key in turns else 0)
        found[(*key, turn, ref.name if ref.name is not None else ref.index)] = ref
    return found


def place_in_lists(ref: WeightRef) -> list[tuple[str, int]]:
    """Its place among others of version 3, whose files sort ``dense_10`` before ``dense_2``; one for all others."""
    return [numbered_name(step) for step in ref.structure.split("/")] if is_numbered(ref) else []


def _class_key(ref: WeightRef) -> str | None:
    """The class's key in a file; if the class is not known, an automatic name gives it too."""
    if ref.layer_class is not None:
        return keys_of_class(ref.layer_class)[0]  # Keras 3's form, whichever version wrote the file
    found = automatic(ref.layer.rpartition("/")[2]) if ref.layer else None
    return None if found is None else found[0]


def _owner(ref: WeightRef) -> tuple[tuple[str, ...], str]:
    """The layers around a weight's own, and a key that is unique to its layer."""
    if ref.layer is not None:
        *around, _ = ref.layer.split("/")
        return tuple(around), ref.layer
    steps = [step for step in ref.owner.split("/") if step not in LISTS]
    return tuple(key_base(step) for step in steps[:-1]), ref.owner

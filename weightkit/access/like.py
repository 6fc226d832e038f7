"""Borrow names and configurations that a file lacks from another file of the same model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.ref import Kind, Source
from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore

_SHOWN = 8  # weights of an object in a message


def borrow_names(store: WeightStore, other: WeightStore) -> dict[WeightRef, WeightRef]:
    """For each weight of ``store``, itself or a copy of it with the names that ``other`` has at its address.

    Raises:
        RequestError: An object whose weights need names differs in ``other``, or ``other`` names none of them.
    """
    theirs = {ref.structure: ref for ref in other}
    objects = _Objects(store, other)
    result, borrowed, wanting = {}, 0, 0
    for ref in store:
        result[ref] = ref
        if None not in (ref.layer, ref.name) and ref.kind is not Kind.UNKNOWN:
            continue
        wanting += ref.kind is Kind.UNKNOWN
        found = theirs.get(ref.structure)
        if found is None or found.name is None:
            continue
        objects.require_same(ref.owner)
        result[ref] = _with_names(ref, found)
        borrowed += 1
    if wanting and not borrowed:
        raise RequestError(
            f"{other.label} names none of the {wanting} weights that have no names here",
            hint="give a file of the same model that was saved in the same format",
            file=store.label,
        )
    return result


def borrow_configurations(store: WeightStore, other: WeightStore) -> dict[str, Configured]:
    """Configurations that ``other`` has and ``store`` lacks, for objects that hold the same weights."""
    objects = _Objects(store, other)
    found = {ref.structure: ref for ref in other}
    borrowed = {}
    for ref in store:
        if ref.structure in found and objects.same(ref.owner) and store.configured(ref) is None:
            configured = other.configured(found[ref.structure])
            if configured is not None:
                borrowed[ref.structure] = configured
    return borrowed


def _objects(store: Iterable[WeightRef]) -> dict[str, list[str]]:
    """Each object's weights as text: position, shape, and whether they are real numbers."""
    found: dict[str, list[str]] = {}
    for ref in store:
        # The same weight may be float16 in one file and float32 in the other.
        numbers = "floating-point" if is_floating(ref.dtype) else ref.dtype_text
        found.setdefault(ref.owner, []).append(f"{ref.structure.rpartition('/')[2]} {ref.shape} {numbers}")
    return found


class _Objects:
    """The objects of two stores, each compared once: one may hold all weights of a file."""

    def __init__(self, store: WeightStore, other: WeightStore) -> None:
        self._ours, self._theirs, self._label = _objects(store), _objects(other), other.label
        self._same: dict[str, bool] = {}

    def same(self, owner: str) -> bool:
        """Whether an object holds the same weights in both."""
        if owner not in self._same:
            self._same[owner] = sorted(self._ours[owner]) == sorted(self._theirs[owner])
        return self._same[owner]

    def require_same(self, owner: str) -> None:
        """Names are borrowed for whole objects: the names of three vectors differ from those of four."""
        if not self.same(owner):
            ours, theirs = (listed(sorted(found[owner]), _SHOWN) for found in (self._ours, self._theirs))
            raise RequestError(
                f"{owner} holds {ours} here, and {theirs} in {self._label}", hint="give a file of the same model"
            )


def _with_names(ref: WeightRef, found: WeightRef) -> WeightRef:
    return replace(
        ref,
        layer=found.layer,
        name=found.name,
        kind=found.kind,
        layer_class=found.layer_class,
        trainable=found.trainable,
        duplicate=found.duplicate,
        known_from=Source.LIKE,
    )

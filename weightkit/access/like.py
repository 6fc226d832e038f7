"""Borrow names and configurations that a file lacks from another file of the same model."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.draw_keys import draw_addresses
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
    """For each weight of ``store``, itself or a copy of it with what ``other`` knows of the same weight.

    The same weight has the same structural address; where that says nothing, as in another format, the same names.

    Raises:
        RequestError: An object whose weights need names differs in ``other``, or ``other`` names none of them.
    """
    same = _Same(store, other)
    result, borrowed, wanting = {}, 0, 0
    for ref in store:
        result[ref] = ref
        if None not in (ref.layer, ref.name) and ref.kind is not Kind.UNKNOWN:
            continue
        wanting += ref.kind is Kind.UNKNOWN
        named = same.with_names(ref)
        if named is not None:
            result[ref] = named
            borrowed += 1
    if wanting and not borrowed:
        raise RequestError(
            f"{other.label} names none of the {wanting} weights that have no names or kinds here",
            hint="give a model in memory, or a file of the same model that was saved in the same format",
            file=store.label,
        )
    return result


def borrow_configurations(store: WeightStore, other: WeightStore) -> dict[str, Configured]:
    """Configurations that ``other`` has and ``store`` lacks, for objects that hold the same weights."""
    same = _Same(store, other)
    borrowed = {}
    for ref in store:
        if store.configured(ref) is None and (configured := same.configured(ref)) is not None:
            borrowed[ref.structure] = configured
    return borrowed


class _Same:
    """Which weight of another store is the same as one of this store."""

    def __init__(self, store: WeightStore, other: WeightStore) -> None:
        self._other = other
        self._objects = _Objects(store, other)
        self._store = store
        self._by_structure = {ref.structure: ref for ref in other}

    def with_names(self, ref: WeightRef) -> WeightRef | None:
        """A weight with the names and the kind that the other store knows; None where it knows no more."""
        found = self._by_structure.get(ref.structure)
        if found is not None and found.name is not None and _adds(found, ref):
            self._objects.require_same(ref.owner)
            return _with_names(ref, found)
        found = self._by_names(ref)
        if found is None or found.kind is Kind.UNKNOWN:
            return None
        if found.shape != ref.shape:
            raise RequestError(
                f"{ref.path} has shape {ref.shape} here, and {found.shape} in {self._other.label}",
                hint="give a file of the same model",
            )
        return _with_kind(ref, found)

    def configured(self, ref: WeightRef) -> Configured | None:
        """The configuration of a weight's layer in the other store, if that has the same weights."""
        found = self._by_structure.get(ref.structure)
        if found is not None:
            return self._other.configured(found) if self._objects.same(ref.owner) else None
        found = self._by_names(ref)
        return None if found is None or found.shape != ref.shape else self._other.configured(found)

    def _by_names(self, ref: WeightRef) -> WeightRef | None:
        return None if ref.name is None else self._pairs.get(ref)

    @functools.cached_property
    def _pairs(self) -> dict[WeightRef, WeightRef]:
        """By the addresses of draws: automatic names are numbered in other ways by each format and session."""
        known = {key: ref for ref, key in draw_addresses(self._other).items() if ref.name is not None}
        return {ref: known[key] for ref, key in draw_addresses(self._store).items() if key in known}


def _adds(found: WeightRef, ref: WeightRef) -> bool:
    """Whether something is known of a weight elsewhere that is not known here."""
    return None in {ref.layer, ref.name} or found.kind is not ref.kind


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


def _with_kind(ref: WeightRef, found: WeightRef) -> WeightRef:
    """A weight under its own names, with what else is known of it elsewhere."""
    return replace(
        ref,
        kind=found.kind,
        layer_class=found.layer_class or ref.layer_class,
        trainable=found.trainable,
        known_from=Source.LIKE,
    )

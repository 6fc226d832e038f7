"""How each weight of a target is made of the weights of a source that it was matched with."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from weightkit.access import FileStore, Kind, draw_addresses
from weightkit.access.dequantize import DequantizedSource
from weightkit.errors import RequestError
from weightkit.transforms.initializers import Draws
from weightkit.transforms.loading.conversion import Conversion, Conversions
from weightkit.transforms.loading.facts import facts_of
from weightkit.transforms.loading.flattened import flattened_map, image_format
from weightkit.transforms.loading.layer_conversions import conversions
from weightkit.transforms.loading.low_rank import STALE, is_factor, stale
from weightkit.transforms.loading.plain import is_plain
from weightkit.transforms.loading.quantized import Quantized
from weightkit.transforms.loading.resizing.resized import MEAN_ROWS, LeftFresh, Resizing, resized

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from weightkit.access import Match, WeightRef, WeightStore
    from weightkit.transforms.loading.flattened import DataFormat, FlattenedMap
    from weightkit.transforms.loading.hard_sigmoid import HardSigmoid

OnMissing = Literal["error", "skip"]
OnMismatch = Literal["error", "skip", "resize"]
_KERNEL = 3  # axes of the kernel of a convolution, at least


@dataclass(frozen=True, slots=True)
class Loading:
    """What to do where the weights of two matched layers differ."""

    on_missing: OnMissing = "error"
    """With a weight that the source does not have: refuse, or leave it as it is."""
    on_mismatch: OnMismatch = "error"
    """With a weight of another shape: refuse, leave it as it is, or resize the source's."""
    backend: str | None = None
    """The backend that wrote the source, where the file does not say it: ``theano``, ``tensorflow``, ``cntk``."""
    data_format: DataFormat | None = None
    """Where the source's images have their channels, where the file does not say it."""
    hard_sigmoid: HardSigmoid = "keep"
    """With gates whose function has changed since: leave their numbers, or make them compute the same."""
    resizing: Resizing = MEAN_ROWS
    """How to resize."""
    source_at: str | None = None
    """The layer of the source that is loaded, in place of all of it."""
    dequantize: bool = False
    """Whether to fill float layers from quantized ones, with the real numbers that these stand for."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """How the weights are made that are not simply copied."""

    of: Mapping[WeightRef, Conversion] = field(default_factory=dict)
    """By weight of the target."""
    refused: Mapping[WeightRef, str] = field(default_factory=dict)
    """Why a weight cannot be made, as the end of a sentence about it."""
    hints: Mapping[WeightRef, str] = field(default_factory=dict)
    """What would make it possible, where something is known."""
    ways: Mapping[WeightRef, str] = field(default_factory=dict)
    """What else to do about a weight that is refused, where there is something."""
    left: Mapping[WeightRef, str] = field(default_factory=dict)
    """Why a weight stays as it is."""
    notes: tuple[str, ...] = ()
    """What the user should know, one sentence each."""
    shapes: Mapping[WeightRef, tuple[int, ...]] = field(default_factory=dict)
    """In which shape the source has a weight, where that is another one after all conversions."""
    resizable: frozenset[WeightRef] = frozenset()
    """Weights of another shape that could be resized, where that is not asked for."""
    real: DequantizedSource = field(default_factory=DequantizedSource)
    """The weights of the source that are read as real numbers."""
    dequantized: Mapping[WeightRef, str] = field(default_factory=dict)
    """What is said of the weights of the target that are filled from these."""
    pairs: Mapping[WeightRef, WeightRef] = field(default_factory=dict)
    """The weight of the source that each is copied from, as it is read; by weight of the target."""
    outside: frozenset[WeightRef] = frozenset()
    """Those that stay because they are not in the layer that is filled."""


def loaded(found: Match, target: WeightStore, source: WeightStore, how: Loading) -> Loaded:
    """How the weights of a target are made of those of a source.

    Reads no values.

    Args:
        found: How they were matched.
        target: The store that is filled.
        source: The store that is read.
        how: What to do where they differ.
    """
    return _Sides(found, target, source, how).loaded()


class _Sides:
    """The two stores, how they were matched, and what holds for all their layers."""

    def __init__(self, found: Match, target: WeightStore, source: WeightStore, how: Loading) -> None:
        self._target, self._source, self._how = target, source, how
        self._formats = _format_of(target), how.data_format or _format_of(source)
        self._quantized = Quantized(found, target, source, dequantize=how.dequantize)
        self._real = self._quantized.real
        self._found = self._quantized.read(found)
        self._refused = dict(self._quantized.refused)
        self._hints: dict[WeightRef, str] = {}
        if updated := stale(found.missing, found.pairs):
            self._refuse(updated, STALE)

    def loaded(self) -> Loaded:
        of: dict[WeightRef, Conversion] = {}
        notes: dict[str, None] = {}
        for ours, theirs in _layers(self._found):
            if self._refused.keys().isdisjoint(ours) and self._needs(ours, theirs):
                try:
                    made = self._converted(ours, theirs)
                except RequestError as error:
                    self._refuse(ours, error)
                    continue
                of |= made.of
                notes |= dict.fromkeys(made.notes)
        shapes = {ours: shape for ours, shape in self._shapes(of) if shape != ours.shape}
        return Loaded(
            left=self._left(of, shapes),
            of=of,
            refused=self._refused,
            hints=self._hints,
            ways=self._quantized.ways,
            notes=tuple(notes),
            shapes=shapes,
            resizable=frozenset(self._resizable(of, shapes)),
            real=self._real,
            dequantized=self._dequantized(of) if self._real else {},
            pairs=self._found.pairs,
        )

    def _refuse(self, refs: Sequence[WeightRef], error: RequestError) -> None:
        self._refused |= dict.fromkeys(refs, error.problem)
        self._hints |= dict.fromkeys(refs, error.hint) if error.hint else {}

    def _shapes(self, of: Mapping[WeightRef, Conversion]) -> Iterator[tuple[WeightRef, tuple[int, ...]]]:
        """The shapes in which the source has weights, after conversions."""
        for ours, theirs in self._found.pairs.items():
            if self._real.has_real_shapes(ours, theirs) and not self._found.trains(ours):
                yield ours, of[ours].shape if ours in of else theirs.shape

    def _dequantized(self, of: Mapping[WeightRef, Conversion]) -> dict[WeightRef, str]:
        """By weight of the target, from which type its numbers are dequantized."""
        real, pairs = self._real.weights, self._found.pairs
        sources = {ours: of[ours].sources if ours in of else (theirs,) for ours, theirs in pairs.items()}
        types = {ours: {real[ref].stored_as for ref in refs if ref in real} for ours, refs in sources.items()}
        return {ours: f"dequantized from {' and '.join(sorted(used))}" for ours, used in types.items() if used}

    def _needs(self, ours: Sequence[WeightRef], theirs: Sequence[WeightRef]) -> bool:
        """Whether more than copying may be needed; asking a layer for its configuration is not free."""
        if any(ref.name is None for ref in (*ours, *theirs)):
            return False
        if not is_plain(ours, theirs, self._target, self._source):
            return True
        return self._flattens_otherwise

    @property
    def _flattens_otherwise(self) -> bool:
        """Whether rows after a Flatten may be in another order."""
        return None not in self._formats and self._formats[0] != self._formats[1]

    def _converted(self, ours: Sequence[WeightRef], theirs: Sequence[WeightRef]) -> Conversions:
        here, there = self._formats
        maps = (_map(self._target, ours), _map(self._source, theirs)) if self._flattens_otherwise else (None, None)
        target = facts_of(self._target, ours, data_format=here, flattened=maps[0])
        stored = [self._real.stored(ref) for ref in theirs]
        source = facts_of(self._source, stored, backend=self._how.backend, data_format=there, flattened=maps[1])
        return conversions(ours, theirs, target=target, source=source, hard_sigmoid=self._how.hard_sigmoid)

    @property
    def _there(self) -> str:
        label, layer = self._source.label, self._how.source_at
        return label if layer is None else f"{layer} of {label}"

    def _left(
        self, of: dict[WeightRef, Conversion], shapes: Mapping[WeightRef, tuple[int, ...]]
    ) -> dict[WeightRef, str]:
        """The weights that stay as they are; resizes others, and says what cannot be."""
        found = self._found
        missing = found.missing if self._how.on_missing == "skip" else ()
        left = {ref: f"it is not in {self._there}" for ref in (*found.fresh, *missing) if ref not in of}
        for ours, shape in shapes.items():
            if self._how.on_mismatch == "skip":
                left[ours] = f"it is {ours.shape} here and {shape} in {self._there}"
                self._refused.pop(ours, None)
            elif self._how.on_mismatch == "resize" and ours not in self._refused:
                self._resize(ours, of, left)
        return left

    def _resize(self, ours: WeightRef, of: dict[WeightRef, Conversion], left: dict[WeightRef, str]) -> None:
        try:
            made = self._resized(ours, of)
        except RequestError as error:
            self._refuse([ours], error)
            return
        if isinstance(made, LeftFresh):
            left[ours] = made.reason
        else:
            of[ours] = made

    def _resizable(self, of: Mapping[WeightRef, Conversion], shapes: Iterable[WeightRef]) -> Iterator[WeightRef]:
        """What could be resized, where that is not asked for."""
        for ours in shapes if self._how.on_mismatch == "error" else ():
            if ours in self._refused:
                continue
            with contextlib.suppress(RequestError):
                if isinstance(self._resized(ours, of), Conversion):
                    yield ours

    def _resized(self, ours: WeightRef, of: Mapping[WeightRef, Conversion]) -> Conversion | LeftFresh:
        """A weight in the shape of the target's.

        Raises:
            RequestError: It cannot be resized.
        """
        made = of.get(ours) or Conversion.of(self._found.pairs[ours])
        return resized(ours, made, self._resizing(ours), self._draws(ours))

    def _resizing(self, ref: WeightRef) -> Resizing:
        """How to resize a weight, with what the order of the layers tells of its place in the model."""
        how = self._how.resizing
        first, last = self._ends
        return replace(
            how,
            first=True if how.first is None and ref.owner == first else how.first,
            last=True if how.last is None and ref.owner == last else how.last,
        )

    def _draws(self, ref: WeightRef) -> Draws | None:
        seed = self._how.resizing.seed
        return None if seed is None else Draws(seed, self._addresses[ref])

    @functools.cached_property
    def _addresses(self) -> Mapping[WeightRef, str]:
        return draw_addresses(self._target)

    @functools.cached_property
    def _ends(self) -> tuple[str, str]:
        """The first and the last layer; empty where the order is not known."""
        owners = [ref.owner for ref in self._target if ref.kind is not Kind.OPTIMIZER]
        return (owners[0], owners[-1]) if self._target.ordered and owners else ("", "")


def _layers(found: Match) -> Iterator[tuple[Sequence[WeightRef], Sequence[WeightRef]]]:
    """The weights of each two matched layers, with low-rank updates that only the source has; not the optimizer's."""
    unlike = {ref for ours, _ in found.unlike for ref in ours}
    updates: dict[str, list[WeightRef]] = {}
    for ref in filter(is_factor, found.unused):
        updates.setdefault(ref.owner, []).append(ref)
    groups: dict[tuple[str, str], tuple[list[WeightRef], list[WeightRef]]] = {}
    for ours, theirs in found.pairs.items():
        if ours.kind is not Kind.OPTIMIZER and ours not in unlike:
            both = groups.setdefault((ours.owner, theirs.owner), ([], []))
            both[0].append(ours)
            both[1].append(theirs)
    yield from ((ours, [*theirs, *updates.get(theirs[0].owner, ())]) for ours, theirs in groups.values())
    yield from found.unlike


def _format_of(store: WeightStore) -> DataFormat | None:
    """The format of images of the first layer that says it; None where none does."""
    kernels = (ref for ref in store if len(ref.shape) >= _KERNEL)
    configs = (found.config for ref in kernels if (found := store.configured(ref)) is not None)
    return next(filter(None, map(image_format, configs)), None)


def _map(store: WeightStore, refs: Sequence[WeightRef]) -> FlattenedMap | None:
    """The feature map that is flattened right before a layer, where a file says it."""
    layer = refs[0].layer
    return flattened_map(store.config, layer) if layer and isinstance(store, FileStore) else None

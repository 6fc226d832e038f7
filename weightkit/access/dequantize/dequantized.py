"""The real numbers of a quantized weight, read span by span from a store."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.dequantize.formulas import by_scale, by_zero_point, through_float8, unpacked_int4
from weightkit.access.dequantize.layout import NotDequantizedError, Packing, Scales, layout_of
from weightkit.access.store import ALL, IN_PLACE, Destination, WeightStore
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import Sink

_KEPT = 4
"""Weights whose scales are kept in memory: two threads each read spans of one weight after another."""


class Dequantized:
    """One quantized weight as real numbers in float32.

    Args:
        store: Where it is.
        ref: The weight.
        parts: All weights of its object, by name.
        shape: The shape of the weight that it was before.
        like: The configuration of a matched layer, where the store does not know the layer's own.

    Reads no values before `require_groups` or `read` is called.

    Raises:
        NotDequantizedError: The class, the file or the shapes do not say how.
    """

    def __init__(
        self,
        store: WeightStore,
        ref: WeightRef,
        parts: Mapping[str, WeightRef],
        shape: tuple[int, ...],
        like: Configured | None = None,
    ) -> None:
        self._store, self._ref, self.shape = store, ref, shape
        self._layout = layout_of(ref, parts, store.configured(ref) or like, shape)
        self._whole: dict[WeightRef, np.ndarray] = {}
        self._is_checked = False

    @property
    def parts(self) -> tuple[WeightRef, ...]:
        """The scales and all else that belongs to it."""
        layout = self._layout
        return tuple(one for one in (layout.scale, layout.zero, layout.groups, layout.inputs) if one is not None)

    @property
    def stored_as(self) -> str:
        """The type of its numbers: ``int8``, ``int4``, ``float8``."""
        if self._layout.scales is Scales.FLOAT8:
            return "float8"
        plain = self._layout.packing in {Packing.PLAIN, Packing.TRANSPOSED}
        return self._ref.dtype_text if plain else "int4"

    def read(self, span: slice = ALL) -> np.ndarray:
        """The values of a flat span in C order, or of the whole weight in its shape."""
        layout = self._layout
        if span == ALL:
            return self.rows(0, layout.rows).reshape(self.shape)
        first = span.start // layout.columns
        last = -(-span.stop // layout.columns)
        values = self.rows(first, last).reshape(-1)
        start = span.start - first * layout.columns
        return values[start : start + span.stop - span.start]

    def rows(self, first: int, last: int) -> np.ndarray:
        """The values of some rows; only as much is read as these need, but for GPTQ and AWQ."""
        numbers, layout = self._numbers(first, last), self._layout
        match layout.scales:
            case Scales.FLOAT8:
                return through_float8(numbers, self._all(layout.scale).reshape(()))
            case Scales.COLUMN | Scales.ROW | Scales.AXES:
                return by_scale(numbers, self._scales(first, last))
        values = by_zero_point(numbers, *(self._of_groups(one, first, last) for one in self._pair()))
        return values if layout.inputs is None else by_scale(values, self._all(layout.inputs)[first:last, None])

    def _scales(self, first: int, last: int) -> np.ndarray:
        """The scales of some rows, in a form that goes with their numbers."""
        layout = self._layout
        if layout.scales is Scales.ROW:
            return self._store.read(layout.scale, slice(first, last))[:, None]
        return self._all(layout.scale) if layout.scales is Scales.COLUMN else self._by_axes(first, last)

    def _of_groups(self, ref: WeightRef, first: int, last: int) -> np.ndarray:
        """The scale or zero point of each number of some rows."""
        groups = self._groups()
        match self._layout.scales:
            case Scales.ROW_GROUPS:
                return self._rows_at(ref, groups[first:last])
            case Scales.COLUMN_GROUPS:
                return np.asarray(self._part(ref, first, last)[:, groups])
        return np.asarray(self._all(ref)[:, groups[first:last]].T)

    def _numbers(self, first: int, last: int) -> np.ndarray:
        """The stored numbers of some rows, unpacked: ``(rows, columns)``."""
        columns = self._layout.columns
        match self._layout.packing:
            case Packing.PLAIN:
                return self._store.read(self._ref, slice(first * columns, last * columns)).reshape(-1, columns)
            case Packing.COLUMNS:
                return unpacked_int4(self._part(self._ref, first, last), columns, 1)
            case Packing.ROWS:
                start = first - first % 2
                packed = self._part(self._ref, start // 2, -(-last // 2))
                return unpacked_int4(packed, last - start, 0)[first - start :]
            case Packing.TRANSPOSED:
                return np.asarray(self._all(self._ref)[:, first:last].T)
            case Packing.TRANSPOSED_COLUMNS:
                return unpacked_int4(self._all(self._ref)[:, first:last], columns, 0).T

    def _by_axes(self, first: int, last: int) -> np.ndarray:
        """The scale of each number of some rows of an EinsumDense's kernel."""
        columns = self._layout.columns
        sizes, axes = self._layout.axes or ((), ())
        places = np.unravel_index(np.arange(first * columns, last * columns), self.shape)
        flat = np.ravel_multi_index(tuple(places[axis] for axis in axes), sizes) if axes else 0
        return np.broadcast_to(self._all(self._layout.scale).reshape(-1)[flat], (last - first) * columns).reshape(
            -1, columns
        )

    def _pair(self) -> tuple[WeightRef, WeightRef]:
        scale, zero = self._layout.scale, self._layout.zero
        assert zero is not None  # noqa: S101  # a layout with groups has one
        return scale, zero

    def _rows_at(self, ref: WeightRef, groups: np.ndarray) -> np.ndarray:
        """A row for each group, from the rows between the first and the last of these groups."""
        if not groups.size:
            return np.zeros((0, ref.shape[1]), ref.dtype)
        first, last = int(groups.min()), int(groups.max()) + 1
        return np.asarray(self._part(ref, first, last)[groups - first])

    def _part(self, ref: WeightRef, first: int, last: int) -> np.ndarray:
        """Some rows of a stored matrix."""
        columns = ref.shape[1]
        return self._store.read(ref, slice(first * columns, last * columns)).reshape(-1, columns)

    def _groups(self) -> np.ndarray:
        groups = self._layout.groups
        assert groups is not None  # noqa: S101  # only layouts with groups ask
        if not self._is_checked:
            self.require_groups()
        return np.asarray(self._all(groups).astype(np.int64))

    def require_groups(self) -> None:
        """Check what shapes alone do not tell: that its groups are those of its scales.

        Raises:
            NotDequantizedError: They are not.
        """
        if self._layout.groups is None:
            return
        stored = self._all(self._layout.groups)
        count = self._layout.scale.shape[0 if self._layout.scales is Scales.ROW_GROUPS else 1]
        # A file may hold anything, NaNs too.
        if not ((stored >= 0) & (stored < count)).all():
            raise NotDequantizedError("its groups are not those of its scales")
        self._is_checked = True

    def _all(self, ref: WeightRef) -> np.ndarray:
        found = self._whole.get(ref)
        if found is None:
            found = self._whole[ref] = self._store.read(ref)
        return found

    def forget(self) -> None:
        """Free the arrays that are kept for the next spans."""
        self._whole.clear()


class DequantizedStore(WeightStore):
    """A store in which some weights are read as the real numbers that they stand for.

    Args:
        store: The store.
        weights: By the reference under which each is read.
    """

    def __init__(self, store: WeightStore, weights: Mapping[WeightRef, Dequantized]) -> None:
        self._store, self._weights = store, weights
        self._latest: OrderedDict[int, Dequantized] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """That of the store."""
        return self._store.label

    @property
    def format(self) -> str:
        """That of the store."""
        return self._store.format

    @property
    def ordered(self) -> bool:
        """That of the store."""
        return self._store.ordered

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self._store)

    def values(self, ref: WeightRef, span: slice) -> np.ndarray:
        """Dequantized, or as stored.

        Raises:
            RequestError: Values that are read only now say that it cannot be dequantized.
        """
        found = self._weights.get(ref)
        if found is None:
            return self._store.read(ref, span)
        try:
            values = found.read(span)
        except NotDequantizedError as error:
            raise RequestError(
                f"{ref.path} cannot be dequantized: {error}", hint="leave it out with exclude=", file=self.label
            ) from error
        self._use(found)
        return values

    def steady(self) -> AbstractContextManager[None]:
        """That of the store."""
        return self._store.steady()

    def configured(self, ref: WeightRef) -> Any:
        """That of the store."""
        return self._store.configured(ref)

    def editing(
        self, changing: Sequence[WeightRef], destination: Destination = IN_PLACE, changes: Changes = NO_CHANGES
    ) -> AbstractContextManager[Sink]:
        """That of the store, whose weights it takes."""
        return self._store.editing(changing, destination, changes)

    def _use(self, weight: Dequantized) -> None:
        """Remember that it was read, and free what the one read longest ago keeps."""
        with self._lock:
            self._latest.pop(id(weight), None)
            self._latest[id(weight)] = weight
            while len(self._latest) > _KEPT:
                self._latest.popitem(last=False)[1].forget()


def dequantized(
    store: WeightStore, ref: WeightRef, parts: Mapping[str, WeightRef], shape: tuple[int, ...]
) -> Dequantized | str:
    """A quantized weight as real numbers; or why that cannot be, as the end of a sentence.

    Args:
        store: Where it is.
        ref: The weight.
        parts: All weights of its object, by name.
        shape: The shape of the real numbers.
    """
    try:
        found = Dequantized(store, ref, parts, shape)
        found.require_groups()
    except NotDequantizedError as error:
        return str(error)
    return found

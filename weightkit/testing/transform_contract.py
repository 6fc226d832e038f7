"""The contract for transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

import ml_dtypes
import numpy as np
import pytest

from weightkit.access.edits.arithmetic import transformed
from weightkit.access.edits.choose import plan_edit
from weightkit.access.ref import Kind, WeightRef
from weightkit.access.store import ALL, WeightStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weightkit.access.edits.transform import Transform

# 6 x 10, the shape of every weight here.
_SIZE = 60


class TransformContract:
    """Tests for every transform. Subclass it, and declare how to make one, and what it must compute.

    Example:
        >>> class TestMine(TransformContract):  # doctest: +SKIP
        ...     def make_transform(self):
        ...         return mine(0.5)
    """

    TYPES: ClassVar[Sequence[object]] = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)
    """The dtypes of weights that it takes."""

    def make_transform(self) -> Transform:
        """A new transform, equal to every other one that this makes."""
        raise NotImplementedError

    def expected(self, ref: WeightRef, values: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """The expected result for a float32 weight, computed by other means; None to test only the rest."""
        return None

    @pytest.fixture
    def planned(self) -> tuple[Transform, Mapping[WeightRef, np.ndarray]]:
        """A transform as in a plan, with its weights, and the weights with their values."""
        store = _Store(self.TYPES)
        return plan_edit(store, self.make_transform(), "**").transform, store.weights

    def test_it_is_a_value_that_prints_itself(self) -> None:
        assert self.make_transform() == self.make_transform()
        assert repr(self.make_transform()) == repr(self.make_transform())
        assert " object at 0x" not in repr(self.make_transform())

    def test_it_says_which_kinds_it_touches_and_what_it_objects_to(self) -> None:
        transform = self.make_transform()
        assert all(isinstance(kind, Kind) for kind in transform.kinds)
        assert isinstance(transform.elementwise, bool)
        assert all(isinstance(note, str) for note in transform.notes())
        assert all(isinstance(transform.objection(ref), str) for ref in _Store(self.TYPES))

    def test_it_keeps_the_shape_and_gives_the_type_it_says(
        self, planned: tuple[Transform, Mapping[WeightRef, np.ndarray]]
    ) -> None:
        transform, weights = planned
        for ref, values in weights.items():
            after = transformed(transform, ref, values.copy(), ALL)
            assert (after.shape, after.dtype) == (ref.shape, transform.dtype(ref))

    def test_it_leaves_what_it_is_given_and_gives_the_same_again(
        self, planned: tuple[Transform, Mapping[WeightRef, np.ndarray]]
    ) -> None:
        transform, weights = planned
        for ref, values in weights.items():
            given = values.copy()
            first = transformed(transform, ref, given, ALL).tobytes()
            assert given.tobytes() == values.tobytes()
            assert transformed(transform, ref, values.copy(), ALL).tobytes() == first

    def test_any_span_alone_is_that_part_of_the_whole(
        self, planned: tuple[Transform, Mapping[WeightRef, np.ndarray]]
    ) -> None:
        transform, weights = planned
        for ref, values in weights.items() if transform.elementwise else ():
            whole = transformed(transform, ref, values.copy(), ALL).reshape(-1)
            for span in (slice(0, 7), slice(7, 8), slice(8, _SIZE)):
                part = transformed(transform, ref, values.reshape(-1)[span].copy(), span)
                assert part.tobytes() == whole[span].tobytes()

    def test_its_numbers_are_those_that_are_expected(
        self, planned: tuple[Transform, Mapping[WeightRef, np.ndarray]]
    ) -> None:
        transform, weights = planned
        for ref, values in weights.items():
            wanted = self.expected(ref, values) if ref.dtype == np.float32 else None
            if wanted is not None:
                assert transformed(transform, ref, values.copy(), ALL).tobytes() == wanted.tobytes()


class _Store(WeightStore):
    """Weights that exist only in the test, one of each dtype."""

    label, format, ordered = "the contract", "in the test", True

    def __init__(self, types: Sequence[object]) -> None:
        self.weights = {}
        for index, type_ in enumerate(types):
            dtype = np.dtype(type_)  # type: ignore[call-overload]
            ref = WeightRef(
                f"vars/{index}", "", index, f"of_{dtype.name}", (6, 10), dtype, Kind.PARAMETER, None, True, None
            )
            self.weights[ref] = np.linspace(-2, 2, _SIZE).astype(dtype).reshape(ref.shape)

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self.weights)

    def values(self, ref: WeightRef, span: slice) -> np.ndarray:
        """A copy of the values."""
        values = self.weights[ref]
        return values.copy() if span == ALL else values.reshape(-1)[span].copy()

    def editing(self, *_: object) -> NoReturn:
        """Never called."""
        raise NotImplementedError

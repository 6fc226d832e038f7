"""The contract for stores of weights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from weightkit.access.store import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from weightkit.access.store import WeightStore


class StoreContract:
    """Tests for every store. Subclass it, and declare how to make a store and how to read it by other means.

    Example:
        >>> class TestMyStore(StoreContract):  # doctest: +SKIP
        ...     def make_store(self, folder, values): ...
        ...     def values_of(self, store): ...
    """

    VALUES: ClassVar[Mapping[str, np.ndarray]] = {
        "first/kernel": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
        "first/bias": np.arange(4, dtype=np.float32),
        "second/kernel": np.linspace(0, 1, 8, dtype=np.float32).reshape(4, 2),
        "second/bias": np.ones(2, np.float32),
    }
    """Weights by layer and name; override them for a format that cannot hold them."""

    def make_store(self, folder: Path, values: Mapping[str, np.ndarray]) -> WeightStore:
        """A store with these weights, open for editing; ``folder`` is an empty folder for this test."""
        raise NotImplementedError

    def values_of(self, store: WeightStore) -> Mapping[str, np.ndarray]:
        """The values of all weights by structure, read by other means than the store."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[WeightStore]:
        """A store with the weights ``VALUES``."""
        with self.make_store(tmp_path, self.VALUES) as made:
            yield made

    def test_it_says_what_it_is(self, store: WeightStore) -> None:
        assert store.label
        assert store.format
        assert store.ordered in {True, False}

    def test_it_prints_in_one_line_that_tells_the_format_and_how_much(self, store: WeightStore) -> None:
        assert repr(store).isprintable()
        assert store.format in repr(store)
        assert f"{len(list(store))} weights" in repr(store)

    def test_every_weight_is_there_once_with_its_shape_and_type(self, store: WeightStore) -> None:
        refs, outside = list(store), self.values_of(store)
        assert sorted(ref.structure for ref in refs) == sorted(outside)
        assert len(refs) == len(self.VALUES)
        for ref in refs:
            assert (ref.shape, ref.dtype) == (outside[ref.structure].shape, outside[ref.structure].dtype)

    def test_names_are_unique_and_iterating_again_gives_the_same(self, store: WeightStore) -> None:
        refs = list(store)
        assert len({ref.path for ref in refs}) == len(refs)
        assert list(store) == refs

    def test_a_whole_weight_is_read_in_its_shape(self, store: WeightStore) -> None:
        outside = self.values_of(store)
        for ref in store:
            assert _same(store.read(ref), outside[ref.structure])

    def test_a_span_is_read_flat_in_c_order(self, store: WeightStore) -> None:
        outside = self.values_of(store)
        for ref in store:
            flat = outside[ref.structure].reshape(-1)
            for span in (slice(0, 1), slice(1, ref.size), slice(0, ref.size), slice(1, 1)):
                assert _same(store.read(ref, span), flat[span])

    def test_a_weight_is_found_by_its_path_and_by_its_structural_address(self, store: WeightStore) -> None:
        for ref in store:
            assert _same(store[ref.path], store.read(ref))
            assert _same(store.read(ref.structure, slice(0, 1)), store.read(ref, slice(0, 1)))
            assert ref in store
            assert ref.path in store
        assert store.select() == tuple(store)
        with pytest.raises(KeyError, match="nowhere"):
            store["nowhere"]

    def test_what_is_read_is_a_copy_to_keep(self, store: WeightStore) -> None:
        for ref in store:
            for span in (ALL, slice(0, 2)):
                # 9 is in none of VALUES.
                store.read(ref, span)[...] = 9
                assert not (store.read(ref, span) == 9).all()  # noqa: PLR2004

    def test_an_edit_sets_its_weights_and_no_others(self, store: WeightStore) -> None:
        before = dict(self.values_of(store))
        chosen, *others = store
        with store.editing([chosen]) as sink:
            sink.write(chosen, _times(2, store.read(chosen)))
        after = self.values_of(store)
        assert sink.outcome is not None
        assert _same(after[chosen.structure], _times(2, before[chosen.structure]))
        assert all(_same(after[ref.structure], before[ref.structure]) for ref in others)

    def test_new_values_may_come_in_spans_in_any_order_from_several_threads(self, store: WeightStore) -> None:
        before = dict(self.values_of(store))
        refs = list(store)
        spans = [(ref, slice(i, i + 1)) for ref in refs for i in range(ref.size)][::-1]
        with store.editing(refs) as sink, ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda part: sink.write(part[0], _times(2, store.read(*part)), part[1]), spans))
        after = self.values_of(store)
        assert all(_same(after[ref.structure], _times(2, before[ref.structure])) for ref in refs)

    def test_nobody_sees_an_edit_before_it_is_complete(self, store: WeightStore) -> None:
        before = dict(self.values_of(store))
        refs = list(store)
        with store.editing(refs) as sink:
            for ref in refs:
                sink.write(ref, _times(3, store.read(ref)))
            assert self._unchanged(store, before)
            assert sink.outcome is None

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_edit_that_fails_changes_nothing(self, store: WeightStore, error: type[BaseException]) -> None:
        before = dict(self.values_of(store))
        with pytest.raises(error):
            self._fail(store, error)
        assert self._unchanged(store, before)

    def test_an_edit_that_is_not_complete_changes_nothing(self, store: WeightStore) -> None:
        before = dict(self.values_of(store))
        refs = list(store)
        with pytest.raises(Exception, match="not written"), store.editing(refs) as sink:
            sink.write(refs[0], _times(3, store.read(refs[0])))
        assert self._unchanged(store, before)

    def _fail(self, store: WeightStore, error: type[BaseException]) -> None:
        refs = list(store)
        with store.editing(refs) as sink:
            for ref in refs:
                sink.write(ref, _times(3, store.read(ref)))
            raise error

    def _unchanged(self, store: WeightStore, before: Mapping[str, np.ndarray]) -> bool:
        after = self.values_of(store)
        return all(_same(after[structure], values) for structure, values in before.items())


def _times(factor: int, values: np.ndarray) -> np.ndarray:
    """A multiple in the values' own type and byte order."""
    return (values * factor).astype(values.dtype)


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two arrays are equal bit for bit, and in shape and type."""
    return (first.shape, first.dtype, first.tobytes()) == (second.shape, second.dtype, second.tobytes())

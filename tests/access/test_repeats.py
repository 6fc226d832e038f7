"""What a file's own lists cost: about as many steps as they are long.

Each test has so many repeats that the square of their number would not end, and says what comes out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from weightkit import open_weights
from weightkit.access.changes import Changes
from weightkit.access.edits.counterparts import counterparts
from weightkit.access.hdf5.index import Index
from weightkit.access.like import borrow_configurations, borrow_names
from weightkit.access.matching.align import in_order
from weightkit.access.matching.layer_tree import Layer
from weightkit.access.names.legacy.config_tree import LayerTree
from weightkit.access.names.legacy.names import LegacyGroup, name_legacy
from weightkit.access.names.naming import Stored, layer_path
from weightkit.access.names.objects import name_objects
from weightkit.access.names.serialized_layer import Serialized
from weightkit.access.names.wrapper import added_weights, inner_of, is_wrapper
from weightkit.access.ref import Kind, Source, WeightRef
from weightkit.access.select.suggestions import nearest
from weightkit.errors import RequestError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from weightkit.access.hdf5.spans import Spans

MANY = 10_000


def ref(structure: str, **known: Any) -> WeightRef:
    known = {"layer": None, "name": None, "known_from": None, "kind": Kind.UNKNOWN, "shape": (2,)} | known
    return WeightRef(structure, index=0, dtype=np.dtype("f4"), layer_class=None, trainable=None, **known)


class Weights:
    """A store as far as borrowing names from it goes."""

    def __init__(self, label: str, refs: list[WeightRef]) -> None:
        self.label, self.refs = label, refs

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self.refs)

    def configured(self, ref: WeightRef) -> Any:
        return None


def entry(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}}


def test_names_are_borrowed_for_an_object_of_many_weights() -> None:
    bare = [ref(f"layers/dense/vars/{number}") for number in range(MANY)]
    named = [
        replace(one, layer="d", name=f"w{number}", kind=Kind.PARAMETER, known_from=Source.FILE)
        for number, one in enumerate(bare)
    ]
    ours: Any = Weights("ours", bare)
    theirs: Any = Weights("theirs", named)
    borrowed = borrow_names(ours, theirs)
    assert [borrowed[one].path for one in bare] == [f"d/w{number}" for number in range(MANY)]
    assert borrow_configurations(ours, theirs) == {}
    other: Any = Weights("theirs", [replace(one, shape=(3,)) for one in named])
    with pytest.raises(RequestError, match="layers/dense/vars holds 0 ") as raised:
        borrow_names(ours, other)
    assert len(str(raised.value)) < 1000  # not all of them


def test_a_plan_finds_its_weights_among_many_others() -> None:
    ours = [ref(f"a/{number}") for number in range(2 * MANY)]
    theirs = [replace(one, shape=(3,)) if place < MANY else one for place, one in enumerate(ours)]
    found = counterparts(ours, ours[MANY:], theirs, "ours", "theirs")
    assert list(found.values()) == ours[MANY:]


def test_many_changes_are_joined_in_their_order() -> None:
    single = [Changes(attributes={f"a/{number}": {"dtype": "bfloat16"}}) for number in range(2 * MANY)]
    assert list(Changes.all_of(single).attributes) == [f"a/{number}" for number in range(2 * MANY)]
    twice = [Changes(members={"a": b"1"}), Changes(), Changes(members={"a": b"2"}), Changes(members={"b": b"3"})]
    assert Changes.all_of(twice).members == {"a": b"2", "b": b"3"}
    assert not Changes.all_of([])


def test_layers_in_an_order_that_is_costly_to_align_are_paired_as_they_come() -> None:
    """The search for runs of one layer starts over for nearly every layer: the cube of their number."""
    first, second = (
        [Layer(f"{side}{number}", {side[number % len(side)]: ref(f"{side}/{number}")}) for number in range(1000)]
        for side in ("a", "ab")
    )
    assert in_order(first, second) == list(zip(first, second, strict=True))
    assert len(in_order(first[:10], second[:10])) < 10  # else only those that look the same


def test_bidirectionals_in_each_other_are_read_to_a_depth() -> None:
    layer = entry("LSTM", "l")
    for number in range(60):
        layer = entry("Bidirectional", f"b{number}", layer=layer)
    tree = LayerTree(entry("Model", "m", layers=[layer, entry("Bidirectional", "both", layer=entry("LSTM", "own"))]))
    both = tree.find(tree.root, "both")
    assert both is not None
    assert tree.find(both, "forward_own") is not None
    assert tree.find(tree.root, "b59") is not None


def test_a_layer_that_is_listed_again_and_again_is_named() -> None:
    config = entry("Model", "m", layers=[entry("Dense", "d")] * MANY)
    groups = [LegacyGroup("d", tuple(f"d/kernel:{number}" for number in range(MANY)))]
    datasets = [Stored(f"d/d/kernel:{number}", (2, 2), "float32") for number in range(MANY)]
    namings = name_legacy(groups, datasets, config, "2.4.0")
    assert {(naming.layer, naming.name) for naming in namings} == {("d", "kernel")}
    assert [naming.index for naming in namings] == list(range(MANY))


def test_a_model_in_a_model_in_a_model_is_named_by_its_own_configuration() -> None:
    """Every layer's configuration holds those of all layers below it: the sum of their sizes is the square."""
    deep, wide = 100, 5_000
    inner: dict[str, Any] = entry("Own", f"own{deep}", values=[0] * wide)
    for number in reversed(range(deep)):
        inner = entry("Own", f"own{number}", inner=inner)
    variables = [Stored(f"own{number}/vars/0", (2,), "float32") for number in range(deep + 1)]
    names = {f"own{number}": f"own{number}" for number in range(deep + 1)}
    namings, ordered, _ = name_objects(variables, names, entry("Own", "model", inner=inner))
    assert {naming.layer for naming in namings} == set(names)
    assert {naming.layer_class for naming in namings} == {"Own"}
    assert not ordered


@pytest.mark.parametrize("name", ["x" * 5000, "/".join("x" * 300)], ids=["long", "deep"])
def test_a_path_of_layers_that_no_model_has_is_refused_before_it_is_repeated(name: str) -> None:
    with pytest.raises(UnsafeFileError, match="name has more than"):
        layer_path(["a", name])
    variables = [Stored("layers/model/vars/0", (2,), "float32")]
    with pytest.raises(UnsafeFileError, match="name has more than"):
        name_objects(variables, {"layers/model": name}, None)
    wrapped = entry("TimeDistributed", "t", layer=entry("Dense", name))
    with pytest.raises(UnsafeFileError, match="name has more than"):
        name_legacy(
            [LegacyGroup("t", ("t/kernel:0",))],
            [Stored("t/t/kernel:0", (2, 2), "float32")],
            entry("Model", "m", layers=[wrapped]),
            "2.4.0",
        )


def test_a_path_of_layers_joins_the_names_that_there_are() -> None:
    assert layer_path(["encoder", "", "dense"]) == "encoder/dense"
    assert layer_path(["", ""]) == ""


def test_a_wrapper_with_more_parametrizations_than_any_layer_has_is_refused() -> None:
    """Each of its selections has all its weights times all its steps."""
    step = {"class_name": "WeightNorm", "registered_name": "weightkit>WeightNorm", "config": {}}
    config = {"targets": {"s": {f"w{n}": f"w{n}" for n in range(MANY)}}, "weights": {"s": [step] * MANY}}
    layer = Serialized("Parametrized", config, builtin=False, package="weightkit")
    assert is_wrapper(layer)
    for read in (added_weights, inner_of):
        with pytest.raises(UnsafeFileError, match="at most 1000 parametrizations"):
            read(config)
    with pytest.raises(UnsafeFileError, match="short names"):
        added_weights({"targets": {"s": {"kernel": "x" * 5000}}, "weights": {"s": [step]}})


def test_addresses_that_are_too_long_to_compare_are_not_suggested() -> None:
    long = ref("/".join(["dense"] * 100_000))
    assert nearest("dense/kernl", [long]) == []
    assert nearest("dense/kernl", [long, ref("dense/kernel")])[0] == "dense/kernel"


def test_the_headers_of_a_file_are_listed_once_for_all_chunk_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.weights.h5"
    told: list[Index] = []
    with h5py.File(path, "w") as file:
        for number in range(20):
            file.create_dataset(f"layers/dense_{number}/vars/0", data=np.ones((4, 4), "f4"), chunks=(2, 4))
    with open_weights(path) as store:
        add_headers = Index.add_headers

        def counted(index: Index, spans: Spans) -> None:
            told.append(index)
            add_headers(index, spans)

        monkeypatch.setattr(Index, "add_headers", counted)
        assert sum(store.read(ref).sum() for ref in store) == 20 * 16
    assert len(told) == 1

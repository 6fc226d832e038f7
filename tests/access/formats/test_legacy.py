"""Legacy HDF5: whole models and weights alone, lists over 64 KB, and names that are also the format's own."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import GOLDEN, halve, write_legacy

from weightkit import Kind, open_weights
from weightkit.access.formats.legacy import parse_config, recognizes, split_list
from weightkit.access.hdf5.index import Attribute, Group, Index

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

KERNEL = np.arange(6, dtype="f4").reshape(2, 3)
LIMIT = 64512  # bytes that HDF5 allows an object's header, as Keras counts


def save_list(group: Any, name: str, texts: np.ndarray, parts: int = 1) -> None:
    """A list attribute as Keras saves it: split into parts that each fit the limit."""
    while any(part.nbytes > LIMIT for part in np.array_split(texts, parts)):
        parts += 1
    if parts == 1:
        group.attrs[name] = texts
        return
    for number, part in enumerate(np.array_split(texts, parts)):
        group.attrs[f"{name}{number}"] = part


def index_of(attributes: Any, *groups: list[str]) -> Any:
    top = Group("", 96, tuple(Attribute(name, "", text) for name, text in attributes.items()))
    others = {path: Group(path, 800 + number, ()) for number, path in enumerate(groups)}
    return Index(10_000, {"": top} | others)


def test_a_list_over_64_kilobytes_is_read_whole_and_in_order(tmp_path: Path) -> None:
    names = [f"layer_{number:05}_{'x' * 60}" for number in range(2000)]
    path = tmp_path / "wide.h5"
    with h5py.File(path, "w") as file:
        save_list(file, "layer_names", np.array([name.encode() for name in names]))
        assert "layer_names2" in file.attrs
        assert "layer_names" not in file.attrs
        for name in reversed(names):
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group[f"{name}/kernel:0"] = np.zeros(1, "f4")
    with open_weights(path) as store:
        assert [ref.layer for ref in store] == names
        assert store.format == "legacy HDF5 weights"
        assert store.ordered


def test_a_layer_s_weight_names_over_64_kilobytes_are_read_whole_and_in_order(tmp_path: Path) -> None:
    weights = [f"cell_{number:04}/{'y' * 80}/kernel:0" for number in reversed(range(1200))]
    path = tmp_path / "deep.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"rnn"]
        group = file.create_group("rnn")
        save_list(group, "weight_names", np.array([name.encode() for name in weights]))
        assert "weight_names1" in group.attrs
        for name in weights:
            group[name] = np.zeros(1, "f4")
    with open_weights(path) as store:
        assert [ref.structure for ref in store] == [f"rnn/{name}" for name in weights]
        assert {ref.name for ref in store} == {"kernel"}


def test_more_than_ten_parts_of_a_list_are_read_by_number_and_not_by_letter() -> None:
    parts = {f"names{number}": (f"{number}",) for number in sorted(range(12), key=str)}
    assert split_list(index_of(parts), "", "names") == tuple(str(number) for number in range(12))


def test_a_part_of_a_list_that_lost_all_its_names_does_not_end_the_list() -> None:
    parts = {"weight_names0": ("a",), "weight_names1": None, "weight_names2": (), "weight_names3": ("b",)}
    assert split_list(index_of(parts), "", "weight_names") == ("a", "b")


def test_a_list_is_its_own_attribute_before_any_part_and_nothing_where_there_is_none() -> None:
    index = index_of(
        {"names": ("a", "b"), "names0": ("c",), "one": "word", "number": None, "text0": "al", "text1": "l"}
    )
    assert split_list(index, "", "names") == ("a", "b")
    assert split_list(index, "", "one") == ("word",)
    assert split_list(index, "", "number") == ()
    assert split_list(index, "", "text") == ("al", "l")
    assert split_list(index, "", "none") == ()
    assert split_list(index, "nowhere", "names") == ()


@pytest.mark.parametrize("kind", [np.bytes_, h5py.string_dtype(), h5py.string_dtype("ascii", 30)])
def test_names_may_be_stored_as_bytes_or_as_text_of_fixed_or_variable_length(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "text.h5"
    with h5py.File(path, "w") as file:
        file.attrs.create("layer_names", ["dense", "other"], dtype=kind if kind is not np.bytes_ else "S5")
        for name in ("other", "dense"):
            group = file.create_group(name)
            group.attrs.create("weight_names", [f"{name}/kernel:0"], dtype=kind if kind is not np.bytes_ else "S30")
            group[f"{name}/kernel:0"] = KERNEL
        file.attrs.create("keras_version", "2.15.0", dtype=kind if kind is not np.bytes_ else "S6")
    with open_weights(path) as store:
        assert [ref.path for ref in store] == ["dense/kernel", "other/kernel"]
        assert store.keras_version == "2.15.0"


def test_a_whole_model_is_told_from_weights_alone(tmp_path: Path) -> None:
    alone = write_legacy(tmp_path / "weights.h5", {"dense": {"kernel": KERNEL}})
    whole = tmp_path / "model.h5"
    with h5py.File(alone) as source, h5py.File(whole, "w") as file:
        source.copy("/", file, "model_weights")
        config = {"class_name": "Sequential", "config": {"name": "m", "layers": []}}
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = "2.15.0"
    with open_weights(alone) as store:
        assert (store.format, store.keras_version, store.config) == ("legacy HDF5 weights", "2.2.4", None)
        structures = [ref.structure for ref in store]
    with open_weights(whole) as store:
        assert (store.format, store.keras_version, store.config) == ("legacy HDF5 model", "2.2.4", config)
        assert [ref.structure for ref in store] == structures == ["dense/dense/kernel:0"]


@pytest.mark.parametrize("name", ["model_weights", "optimizer_weights", "layer_names"])
def test_a_layer_with_a_name_of_the_format_s_own_is_a_layer_where_weights_lie_alone(tmp_path: Path, name: str) -> None:
    path = write_legacy(tmp_path / "named.h5", {"dense": {"kernel": KERNEL}, name: {"kernel": KERNEL, "bias": KERNEL}})
    with open_weights(path) as store:
        assert store.format == "legacy HDF5 weights"
        found = {ref.structure: (ref.path, ref.kind) for ref in store}
    assert found == {
        "dense/dense/kernel:0": ("dense/kernel", Kind.PARAMETER),
        f"{name}/{name}/kernel:0": (f"{name}/kernel", Kind.PARAMETER),
        f"{name}/{name}/bias:0": (f"{name}/bias", Kind.PARAMETER),
    }


def test_the_optimizer_and_a_layer_of_its_name_are_kept_apart_in_a_whole_model(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"optimizer_weights"]
        for group, values in ((weights.create_group("optimizer_weights"), KERNEL), (file, KERNEL + 1)):
            inner = group if group is not file else file.create_group("optimizer_weights")
            inner.attrs["weight_names"] = [b"optimizer_weights/kernel:0"]
            inner["optimizer_weights/kernel:0"] = values
    halve(path)
    with open_weights(path) as store:
        refs = list(store)
        assert len({ref.structure for ref in refs}) == 2
        assert {(ref.path, str(ref.kind)) for ref in refs} == {
            ("optimizer_weights/kernel", "parameter"),
            ("optimizer_weights/optimizer_weights/kernel", "optimizer"),
        }
        of_optimizer = next(ref for ref in refs if ref.kind is Kind.OPTIMIZER)
        assert store.read(of_optimizer).tolist() == ((KERNEL + 1) / 2).tolist()
    with h5py.File(path) as file:
        kernel = file["model_weights/optimizer_weights/optimizer_weights/kernel:0"]
        assert kernel[()].tolist() == (KERNEL / 2).tolist()


def test_datasets_outside_the_lists_and_outside_the_weights_are_listed_too(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense", b"gone"]
        group = weights.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/missing:0"]
        group["dense/kernel:0"] = KERNEL
        group["dense/forgotten:0"] = KERNEL
        weights["stray"] = KERNEL
        file["notes/dense"] = KERNEL
        file["dense/dense/kernel:0"] = KERNEL
        file["text"] = "words"
    with open_weights(path) as store:
        found = {ref.structure: ref for ref in store}
    assert len(found) == 6
    named = {structure: ref.path for structure, ref in found.items() if ref.name is not None}
    assert named == {"model_weights/dense/dense/kernel:0": "dense/kernel"}
    assert {"notes/dense", "text", "stray", "dense/dense/forgotten:0"} < set(found)


def test_an_empty_list_of_layers_is_a_legacy_file_without_weights(tmp_path: Path) -> None:
    path = tmp_path / "empty.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([], "S1")
    with open_weights(path) as store:
        assert list(store) == []


@pytest.mark.parametrize(
    ("attributes", "groups", "expected"),
    [
        ({}, ["model_weights"], True),
        ({"layer_names": ()}, [], True),
        ({"layer_names0": ("a",)}, [], True),
        ({"keras_version": "3"}, ["layers"], False),
        ({}, [], False),
    ],
)
def test_a_legacy_file_is_known_by_its_list_of_layers_or_its_group_of_weights(
    attributes: Any, groups: list[str], expected: Any
) -> None:
    assert recognizes(SimpleNamespace(index=index_of(attributes, *groups))) is expected


@pytest.mark.parametrize("text", ["", "{", "[1]", "5", "null", '"text"', "[" * 100_000, b"\xff", "9" * 5000])
def test_a_configuration_that_is_no_json_object_is_none(text: str | bytes) -> None:
    assert parse_config(text) is None


@pytest.mark.parametrize("text", ['{"a": 1}', b'{"a": 1}', '{"a": NaN}'])
def test_a_configuration_is_a_json_object(text: str | bytes) -> None:
    assert list(parse_config(text)) == ["a"]


LEGACY = [path for path in GOLDEN if path.suffix == ".h5" and not path.name.endswith(".weights.h5")]


@pytest.mark.parametrize("path", LEGACY, ids=lambda path: path.name)
def test_a_golden_file_is_read_as_the_kind_of_file_it_is(path: Path) -> None:
    with h5py.File(path) as file:
        whole = "model_weights" in file
    with open_weights(path) as store:
        assert store.format == ("legacy HDF5 model" if whole else "legacy HDF5 weights")
        assert store.ordered


@pytest.mark.parametrize("backend", ["theano", "tensorflow", "cntk", None])
@pytest.mark.parametrize("whole", [True, False])
def test_the_backend_is_the_one_that_the_file_says(tmp_path: Path, backend: str | None, *, whole: bool) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        root.attrs["layer_names"] = [b"d"]
        root.create_group("d").attrs["weight_names"] = [b"d/kernel:0"]
        root["d/d/kernel:0"] = np.zeros((2, 2), "f4")
        if backend:
            root.attrs["backend"] = backend.encode()
    with open_weights(path) as store:
        assert store.backend == backend

"""What a listing says of each weight of a file."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from support import DATA, GOLDEN, REAL, plain_datasets, write_legacy

from weightkit import open_weights
from weightkit.errors import SelectionError
from weightkit.inspect.listing import list_weights

FIELDS = [
    "structure", "path", "layer", "layer_class", "index", "name", "shape", "dtype", "kind", "trainable",
    "known_from", "bytes",
]  # fmt: skip


def listed(path, where=None, exclude=None, **options):
    with open_weights(path) as store:
        return list_weights(store, where, exclude, **options).to_dict()


def hdf5_paths(structures, datasets):
    """The dataset of each structural address: below ``model_weights`` in whole legacy models, else itself."""
    return [name if name in datasets else f"model_weights/{name}" for name in structures]


@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_every_dataset_is_listed_once_with_its_shape_type_and_size(path):
    datasets = plain_datasets(path)
    weights = listed(path)["weights"]
    places = hdf5_paths([weight["structure"] for weight in weights], datasets)
    assert sorted(places) == sorted(datasets)
    for place, weight in zip(places, weights, strict=True):
        values = np.asarray(datasets[place])
        assert (tuple(weight["shape"]), weight["dtype"], weight["bytes"]) == (
            values.shape,
            values.dtype.name,
            values.nbytes,
        )


@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_a_listing_is_json_of_the_documented_shape(path):
    record = listed(path)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record) == ["schema", "file", "format", "keras_version", "weights", "totals", "notes"]
    assert record["schema"] == "weightkit.show/1"
    assert record["file"] == str(path)
    for weight in record["weights"]:
        assert list(weight) == FIELDS
        assert weight["kind"] in {"parameter", "statistic", "state", "quantization", "optimizer", "unknown"}
        assert weight["known_from"] in {"file", "config", "key", None}
        assert weight["trainable"] in {True, False, None}


@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_totals_are_sums_over_all_and_over_each_kind(path):
    record = listed(path)
    totals, weights = record["totals"], record["weights"]
    values = [np.asarray(values) for values in plain_datasets(path).values()]
    assert totals["weights"] == len(values)
    assert totals["elements"] == sum(array.size for array in values)
    assert totals["bytes"] == sum(array.nbytes for array in values)
    assert totals["file_bytes"] == path.stat().st_size
    assert set(totals["kinds"]) == {weight["kind"] for weight in weights}
    for measure in ("weights", "elements", "bytes"):
        assert sum(kind[measure] for kind in totals["kinds"].values()) == totals[measure]


@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_paths_are_unique_so_that_each_weight_can_be_named(path):
    paths = [weight["path"] for weight in listed(path)["weights"]]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize(
    ("name", "format_", "version"),
    [
        ("keras1_layers.h5", "legacy HDF5 model", "1.2.2"),
        ("keras20_layers.weights_only.h5", "legacy HDF5 weights", "2.0.9"),
        ("keras315_nested.keras", ".keras archive", "3.15.1"),
        ("keras315_float16.weights.h5", "Keras weights, version 3", None),
    ],
)
def test_format_and_version_are_the_files_own(name, format_, version):
    record = listed(DATA / name)
    assert (record["format"], record["keras_version"]) == (format_, version)


def test_statistics_are_there_when_they_are_asked_for():
    datasets = plain_datasets(DATA / "keras315_nested.keras")
    for weight in listed(DATA / "keras315_nested.keras", stats=True)["weights"]:
        values = np.asarray(datasets[weight["structure"]], np.float64)
        assert list(weight["stats"]) == ["min", "max", "mean", "std", "norm", "zeros", "nan", "inf"]
        assert weight["stats"]["max"] == values.max()
        assert weight["stats"]["std"] == pytest.approx(values.std())


def test_a_listing_can_be_narrowed():
    path = DATA / "keras315_nested.keras"
    assert {weight["path"] for weight in listed(path, "kind:statistic")["weights"]} == {
        "encoder/inner/batch_normalization/moving_mean",
        "encoder/inner/batch_normalization/moving_variance",
    }
    narrowed = listed(path, "encoder", ["name:bias", "class:BatchNormalization"])
    assert [weight["path"] for weight in narrowed["weights"]] == ["encoder/dense/kernel", "encoder/inner/deep/kernel"]
    assert narrowed["totals"]["weights"] == 2


def test_a_malformed_selection_is_refused():
    with pytest.raises(SelectionError):
        listed(DATA / "keras315_nested.keras", "re:(")


def test_a_selection_that_lists_nothing_is_an_error_with_the_nearest():
    with pytest.raises(SelectionError, match="did you mean"):
        listed(DATA / "keras315_nested.keras", "encoder/dens/kernel")


def test_a_chunked_weight_is_listed(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.ones(2, "f4")}})
    with h5py.File(path, "r+") as file:
        del file["d/d/kernel:0"]
        file.create_dataset("d/d/kernel:0", data=np.ones((4, 4), "f4"), chunks=(2, 2), compression="gzip")
    assert [weight["shape"] for weight in listed(path)["weights"]] == [[4, 4]]


def test_one_very_long_name_does_not_widen_the_lines_of_others(tmp_path):
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file[f"layers/{'a' * 4000}/vars/0"] = np.zeros(3, "f4")
        file["layers/b/vars/0"] = np.zeros(3, "f4")
    with open_weights(path) as store:
        lines = str(list_weights(store)).splitlines()
    assert sorted(len(line) > 4000 for line in lines) == [False] * (len(lines) - 1) + [True]
    assert all(len(line) < 500 for line in lines if "a" * 4000 not in line)

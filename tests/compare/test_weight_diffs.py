"""Each weight of two files has one status, and the words for what happened."""

from __future__ import annotations

import shutil

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import DATA, GOLDEN, REAL, plain_datasets, write_legacy, write_variables

from weightkit import Cast, Scale, Strip, diff, edit

FORMATS = [
    ("keras315_bfloat16.h5", "keras315_bfloat16.weights.h5"),
    ("tfkeras215_nested.h5", "tfkeras215_nested.keras"),
    ("keras1_layers.h5", "keras1_layers.weights_only.h5"),
    ("tfkeras212_three_dense.weights.h5", "tfkeras213_three_dense.weights.h5"),
]
VALUES = np.random.default_rng(0).standard_normal((6, 5)).astype("f4")


def kernel(values):
    return {"d": {"kernel": np.asarray(values)}}


@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_a_file_equals_itself(path, tmp_path):
    shutil.copyfile(path, tmp_path / "copy")
    found = diff(path, tmp_path / "copy")
    assert found.equal
    assert len(found.weights) + len(found.optimizer) == len(plain_datasets(path))


@pytest.mark.parametrize(("first", "second"), FORMATS + [pair[::-1] for pair in FORMATS])
def test_the_same_weights_in_another_format_are_equal(first, second):
    found = diff(DATA / first, DATA / second)
    assert found.equal, str(found)
    assert {str(weight.status) for weight in found.weights} == {"equal"}


@pytest.mark.parametrize("path", [path for path in REAL if path.suffix != ".keras"], ids=lambda path: path.name)
def test_a_real_legacy_file_equals_its_weights_in_the_newer_format(path, tmp_path):
    """Laid out by hand as Keras 3 does, with layers' names beside: the classes and turns are those of the file."""
    datasets, groups = plain_datasets(path), {}
    with h5py.File(path) as file:
        top = file.get("model_weights", file)
        prefix = "model_weights/" if "model_weights" in file else ""
        layers = [name.decode() if isinstance(name, bytes) else name for name in top.attrs["layer_names"]]
        for layer in layers:
            names = [name.decode() if isinstance(name, bytes) else name for name in top[layer].attrs["weight_names"]]
            if names:
                groups[layer] = [datasets[f"{prefix}{layer}/{name}"] for name in names]
    out, turns = tmp_path / "new.weights.h5", {}
    with h5py.File(out, "w") as file:
        for layer, values in groups.items():
            base = layer.rpartition("_")[0]
            key = f"{base}_{turns[base]}" if base in turns else base
            turns[base] = turns.get(base, 0) + 1
            group = file.create_group(f"layers/{key}/vars")
            group.attrs["name"] = layer
            for number, array in enumerate(values):
                group[str(number)] = array
    found = diff(path, out)
    assert found.equal, str(found)
    assert len(found.weights) == sum(map(len, groups.values()))


def test_the_same_values_within_a_tolerance_are_close_and_close_is_equal(files):
    paths = files(kernel(VALUES), kernel(VALUES * np.float32(1.0001)))
    assert [str(found.status) for found in diff(*paths, rtol=1e-3).weights] == ["close"]
    assert diff(*paths, rtol=1e-3).equal
    assert diff(*paths, atol=1e-3).equal
    assert not diff(*paths, rtol=1e-5).equal
    assert diff(*paths, rtol=1e-3).summary() == "1 weight is equal (1 only close)"


def test_one_element_beyond_the_tolerance_makes_a_weight_differ(told):
    other = VALUES.copy()
    other[3, 2] += 1
    assert told(kernel(VALUES), kernel(other), rtol=1e-3) == {"d/kernel": ("differs", "with 1 value changed")}


def test_another_type_is_told_with_what_became_of_the_values(told):
    half = VALUES.astype(np.float16)
    assert told(kernel(VALUES), kernel(half)) == {"d/kernel": ("retyped", "cast from float32 to float16")}
    assert told(kernel(half), kernel(half.astype("f4"))) == {"d/kernel": ("retyped", "cast from float16 to float32")}
    assert told(kernel(VALUES), kernel(half * np.float16(2))) == {
        "d/kernel": ("retyped", "cast from float32 to float16 and scaled by 2")
    }
    brain = VALUES.astype(ml_dtypes.bfloat16)
    assert told(kernel(VALUES), kernel(brain)) == {"d/kernel": ("retyped", "cast from float32 to bfloat16")}


LARGE = np.random.default_rng(1).standard_normal((80, 70)).astype("f4")
NOISE = np.random.default_rng(2).standard_normal((80, 70)).astype("f4")


@pytest.mark.parametrize(
    ("values", "also"),
    [
        (LARGE, ""),
        (LARGE * np.float32(0.5), " and scaled by 0.5"),
        (-LARGE, " and sign flipped"),
        (LARGE + NOISE * np.float32(0.1), " and perturbed"),
        (NOISE, " and re-initialized or unrelated"),
        (LARGE * np.float32(0), " and zeroed"),
    ],
)
@pytest.mark.parametrize("to", [np.float16, ml_dtypes.bfloat16, np.float64], ids=lambda to: np.dtype(to).name)
def test_a_cast_is_told_with_what_it_does_not_explain_in_the_summary_too(files, values, also, to):
    found = diff(*files(kernel(LARGE), kernel(values.astype(to))))
    cast_ = f"cast from float32 to {np.dtype(to)}{also}"
    assert found.summary() == f"1 of 1 weights changed: 1 {cast_}"
    assert [weight.what for weight in found.weights] == [cast_]


def test_a_cast_of_a_weight_scaled_with_noise_is_no_cast_alone(files):
    made = (LARGE * np.float32(3) + NOISE).astype(np.float16)
    assert diff(*files(kernel(LARGE), kernel(made))).summary().endswith("1 cast from float32 to float16 and changed")


def test_a_cast_to_a_wider_type_of_a_scaled_weight_is_told_with_its_factor(told):
    half = LARGE.astype(np.float16)
    assert told(kernel(half), kernel(half.astype("f4") * np.float32(0.1))) == {
        "d/kernel": ("retyped", "cast from float16 to float32 and scaled by 0.1")
    }


def test_another_type_within_a_tolerance_that_was_asked_for_is_close(files):
    assert diff(*files(kernel(VALUES), kernel(VALUES.astype("f2"))), rtol=1e-2).equal


def test_another_shape_is_told_and_its_values_where_there_are_as_many(told):
    assert told(kernel(VALUES), kernel(VALUES.reshape(5, 6))) == {
        "d/kernel": ("reshaped", "reshaped, from 6x5 to 5x6, the same values")
    }
    assert told(kernel(VALUES), kernel(VALUES[:4])) == {"d/kernel": ("reshaped", "reshaped, from 6x5 to 4x5")}


def test_what_is_only_on_one_side_is_missing_or_extra(told):
    both = kernel(VALUES)
    assert told(both | {"x": {"bias": VALUES[0]}}, both) == {"x/bias": ("missing", "missing")}
    assert told(both, both | {"x": {"bias": VALUES[0]}}) == {"x/bias": ("extra", "extra")}


def test_zeros_of_another_sign_are_close_and_nans_of_the_same_bits_equal(files):
    values = np.array([0.0, np.nan, 1], "f4")
    pair = files(kernel(values), kernel(np.array([-0.0, np.nan, 1], "f4")))
    assert diff(*pair, atol=1e-30).equal
    assert not diff(*pair).equal
    assert [str(weight.status) for weight in diff(*files(kernel(values), kernel(values))).weights] == ["equal"]


def test_values_whose_squares_overflow_are_compared(files):
    values = np.full((100_000, 2), 1e200)
    other = values.copy()
    other[-1, -1] = 2e200
    (found,) = diff(*files(kernel(values), kernel(other))).changed()
    assert (found.what, found.measures.max_abs) == ("with 1 value changed", 1e200)
    assert found.measures.relative_l2 == pytest.approx(200_000**-0.5)


def test_large_integers_that_differ_are_not_close(files):
    paths = files(kernel(np.array([2**53])), kernel(np.array([2**53 + 1])))
    assert not diff(*paths, atol=1e-9).equal
    assert diff(*paths, atol=1).equal


def test_what_are_no_numbers_has_no_distances(files):
    first, second = np.zeros(3, "c8"), np.ones(3, "c8")
    (found,) = diff(*files(kernel(first), kernel(second))).changed()
    assert (found.what, found.distance) == ("with 3 values changed", -1)
    assert "differs  with 3 values changed" in str(diff(*files(kernel(first), kernel(second))))


def test_what_our_own_edits_did_is_told(tmp_path):
    source = DATA / "keras23_nested.h5"
    halved, narrow = tmp_path / "halved.h5", tmp_path / "narrow.h5"
    edit(source, Scale(0.5), where="role:kernel", output=halved)
    edit(source, Cast("float16"), output=narrow)
    kernels = diff(source, halved).changed()
    assert {found.what for found in kernels} == {"scaled by 0.5"}
    assert all(found.path.endswith("kernel") for found in kernels)
    assert {found.what for found in diff(source, narrow).changed()} == {"cast from float32 to float16"}


def test_weights_are_ranked_by_how_far_they_moved(tmp_path):
    """As in two epochs of one run, where some layers move more than others."""
    draw = np.random.default_rng(3)
    moved = {"dense": 0.02, "dense_1": 0.3, "dense_2": 0.0, "dense_3": 0.1}
    before = {f"layers/{name}/vars/0": draw.standard_normal((20, 20)).astype("f4") for name in moved}
    after = {
        path: (values + draw.standard_normal((20, 20)) * rate).astype("f4")
        for (path, values), rate in zip(before.items(), moved.values(), strict=True)
    }
    found = diff(write_variables(tmp_path / "1.weights.h5", before), write_variables(tmp_path / "2.weights.h5", after))
    order = [weight.ref.structure.split("/")[1] for weight in found.weights]
    assert order == ["dense_1", "dense_3", "dense", "dense_2"]
    assert {weight.what for weight in found.changed()} == {"perturbed"}


def test_optimizer_state_is_compared_and_reported_apart(tmp_path):
    source, other = DATA / "keras20_optimizer.h5", tmp_path / "other.h5"
    shutil.copyfile(source, other)
    with h5py.File(other, "r+") as file:
        file["optimizer_weights/SGD/iterations:0"][()] += 1
    found = diff(source, other)
    assert not found.equal
    assert found.changed() == ()
    assert found.summary() == "8 weights are equal"
    assert found.optimizer_summary() == "optimizer state: 1 of 7 weights changed: 1 with 1 value changed"
    assert diff(source, other, exclude="kind:optimizer").equal


def test_the_state_of_metrics_that_one_file_does_not_hold_is_said_and_is_no_difference(tmp_path):
    weights = {"layers/dense/vars/0": np.ones((2, 2), "f4")}
    total = {"metrics/mean/vars/0": np.float32(3), "metrics/mean/vars/1": np.float32(4)}
    with_state = write_variables(tmp_path / "a.weights.h5", weights | total)
    without = write_variables(tmp_path / "b.weights.h5", weights)
    for found in (diff(with_state, without), diff(without, with_state)):
        assert (found.equal, found.notes) == (True, (f"only {with_state} has state of metrics (2 weights)",))
    other = write_variables(tmp_path / "c.weights.h5", weights | {name: value + 1 for name, value in total.items()})
    assert not diff(with_state, other).equal


def test_optimizer_state_that_one_file_does_not_hold_is_said_and_is_no_difference(tmp_path):
    source, stripped = DATA / "keras20_optimizer.h5", tmp_path / "stripped.h5"
    edit(source, Strip(), output=stripped)
    found = diff(source, stripped)
    assert found.equal
    assert found.notes == (f"only {source} has optimizer state (7 weights)",)


def test_seeds_that_a_format_does_not_keep_are_said_and_are_no_difference(tmp_path):
    layers = {"dense": {"kernel": VALUES, "bias": VALUES[0]}}
    newer = {
        "layers/dense/vars/0": VALUES,
        "layers/dense/vars/1": VALUES[0],
        "layers/dropout/seed_generator/vars/0": np.array([1, 2], "u4"),
    }
    paths = write_legacy(tmp_path / "a.h5", layers), write_variables(tmp_path / "b.weights.h5", newer)
    found = diff(*paths)
    assert [str(weight.status) for weight in found.weights] == ["equal", "equal"], str(found)
    assert found.notes == (f"only {paths[1]} has seeds and counters (1 weight)",)

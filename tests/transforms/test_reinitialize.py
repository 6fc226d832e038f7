"""reinitialize: weights begin again, from a seed, as their configuration says or by one initializer."""

from __future__ import annotations

import json
import math
import shutil

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import DATA, Folder, plain_datasets, write_archive, write_legacy

from weightkit import Reinitialize, edit, open_weights, plan
from weightkit.access.edits.tiles import TILE
from weightkit.access.ref import Kind
from weightkit.errors import RequestError, SelectionError
from weightkit.transforms.initializers import Draws, get


def copy(tmp_path, name):
    path = tmp_path / name
    shutil.copyfile(DATA / name, path)
    return path


def model_config(*layers: tuple[str, dict]) -> dict:
    entries = [{"class_name": name, "config": config} for name, config in layers]
    return {"class_name": "Sequential", "config": {"name": "model", "layers": entries}}


def write_model(path, values, *layers, version="2.15.0"):
    """A whole legacy model: values by weight, and the layers' configurations."""
    write_legacy(path, values)
    with h5py.File(path, "r+") as file:
        group = file.create_group("model_weights")
        for name in list(file):
            if name != "model_weights":
                file.move(name, f"model_weights/{name}")
        for name in ("layer_names", "backend", "keras_version"):
            group.attrs[name] = file.attrs[name]
            del file.attrs[name]
        group.attrs["keras_version"] = version.encode()
        file.attrs["model_config"] = json.dumps(model_config(*layers)).encode()
    return path


def dense(path, shape=(30, 50), dtype="f4", **config):
    values = {"d": {"kernel": np.full(shape, 9, dtype), "bias": np.full(shape[-1:], 9, dtype)}}
    return write_model(path, values, ("Dense", {"name": "d", **config}))


def kernel(path):
    return plain_datasets(path)["model_weights/d/d/kernel:0"]


# As configured ---------------------------------------------------------------------------------------------------


def test_an_lstm_begins_with_open_forget_gates_one_orthogonal_matrix_and_its_kernels_distribution(tmp_path):
    u, values = 20, {}
    values["lstm"] = {
        "kernel": np.full((30, 4 * u), 9, "f4"),
        "recurrent_kernel": np.full((u, 4 * u), 9, "f4"),
        "bias": np.full(4 * u, 9, "f4"),
    }
    config = {"name": "lstm", "units": u, "unit_forget_bias": True, "kernel_initializer": {
        "class_name": "VarianceScaling",
        "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}}}  # fmt: skip
    path = write_model(tmp_path / "m.h5", values, ("LSTM", config), version="2.2.4")
    edit(path, Reinitialize(seed=1))
    after = plain_datasets(path)
    assert after["model_weights/lstm/lstm/bias:0"].tolist() == [0] * u + [1] * u + [0] * 2 * u
    recurrent = after["model_weights/lstm/lstm/recurrent_kernel:0"].astype("f8")
    assert np.allclose(recurrent @ recurrent.T, np.eye(u), atol=1e-6)
    limit = math.sqrt(6 / (30 + 4 * u))
    drawn = np.abs(after["model_weights/lstm/lstm/kernel:0"])
    assert 0.99 * limit < drawn.max() <= np.float32(limit)


def test_norms_begin_with_gains_and_variances_of_one_and_means_of_zero(tmp_path):
    path = copy(tmp_path, "tfkeras215_nested.h5")
    edit(path, Reinitialize(seed=1))
    with open_weights(path) as store:
        norm = {ref.name: store.read(ref) for ref in store if ref.layer_class == "BatchNormalization"}
    assert {name: set(values.tolist()) for name, values in norm.items()} == {
        "gamma": {1},
        "beta": {0},
        "moving_mean": {0},
        "moving_variance": {1},
    }


def test_without_a_word_on_kinds_parameters_and_statistics_begin_again_and_seeds_and_the_optimizer_stay():
    planned = plan(DATA / "keras315_preprocessing.keras", Reinitialize(seed=1))
    assert {ref.kind for ref in planned.chosen} == {Kind.PARAMETER, Kind.STATISTIC}
    kinds = {skipped.ref.kind for skipped in planned.skipped}
    assert kinds <= {Kind.STATE, Kind.OPTIMIZER, Kind.STATISTIC}
    assert all(np.issubdtype(s.ref.dtype, np.integer) for s in planned.skipped if s.ref.kind is Kind.STATISTIC)
    assert any("adapt()" in note for note in planned.notes)


def test_the_optimizers_state_stays_and_the_plan_says_what_to_do(tmp_path):
    path = copy(tmp_path, "keras315_nested.keras")
    before = plain_datasets(path)
    report = edit(path, Reinitialize(seed=1))
    after = plain_datasets(path)
    slots = [name for name in before if name.startswith("optimizer")]
    assert slots
    assert all(before[name].tobytes() == after[name].tobytes() for name in slots)
    assert any("weightkit strip" in note for note in report.plan.notes)


@pytest.mark.parametrize(
    "name", ["keras1_layers.h5", "keras1_nested.h5", "keras20_copied.h5", "keras20_optimizer.h5", "keras23_nested.h5",
             "tfkeras215_nested.h5", "tfkeras215_nested.keras", "keras315_nested.keras", "keras315_recurrent.keras",
             "keras315_shared.keras", "keras315_transformer.keras", "keras315_lora.h5", "keras315_bfloat16.h5"],
)  # fmt: skip
def test_every_parameter_of_a_whole_model_of_any_keras_begins_again_and_nothing_is_left_of_what_was(tmp_path, name):
    path = copy(tmp_path, name)
    report = edit(path, Reinitialize(seed=3), verify=True)
    skipped = {skipped.ref.kind for skipped in report.plan.skipped}
    assert not skipped & {Kind.PARAMETER, Kind.STATISTIC, Kind.UNKNOWN}
    with open_weights(DATA / name) as old, open_weights(path) as new:
        for before, after in zip(old, new, strict=True):
            if before.kind is Kind.PARAMETER:
                assert not np.array_equal(old.read(before), new.read(after)), before.path
                assert np.isfinite(new.read(after).astype("f4")).all()


def test_keras_1_kernels_have_keras_1s_distribution(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {})
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"conv"]
        inner = group.create_group("conv")
        inner.attrs["weight_names"] = [b"conv_W", b"conv_b"]
        inner["conv_W"], inner["conv_b"] = np.full((3, 3, 20, 40), 9, "f4"), np.full(40, 9, "f4")
        config = {"name": "conv", "init": "he_uniform", "dim_ordering": "tf"}
        file.attrs["model_config"] = json.dumps(model_config(("Convolution2D", config)))
    edit(path, Reinitialize(seed=1))
    after = plain_datasets(path)
    limit = math.sqrt(6 / (9 * 20))
    assert 0.99 * limit < np.abs(after["model_weights/conv/conv_W"]).max() <= np.float32(limit)
    assert not after["model_weights/conv/conv_b"].any()


def test_attentions_projections_have_the_fans_of_their_einsums(tmp_path):
    """Keras 3.15 tells them; by the shape alone, a convolution's would be taken."""
    path = write_attention(tmp_path / "m.keras")
    edit(path, Reinitialize(seed=1))
    with open_weights(path) as store:
        largest = {ref.path: np.abs(store.read(ref)).max() for ref in store if ref.name == "kernel"}
    for name, fans in {"query": (64, 128), "attention_output": (128, 64)}.items():
        limit = math.sqrt(6 / sum(fans))
        assert 0.98 * limit < largest[f"attention/{name}/kernel"] <= limit


def write_attention(path):
    sizes = {"query": (64, 8, 16), "key": (64, 8, 16), "value": (64, 8, 16), "output": (8, 16, 64)}
    variables = {f"layers/multi_head_attention/{name}_dense/vars/0": np.ones(s, "f4") for name, s in sizes.items()}
    config = {"name": "attention", "num_heads": 8, "key_dim": 16, "use_bias": False, "dtype": "float32"}
    return write_archive(
        path, variables, **{"config.json": json.dumps(model_config(("MultiHeadAttention", config))).encode()}
    )


# Refused ---------------------------------------------------------------------------------------------------------


def test_without_a_configuration_it_is_refused_with_what_to_do_and_nothing_is_written(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.ones((3, 2), "f4"), "bias": np.ones(2, "f4")}})
    before = Folder.of(tmp_path)
    with pytest.raises(
        SelectionError, match=r"initializer of d/kernel, d/bias is not known: there is no configuration"
    ) as refused:
        edit(path, Reinitialize(seed=1))
    assert "--initializer" in refused.value.hint
    assert Folder.of(tmp_path) == before
    edit(path, Reinitialize("he_normal", seed=1))


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (("Mine", {"name": "d", "bias_initializer": "zeros"}), "its layer is a Mine, which has none for it"),
        (
            ("mine>Dense", {"name": "d"}),
            "its layer is a Dense, which is not a Keras layer, and whose configuration has no kernel_initializer",
        ),
        (("Dense", {"name": "d", "kernel_initializer": "my_own"}), "my_own is not a built-in Keras initializer"),
        (("Dense", {"name": "d", "kernel_initializer": {"class_name": "Mine", "config": {}}}), "Mine is no"),
    ],
)
def test_a_layer_that_does_not_tell_in_keras_own_words_is_refused_and_can_be_left(tmp_path, layer, said):
    values = {"d": {"kernel": np.ones((3, 2), "f4")}, "e": {"kernel": np.ones((3, 2), "f4")}}
    path = write_model(tmp_path / "m.h5", values, layer, ("Dense", {"name": "e"}))
    with pytest.raises(SelectionError, match=said):
        plan(path, Reinitialize(seed=1))
    left = plan(path, Reinitialize(seed=1), exclude="d")
    assert [ref.path for ref in left.chosen] == ["e/kernel"]


def test_a_custom_layer_begins_as_its_configuration_says(tmp_path):
    values = {"d": {"kernel": np.full((3, 2), 9, "f4"), "w2": np.full(2, 9, "f4")}}
    config = {"name": "d", "kernel_initializer": "ones", "w2_initializer": {"class_name": "Zeros", "config": {}}}
    path = write_model(tmp_path / "m.h5", values, ("mine>Attend", config))
    edit(path, Reinitialize(seed=1), where="**")
    after = plain_datasets(path)
    assert set(after["model_weights/d/d/kernel:0"].ravel().tolist()) == {1}
    assert after["model_weights/d/d/w2:0"].tolist() == [0, 0]


def test_another_file_of_the_model_lends_its_configuration(tmp_path):
    whole = dense(tmp_path / "whole.h5", kernel_initializer="ones")
    values = {"d": {"kernel": np.full((30, 50), 9, "f4"), "bias": np.full(50, 9, "f4")}}
    path = write_legacy(tmp_path / "weights.h5", values)
    edit(path, Reinitialize(seed=1), like=whole)
    assert set(plain_datasets(path)["d/d/kernel:0"].ravel().tolist()) == {1}
    assert not plain_datasets(path)["d/d/bias:0"].any()


def test_a_layer_of_other_shapes_lends_nothing(tmp_path):
    whole = dense(tmp_path / "whole.h5", (30, 51))
    values = {"d": {"kernel": np.full((30, 50), 9, "f4"), "bias": np.full(50, 9, "f4")}}
    with pytest.raises(SelectionError, match="there is no configuration"):
        plan(write_legacy(tmp_path / "weights.h5", values), Reinitialize(seed=1), like=whole)


def test_a_configured_initializer_that_does_not_fit_is_refused_not_left_half_done(tmp_path):
    path = dense(tmp_path / "m.h5", bias_initializer="orthogonal")
    with pytest.raises(
        SelectionError, match=r"initializer of d/bias is not known: an orthogonal weight must have two or more axes"
    ):
        plan(path, Reinitialize(seed=1))


def test_many_untold_weights_are_counted(tmp_path):
    layers = {f"d{number}": {"kernel": np.ones((2, 2), "f4")} for number in range(6)}
    with pytest.raises(SelectionError, match=r"d0/kernel, d1/kernel, d2/kernel and 3 more is not known"):
        plan(write_legacy(tmp_path / "m.h5", layers), Reinitialize(seed=1))


def test_integers_and_quantized_weights_are_never_drawn():
    with pytest.raises(SelectionError, match="quantized"):
        plan(DATA / "keras315_int8.keras", Reinitialize(seed=1))
    with open_weights(DATA / "keras315_int8.keras") as store:
        objections = {ref.kind: Reinitialize("ones").objection(ref) for ref in store}
    assert objections[Kind.QUANTIZATION]


@pytest.mark.parametrize("seed", [-1, 1.0, True, "7", 2.5, np.float32(1)])
def test_a_seed_that_is_no_integer_from_0_on_is_refused(seed):
    with pytest.raises(RequestError, match="seed must be an integer >= 0, got"):
        Reinitialize(seed=seed)


def test_an_initializer_that_a_shape_does_not_allow_leaves_that_weight_and_says_so(tmp_path):
    planned = plan(dense(tmp_path / "m.h5"), Reinitialize("orthogonal", seed=1))
    assert [ref.path for ref in planned.chosen] == ["d/kernel"]
    assert planned.reasons() == {"an orthogonal weight must have two or more axes": 1}


def test_what_has_not_been_planned_cannot_be_drawn():
    with open_weights(DATA / "keras23_nested.h5") as store:
        ref = next(iter(store))
        with pytest.raises(RequestError, match="is not in the plan"):
            Reinitialize("ones", seed=1)(ref, store.read(ref))


# By one initializer ----------------------------------------------------------------------------------------------


def test_one_initializer_is_drawn_for_parameters_and_for_statistics_only_where_asked(tmp_path):
    path = copy(tmp_path, "tfkeras215_nested.h5")
    planned = plan(path, Reinitialize("he_normal", seed=1))
    assert {ref.kind for ref in planned.chosen} == {Kind.PARAMETER}
    assert any("--where role:kernel" in note for note in planned.notes)
    asked = plan(path, Reinitialize("ones", seed=1), where="kind:statistic")
    assert {ref.kind for ref in asked.chosen} == {Kind.STATISTIC}


def test_a_float64_weight_is_drawn_in_float64_and_float32_is_that_rounded_once(tmp_path):
    wide, plain = dense(tmp_path / "wide.h5", dtype="f8"), dense(tmp_path / "plain.h5")
    for path in (wide, plain):
        edit(path, Reinitialize("he_normal", seed=1))
    drawn = get("he_normal")((30, 50), Draws(1, "d/kernel"), 0, 1500).reshape(30, 50)
    assert kernel(wide).tobytes() == drawn.tobytes()
    assert kernel(plain).tobytes() == drawn.astype("f4").tobytes()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_weights_are_the_float32_ones_rounded_once(tmp_path, dtype):
    narrow, plain = dense(tmp_path / "narrow.h5", dtype=dtype), dense(tmp_path / "plain.h5")
    for path in (narrow, plain):
        edit(path, Reinitialize("glorot_normal", seed=1))
    assert kernel(narrow).tobytes() == kernel(plain).astype(dtype).tobytes()


def test_an_edit_in_tiles_and_threads_equals_the_weight_drawn_whole(tmp_path):
    shape = (5 * TILE // 64 + 11, 64)
    path = dense(tmp_path / "m.h5", shape, kernel_initializer="truncated_normal")
    edit(path, Reinitialize(seed=4))
    drawn = get("truncated_normal")(shape, Draws(4, "d/kernel"), 0, math.prod(shape))
    assert kernel(path).tobytes() == drawn.astype("f4").tobytes()


def test_a_large_orthogonal_weight_is_drawn_whole(tmp_path):
    path = dense(tmp_path / "m.h5", (TILE // 64 + 100, 100), kernel_initializer="orthogonal")
    edit(path, Reinitialize(seed=4), verify=True)
    matrix = kernel(path).astype("f8")
    assert np.allclose(matrix.T @ matrix, np.eye(100), atol=1e-6)


# Seeds -----------------------------------------------------------------------------------------------------------


def test_one_seed_gives_one_file_and_another_another(tmp_path):
    names = ("a.h5", "b.h5", "c.h5")
    for name, seed in zip(names, (5, 5, 6), strict=True):
        edit(DATA / "keras23_nested.h5", Reinitialize(seed=seed), output=tmp_path / name)
    first, second, third = ((tmp_path / name).read_bytes() for name in names)
    assert first == second != third


def test_a_weight_is_the_same_whatever_else_is_drawn(tmp_path):
    edit(DATA / "keras23_nested.h5", Reinitialize(seed=5), output=tmp_path / "all.h5")
    edit(DATA / "keras23_nested.h5", Reinitialize(seed=5), where="shared/kernel", output=tmp_path / "one.h5")
    name = "model_weights/shared/shared/kernel:0"
    assert plain_datasets(tmp_path / "all.h5")[name].tolist() == plain_datasets(tmp_path / "one.h5")[name].tolist()


def test_no_seed_takes_a_fresh_one_which_is_told_and_repeats_it(tmp_path):
    first, second = Reinitialize(), Reinitialize()
    assert first.seed != second.seed
    assert f"the seed is {first.seed}" in first.notes()[0]
    report = edit(DATA / "keras23_nested.h5", first, output=tmp_path / "a.h5")
    assert report.to_dict()["transform"] == f"Reinitialize(seed={first.seed})"
    edit(DATA / "keras23_nested.h5", Reinitialize(seed=first.seed), output=tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_model_saved_in_two_formats_draws_the_same_in_both(tmp_path):
    found = []
    for suffix in ("h5", "keras"):
        path = copy(tmp_path, f"tfkeras215_nested.{suffix}")
        edit(path, Reinitialize(seed=8))
        with open_weights(path) as store:
            found.append({ref.path: store.read(ref).tobytes() for ref in store if ref.kind is Kind.PARAMETER})
    first, second = found
    assert set(first.values()) == set(second.values())
    common = first.keys() & second.keys()
    assert common
    assert all(first[path] == second[path] for path in common)


@pytest.mark.parametrize(
    "act",
    [
        Reinitialize(seed=3),
        Reinitialize("he_normal", seed=3),
        Reinitialize("random_normal(stddev=0.02)", seed=np.int64(3)),
        Reinitialize({"class_name": "Orthogonal", "config": {"gain": 2.0}}, seed=0),
    ],
)
def test_it_prints_as_what_makes_it(act):
    assert eval(repr(act), {"Reinitialize": Reinitialize}) == act  # noqa: S307


def test_weights_that_a_file_has_no_names_for_are_drawn_by_place_and_a_note_says_so(tmp_path):
    """A model that is loaded from it has the names, and draws others: nobody should find that out by comparing."""
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["mine/vars/0"] = np.ones((3, 2), np.float32)
    planned = plan(path, Reinitialize("he_normal", seed=1), where="*")
    assert any("1 of the selected weights have no names" in note and "--like OTHER" in note for note in planned.notes)
    named = plan(copy(tmp_path, "keras315_nested.keras"), Reinitialize("he_normal", seed=1))
    assert not any("no names" in note for note in named.notes)


@pytest.mark.parametrize(
    "said", ["constant(1e300)", "random_uniform(-1e39, 1)", "random_normal(0, 1e39)", "orthogonal(gain=1e39)"]
)
def test_numbers_that_the_weights_type_cannot_hold_are_refused_before_anything_is_done(tmp_path, said):
    path = copy(tmp_path, "keras315_nested.keras")
    with pytest.raises(RequestError, match=r"must give finite numbers in float32"):
        plan(path, Reinitialize(said, seed=1), where="role:kernel")


def test_the_largest_number_of_a_type_is_taken(tmp_path):
    largest = float(np.finfo(np.float32).max)
    planned = plan(copy(tmp_path, "keras315_nested.keras"), Reinitialize(f"constant({largest!r})", seed=1))
    assert planned.chosen

"""A given initializer takes a kernel's fans along the axes that the file says: those of Keras 1 may come first."""

from __future__ import annotations

import json
import math

import h5py
import numpy as np
import pytest
from support import DATA, plain_datasets, write_archive, write_legacy

from weightkit import Reinitialize, edit, plan
from weightkit.errors import SelectionError

FILTERS, INPUTS, SIDE = 60, 40, 3
FIRST = (FILTERS, INPUTS, SIDE, SIDE)
LAST = (SIDE, SIDE, INPUTS, FILTERS)


def write_keras1(path, weights, class_name="Convolution2D", config=None, version=None):
    """A model of Keras 1, as its 1.2.2 wrote it; the weights alone without a configuration."""
    with h5py.File(path, "w") as file:
        root = file if config is None else file.create_group("model_weights")
        root.attrs["layer_names"] = [b"conv_1"]
        if version:
            root.attrs["keras_version"] = version.encode()
        group = root.create_group("conv_1")
        group.attrs["weight_names"] = [f"conv_1_{name}".encode() for name in weights]
        for name, shape in weights.items():
            group[f"conv_1_{name}"] = np.full(shape, 9, "f4")
        if config is not None:
            layers = [{"class_name": class_name, "config": {"name": "conv_1", **config}}]
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers}).encode()
    return path


def drawn(path, name="W", spec="he_normal"):
    edit(path, Reinitialize(spec, seed=1), where=f"conv_1/{name}")
    found = plain_datasets(path)
    return found.get(f"model_weights/conv_1/conv_1_{name}", found.get(f"conv_1/conv_1_{name}")).astype("f8")


@pytest.mark.parametrize(
    ("layer", "name", "shape", "fan_in"),
    [
        (("Convolution2D", {"dim_ordering": "th"}), "W", FIRST, INPUTS * SIDE**2),
        (("Convolution2D", {"dim_ordering": "tf"}), "W", LAST, INPUTS * SIDE**2),
        (("AtrousConvolution2D", {"dim_ordering": "th"}), "W", FIRST, INPUTS * SIDE**2),
        (("Deconvolution2D", {"dim_ordering": "th"}), "W", FIRST, INPUTS * SIDE**2),
        (("Convolution3D", {"dim_ordering": "th"}), "W", (20, 30, 2, 3, 4), 30 * 24),
        (("ConvLSTM2D", {"dim_ordering": "th"}), "U_i", FIRST, INPUTS * SIDE**2),
        (("SeparableConvolution2D", {"dim_ordering": "th"}), "pointwise_kernel", (80, 90, 1, 1), 90),
        (("Convolution1D", {"nb_filter": 60, "filter_length": 5}), "W", (5, 1, 40, 60), 200),
        (("Convolution1D", {"nb_filter": 60, "filter_length": 5}), "W", (60, 40, 5, 1), 200),
        (("Dense", {}), "W", (100, 200), 100),
    ],
)
def test_the_fan_in_of_a_keras_1_kernel_is_of_its_inputs(tmp_path, layer, name, shape, fan_in):
    values = drawn(write_keras1(tmp_path / "m.h5", {name: shape}, *layer), name)
    assert values.std() == pytest.approx(math.sqrt(2 / fan_in), rel=0.05)


def test_an_orthogonal_kernel_has_orthonormal_outputs_whichever_axis_they_are(tmp_path):
    for shape, ordering in ((FIRST, "th"), (LAST, "tf")):
        path = write_keras1(tmp_path / f"{ordering}.h5", {"W": shape}, config={"dim_ordering": ordering})
        values = drawn(path, spec="orthogonal")
        outputs = values.reshape(FILTERS, -1) if ordering == "th" else values.reshape(-1, FILTERS).T
        assert np.allclose(outputs @ outputs.T, np.eye(FILTERS), atol=1e-6)


def test_a_convolutional_lstm_begins_with_orthogonal_rows_as_keras_1_drew_them(tmp_path):
    config = {"dim_ordering": "th", "inner_init": "orthogonal"}
    path = write_keras1(tmp_path / "m.h5", {"U_i": (6, 6, 3, 3)}, "ConvLSTM2D", config)
    edit(path, Reinitialize(seed=1))
    rows = plain_datasets(path)["model_weights/conv_1/conv_1_U_i"].astype("f8").reshape(6, -1)
    assert np.allclose(rows @ rows.T, 1.21 * np.eye(6), atol=1e-6)


@pytest.mark.parametrize("version", [None, "1.2.2"])
def test_weights_alone_do_not_say_their_order_and_are_refused_unless_no_fans_are_needed(tmp_path, version):
    path = write_keras1(tmp_path / "m.h5", {"W": FIRST, "b": (FILTERS,)}, version=version)
    with pytest.raises(SelectionError, match=r"fans of conv_1/W are not known: it is a kernel of Keras 1") as refused:
        plan(path, Reinitialize("he_normal", seed=1))
    assert "--like" in refused.value.hint
    assert len(plan(path, Reinitialize("random_normal", seed=1)).chosen) == 2
    axes = "variance_scaling(input_axes=[1, 2, 3], output_axes=[0])"
    assert len(plan(path, Reinitialize(axes, seed=1), where="conv_1/W").chosen) == 1
    whole = write_keras1(tmp_path / "whole.h5", {"W": FIRST, "b": (FILTERS,)}, config={"dim_ordering": "th"})
    edit(path, Reinitialize("he_normal", seed=1), like=whole, where="conv_1/W")
    spread = plain_datasets(path)["conv_1/conv_1_W"].astype("f8").std()
    assert spread == pytest.approx(math.sqrt(2 / (INPUTS * SIDE**2)), rel=0.05)


@pytest.mark.parametrize(
    ("class_name", "config"),
    [("Convolution2D", {}), ("Convolution2D", {"dim_ordering": "xy"}), ("Mine", {"dim_ordering": "th"})],
)
@pytest.mark.parametrize("spec", ["he_normal", "orthogonal"])
def test_a_configuration_that_does_not_say_the_order_is_refused(tmp_path, class_name, config, spec):
    path = write_keras1(tmp_path / "m.h5", {"W": FIRST}, class_name, config)
    with pytest.raises(SelectionError, match="nothing in the file says"):
        plan(path, Reinitialize(spec, seed=1))


def test_its_own_initializer_needs_the_order_too(tmp_path):
    path = write_keras1(tmp_path / "m.h5", {"W": FIRST, "b": (FILTERS,)}, config={"init": "he_normal"})
    with pytest.raises(SelectionError, match=r"initializer of conv_1/W is not known: .* has no dim_ordering"):
        plan(path, Reinitialize(seed=1))


def test_a_custom_weight_of_that_name_from_a_later_keras_is_no_kernel_of_keras_1(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"mine": {"W": np.ones(LAST, "f4")}})  # of Keras 2.2.4
    edit(path, Reinitialize("he_normal", seed=1), where="mine/W")
    spread = plain_datasets(path)["mine/mine/W:0"].astype("f8").std()
    assert spread == pytest.approx(math.sqrt(2 / (INPUTS * SIDE**2)), rel=0.05)


def attention(path, *, configured):
    sizes = {**dict.fromkeys(("query", "key", "value"), (64, 8, 16)), "output": (8, 16, 64)}
    prefix = "layers/multi_head_attention"
    variables = {f"{prefix}/{name}_dense/vars/0": np.ones(size, "f4") for name, size in sizes.items()}
    layer = {"name": "a", "num_heads": 8, "key_dim": 16, "use_bias": False, "dtype": "float32"}
    model = {"class_name": "MultiHeadAttention", "config": layer, "module": "keras.layers"}
    text = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": [model]}}).encode()
    return write_archive(path, variables, **{"config.json": text if configured else b"{}"})


@pytest.mark.parametrize("configured", [True, False])
def test_a_given_initializer_has_the_fans_of_an_attentions_einsums(tmp_path, configured):
    path = attention(tmp_path / "m.keras", configured=configured)
    edit(path, Reinitialize("he_normal", seed=1), where="**")
    after = plain_datasets(path)
    for name, fan_in in (("query", 64), ("output", 128)):
        spread = after[f"layers/multi_head_attention/{name}_dense/vars/0"].astype("f8").std()
        assert spread == pytest.approx(math.sqrt(2 / fan_in), rel=0.05), name


def test_the_golden_files_of_every_keras_still_take_a_given_initializer():
    for name in ("keras20_optimizer.h5", "tfkeras215_attention.h5", "keras315_transformer.keras"):
        assert plan(DATA / name, Reinitialize("he_normal", seed=1)).chosen

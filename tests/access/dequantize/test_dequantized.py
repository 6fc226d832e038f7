"""Dequantized values are those with which Keras' layers compute: an input of ones and zeros gives a kernel back."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import weightkit
from weightkit import open_weights
from weightkit.access.dequantize.dequantized import Dequantized, dequantized

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with warnings.catch_warnings():  # TensorFlow 2.21 warns of its own deprecations while it is imported
    warnings.simplefilter("ignore")
    import keras
    from keras import layers, quantizers

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning"),
]


def einsum(equation: str, rows: tuple[int, ...], output: Any) -> tuple[Any, Any, Any]:
    count = int(np.prod(rows))
    return layers.EinsumDense(equation, output, name="q"), rows, np.eye(count, dtype="f4").reshape(count, *rows)


CASES = {
    "dense": lambda: (layers.Dense(7, name="q"), (12,), np.eye(12, dtype="f4")),
    "dense of one unit": lambda: (layers.Dense(1, name="q"), (12,), np.eye(12, dtype="f4")),
    "einsum": lambda: einsum("ab,bcd->acd", (12,), (3, 5)),
    "einsum transposed": lambda: einsum("ab,bcd->adc", (12,), (5, 3)),
    "einsum over two": lambda: einsum("abc,bcd->ad", (4, 3), (5,)),
    "embedding": lambda: (layers.Embedding(9, 7, name="q"), (), np.arange(9)),
    "reversible": lambda: (layers.ReversibleEmbedding(9, 7, name="q"), (), np.arange(9)),
}
CONFIGS = {
    "int8": lambda: quantizers.Int8QuantizationConfig(activation_quantizer=None),
    "int4": lambda: quantizers.Int4QuantizationConfig(block_size=-1, activation_quantizer=None),
    "int4 in blocks": lambda: quantizers.Int4QuantizationConfig(block_size=4, activation_quantizer=None),
}


def made(case: str) -> tuple[Any, Any]:
    layer, rows, ones = CASES[case]()
    inputs = keras.Input(rows, dtype=ones.dtype.name)
    model = keras.Model(inputs, layer(inputs), name="model")
    rng = np.random.default_rng(0)
    for variable in model.variables:
        is_bias = variable.name == "bias"
        variable.assign(np.zeros(variable.shape) if is_bias else rng.standard_normal(variable.shape) + 0.3)
    return model, ones


def parts_of(store: Any) -> dict[str, Any]:
    return {ref.name: ref for ref in store if ref.layer == "q"}


def read(path: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The values, read whole and in spans of every length."""
    with open_weights(path) as store:
        parts = parts_of(store)
        found = dequantized(store, parts[name], parts, shape)
        assert isinstance(found, Dequantized), found
        whole = found.read()
        flat = whole.reshape(-1)
        for length in (1, 5, flat.size):
            for start in range(0, flat.size, length):
                stop = min(start + length, flat.size)
                np.testing.assert_array_equal(found.read(slice(start, stop)), flat[start:stop])
        return whole


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("case", CASES)
def test_dequantized_values_are_those_of_the_layer(case: str, config: str, tmp_path: Path) -> None:
    model, ones = made(case)
    layer = model.layers[-1]
    name = "embeddings" if "embeddings" in {v.name for v in layer.variables} else "kernel"
    shape = tuple(getattr(layer, name).shape)
    model.save(tmp_path / "float.keras")
    layer.quantize(config.split(maxsplit=1)[0], config=CONFIGS[config]())
    model.save(tmp_path / "quantized.keras")
    truth = np.asarray(layer(ones))
    for target in (tmp_path / "quantized.keras", model):
        values = read(target, name, shape)
        assert values.shape == shape
        if case == "einsum transposed":
            values = values.transpose(0, 2, 1)
        np.testing.assert_allclose(values.reshape(truth.shape), truth, rtol=2e-6, atol=1e-7)
    found = weightkit.diff(tmp_path / "float.keras", tmp_path / "quantized.keras")
    [weight] = found.changed()
    bits = config.split(maxsplit=1)[0]
    assert (str(weight.status), weight.what) == ("retyped", f"quantized from float32 to {bits}")
    assert weight.measures is not None
    assert weight.measures.relative_l2 is not None
    assert 0 < weight.measures.relative_l2 < (0.02 if bits == "int8" else 0.25)
    assert weight.to_dict()["max_at"] is not None
    assert any("is quantized" in note for note in found.notes)
    [back] = weightkit.diff(tmp_path / "quantized.keras", tmp_path / "float.keras").changed()
    assert back.what == f"dequantized from {bits} to float32"


@pytest.mark.parametrize("config", CONFIGS)
def test_the_second_table_of_a_reversible_embedding_is_dequantized(config: str) -> None:
    layer = layers.ReversibleEmbedding(9, 7, tie_weights=False, name="q")
    inputs = keras.Input((), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    layer.reverse_embeddings.assign(np.random.default_rng(0).standard_normal((7, 9)))
    layer.quantize(config.split(maxsplit=1)[0], config=CONFIGS[config]())
    layer.inputs_quantizer = None
    truth = np.asarray(layer(np.eye(7, dtype="f4"), reverse=True))
    np.testing.assert_allclose(read(model, "reverse_embeddings", (7, 9)), truth, rtol=2e-6, atol=1e-7)


def test_attention_is_dequantized_without_an_equation(tmp_path: Path) -> None:
    x = keras.Input((5, 8))
    model = keras.Model(x, layers.MultiHeadAttention(2, 3, name="attend")(x, x))
    model.save(tmp_path / "float.keras")
    model.quantize("int8")
    model.save(tmp_path / "int8.keras")
    found = weightkit.diff(tmp_path / "float.keras", tmp_path / "int8.keras")
    assert {weight.what for weight in found.changed()} == {"quantized from float32 to int8"}
    assert len(found.changed()) == 4
    assert all(weight.measures and (weight.measures.relative_l2 or 1) < 0.02 for weight in found.changed())


def test_float8_is_compared_as_it_is_rounded(tmp_path: Path) -> None:
    model, _ = made("dense")
    model.save(tmp_path / "float.keras")
    layer = model.layers[-1]
    kernel = np.asarray(layer.kernel)
    layer.quantize("float8")
    layer.kernel_scale.assign(0.01)
    model.save(tmp_path / "float8.keras")
    truth = np.asarray(quantizers.quantize_and_dequantize(kernel, 0.01, "float8_e4m3fn", "float32"))
    np.testing.assert_array_equal(read(model, "kernel", kernel.shape), truth)
    found = weightkit.diff(tmp_path / "float.keras", tmp_path / "float8.keras")
    [weight] = found.changed()
    assert weight.what == "quantized from float32 to float8"


@pytest.mark.parametrize("mode", ["gptq", "awq"])
def test_gptq_and_awq_are_dequantized_where_the_zero_points_are_there(mode: str) -> None:
    """Keras 3.15 leaves them out of its files; a store of all variables has them."""
    model, ones = made("dense")
    layer = model.layers[-1]
    more = {"dataset": None, "tokenizer": None, "group_size": 4}
    config = quantizers.GPTQConfig(weight_bits=4, **more) if mode == "gptq" else quantizers.AWQConfig(**more)
    layer.quantize(mode, config=config)
    rng = np.random.default_rng(1)
    layer.quantized_kernel.assign(rng.integers(0, 256, layer.quantized_kernel.shape).astype("uint8"))
    layer.kernel_scale.assign(rng.random(layer.kernel_scale.shape))
    layer.kernel_zero.assign(rng.integers(0, 16, layer.kernel_zero.shape).astype("uint8"))
    layer.g_idx.assign(np.arange(12) // 4)
    if mode == "awq":
        layer.awq_scales.assign(rng.random(12) + 0.5)
    layer.is_gptq_calibrated = layer.is_awq_calibrated = True
    truth = np.asarray(layer(ones))
    variables = [v for v in layer.variables if not (v.name == "kernel" and v.dtype == "float32")]
    with open_weights(variables) as store:
        parts = {ref.name: ref for ref in store}
        kernel = replace(parts["kernel"], layer_class="Dense")
        values = Dequantized(_Named(store, kernel, parts["kernel"]), kernel, parts, (12, 7)).read()  # type: ignore[arg-type]
    np.testing.assert_allclose(values, truth, rtol=2e-6, atol=1e-6)


class _Named:
    """A list of variables that knows the class of one of them."""

    def __init__(self, store: Any, known: Any, stored: Any) -> None:
        self._store, self._known, self._stored = store, known, stored

    def configured(self, _: Any) -> None:
        return None

    def read(self, ref: Any, span: slice = slice(None)) -> Any:
        return self._store.read(self._stored if ref is self._known else ref, span)


def test_a_file_of_gptq_that_lacks_zero_points_cannot_be_compared(tmp_path: Path) -> None:
    model, _ = made("dense")
    model.save(tmp_path / "float.keras")
    config = quantizers.GPTQConfig(dataset=None, tokenizer=None, weight_bits=4, group_size=4)
    model.layers[-1].quantize("gptq", config=config)
    model.save(tmp_path / "gptq.keras")
    found = weightkit.diff(tmp_path / "float.keras", tmp_path / "gptq.keras", match="name")
    told = {weight.path: weight for weight in found.changed()}
    assert told["q/kernel"].what.startswith("cannot be compared, its zero points are not stored")
    assert told["q/kernel"].measures is None
    assert str(told["q/kernel_scale"].status) == "extra"


def test_what_changed_besides_is_told(tmp_path: Path) -> None:
    model, _ = made("dense")
    model.layers[-1].quantize("int8")
    model.save(tmp_path / "int8.keras")
    other, _ = made("dense")
    other.layers[-1].kernel.assign(np.random.default_rng(5).standard_normal((12, 7)))
    other.save(tmp_path / "float.keras")
    [weight] = weightkit.diff(tmp_path / "float.keras", tmp_path / "int8.keras").changed()
    assert weight.what.startswith("quantized from float32 to int8 and ")


def test_two_quantized_files_are_compared_as_stored(tmp_path: Path) -> None:
    model, _ = made("dense")
    model.layers[-1].quantize("int8")
    model.save(tmp_path / "a.keras")
    model.layers[-1].kernel_scale.assign(model.layers[-1].kernel_scale * 2)
    model.save(tmp_path / "b.keras")
    [weight] = weightkit.diff(tmp_path / "a.keras", tmp_path / "b.keras").changed()
    assert (weight.path, weight.what) == ("q/kernel_scale", "scaled by 2")


def test_groups_that_lead_nowhere_are_refused() -> None:
    model, _ = made("dense")
    model.layers[-1].quantize("int4", config=CONFIGS["int4 in blocks"]())
    model.layers[-1].g_idx.assign(np.full(12, 99.0))
    with open_weights(model) as store:
        parts = parts_of(store)
        assert dequantized(store, parts["kernel"], parts, (12, 7)) == "its groups are not those of its scales"

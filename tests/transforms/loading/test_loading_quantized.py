"""Float models filled from quantized ones compute what these compute; without being asked, nothing is dequantized."""

from __future__ import annotations

import os
import pickle
import warnings

import numpy as np
import pytest

from weightkit import LoadWeights, Resizing, load_weights, open_weights, plan
from weightkit.access.hdf5.file_store import FileStore
from weightkit.errors import RequestError, SelectionError

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with warnings.catch_warnings():  # TensorFlow 2.21 warns of its own deprecations while it is imported
    warnings.simplefilter("ignore")
    import keras
    from keras import layers, quantizers

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning"),
]
EXACT = {
    "int8": lambda: quantizers.Int8QuantizationConfig(activation_quantizer=None),
    "int4": lambda: quantizers.Int4QuantizationConfig(block_size=-1, activation_quantizer=None),
    "int4 in blocks": lambda: quantizers.Int4QuantizationConfig(block_size=4, activation_quantizer=None),
}
"""Without rounding of the inputs: such a layer computes with nothing but its dequantized kernel."""
READ = "read quantized layers as real numbers with dequantize=True (--dequantize)"
WORDS = np.arange(10).reshape(2, 5)


def drawn(model, seed):
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        if "float" in str(variable.dtype):
            variable.assign(rng.random(variable.shape) + 0.1)
    return model


def built(seed):
    """A model with automatic names, a nested model, and layers of odd sizes."""
    words = keras.Input((5,), dtype="int32")
    inner = keras.Sequential([keras.Input((5, 7)), layers.Dense(7), layers.BatchNormalization(), layers.Dense(7)])
    x = inner(layers.Embedding(10, 7)(words))
    x = layers.EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="e")(x)
    return drawn(keras.Model(words, layers.Dense(3)(layers.Reshape((5, 6))(x))), seed)


def quantized(model, *configs):
    """The model with its layers quantized, each in its own way; the nested ones come where their model is."""
    kinds = (layers.Dense, layers.EinsumDense, layers.Embedding)
    found = (layer for layer in model._flatten_layers() if isinstance(layer, kinds))
    for layer, config in zip(found, configs, strict=True):
        layer.quantize(config.split()[0], config=EXACT[config]())
    return model


def dense(name="d", seed=0, units=7):
    return drawn(keras.Sequential([keras.Input((8,)), layers.Dense(units, name=name)]), seed)


def values(model):
    return [np.array(variable) for variable in model.variables]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A quantized model in every form in which it is stored, and in memory."""
    model, folder = quantized(built(1), "int8", "int4", "int4 in blocks", "int8", "int8"), tmp_path_factory.mktemp("q")
    paths = [folder / f"model{suffix}" for suffix in (".keras", ".weights.h5", ".h5")]
    model.save(paths[0])
    model.save_weights(paths[1])
    model.save(paths[2])
    return model, (model, *paths)


def test_a_float_model_computes_what_the_quantized_one_does(source):
    model, forms = source
    target, wanted = built(2), model(WORDS)
    for form in forms:
        drawn(target, 2)
        notes = load_weights(target, form, dequantize=True).plan.notes
        np.testing.assert_allclose(target(WORDS), wanted, rtol=1e-5)
        converted = [note.partition(":")[0] for note in notes[1:] if "converted" in note]
        assert sorted(converted) == ["2 converted (dequantized from int4)", "3 converted (dequantized from int8)"]
        assert notes[0] == "matched by name: 13 weights, 5 converted"


def test_the_real_number_is_the_integer_over_its_scale(tmp_path):
    model = quantized(dense(), "int8")
    model.save(tmp_path / "int8.keras")
    layer, target = model.layers[0], dense(seed=3)
    load_weights(target, tmp_path / "int8.keras", dequantize=True)
    wanted = np.array(layer._kernel).astype("f4") / np.array(layer.kernel_scale)
    assert np.array(target.layers[0].kernel).tobytes() == wanted.tobytes()
    assert np.array(target.layers[0].bias).tobytes() == np.array(layer.bias).tobytes()


def test_without_being_asked_nothing_is_changed_and_the_option_is_named(source):
    model, forms = source
    target = built(2)
    before = values(target)
    for form in (forms[1], model):
        with pytest.raises(SelectionError) as caught:
            load_weights(target, form)
        assert caught.value.hint == READ
        assert "its layer is quantized there (int" in caught.value.problem
    assert all(np.array_equal(a, b) for a, b in zip(before, values(target), strict=True))


def test_a_quantized_target_is_refused_and_the_way_out_works(tmp_path):
    path, target = tmp_path / "float.keras", quantized(dense(seed=1), "int4")
    dense().save(path)
    for options in ({}, {"dequantize": True}, {"on_mismatch": "skip", "on_missing": "skip"}):
        with pytest.raises(
            SelectionError, match=r"\d of \d weights .* its layer is quantized here and not there"
        ) as caught:
            load_weights(target, path, **options)
        assert caught.value.hint == "load into the float model, and quantize that with Keras (model.quantize)"
    fresh = dense(seed=2)
    load_weights(fresh, path)
    fresh.quantize("int8")
    wanted = dense()
    wanted.quantize("int8")
    assert np.array_equal(fresh.layers[0]._kernel, wanted.layers[0]._kernel)


def test_equally_quantized_layers_are_copied_as_they_are(tmp_path):
    model, target = quantized(dense(), "int4"), quantized(dense(seed=1), "int4")
    model.save(tmp_path / "int4.keras")
    for options in ({}, {"dequantize": True}):
        drawn(target, 5)
        notes = load_weights(target, tmp_path / "int4.keras", **options).plan.notes
        assert notes == ("matched by name: 3 weights",)
        assert all(np.array_equal(a, b) for a, b in zip(values(model), values(target), strict=True))


@keras.saving.register_keras_serializable("tests")
class Mine(layers.Layer):
    """Quantizes in its own way."""

    def __init__(self, kind="float32", **options):
        super().__init__(**options)
        self.kind = kind

    def build(self, _):
        self.kernel = self.add_weight(
            shape=(8, 2), dtype=self.kind, name="kernel", initializer="zeros", trainable=False
        )
        if self.kind == "int8":
            self.kernel_scale = self.add_weight(shape=(2,), name="kernel_scale", initializer="ones")

    def call(self, x):
        return x

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


def test_a_layer_that_is_not_keras_own_is_refused_with_no_false_advice(tmp_path):
    first, second = (keras.Sequential([keras.Input((8,)), Mine(kind, name="m")]) for kind in ("int8", "float32"))
    first.save(tmp_path / "mine.h5")
    for options in ({}, {"dequantize": True}):
        with pytest.raises(SelectionError, match="cannot be dequantized: how Mine quantizes is not known") as caught:
            load_weights(second, tmp_path / "mine.h5", **options)
        assert caught.value.hint == ""  # nothing else would be loaded


def test_what_lacks_its_zero_points_is_refused_and_the_rest_can_be_loaded(tmp_path):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(8, name="a"), layers.Dense(7, name="b")])
    target = drawn(keras.models.clone_model(model), 1)
    model.layers[0].quantize("int8")
    config = quantizers.GPTQConfig(dataset=None, tokenizer=None, weight_bits=4, group_size=4)
    model.layers[1].quantize("gptq", config=config)
    model.save(tmp_path / "gptq.keras")
    with pytest.raises(SelectionError, match="its zero points are not stored") as caught:
        load_weights(target, tmp_path / "gptq.keras")
    assert caught.value.hint == f"{READ}; leave the others as they are with exclude= (--exclude)"
    load_weights(target, tmp_path / "gptq.keras", exclude="b", dequantize=True)
    assert np.array_equal(target.layers[0].bias, model.layers[0].bias)


def test_float8_is_copied_as_it_is_and_rounded_if_that_is_asked_for(tmp_path):
    model, target = dense(), dense(seed=1)
    kernel = np.array(model.layers[0].kernel)
    model.layers[0].quantize("float8")
    model.layers[0].kernel_scale.assign(0.01)
    model.save(tmp_path / "float8.keras")
    load_weights(target, tmp_path / "float8.keras")
    assert np.array_equal(target.layers[0].kernel, kernel)
    notes = load_weights(target, tmp_path / "float8.keras", dequantize=True).plan.notes
    rounded = quantizers.quantize_and_dequantize(kernel, 0.01, "float8_e4m3fn", "float32")
    assert np.array_equal(target.layers[0].kernel, rounded)
    assert notes[0] == "matched by name: 2 weights, 1 converted"
    assert "1 converted (dequantized from float8): d/kernel" in notes


def test_a_quantized_backbone_goes_into_a_model_with_a_head_and_a_low_rank_update_with_it():
    backbone = dense(units=8)
    backbone.layers[0].enable_lora(2)
    backbone.layers[0].lora_kernel_b.assign(np.ones((2, 8)))
    backbone.layers[0].quantize("int8", config=EXACT["int8"]())
    new = dense(seed=1, units=8)
    model = keras.Sequential([keras.Input((8,)), new, layers.Dense(2, name="head")])
    notes = load_weights(model, backbone, dequantize=True).plan.notes
    assert any("left as they are" in note and "head/kernel" in note for note in notes)
    saved = {}
    backbone.layers[0].save_own_variables(saved)  # with the update merged in, and rounded once more
    assert np.array_equal(new.layers[0].kernel, np.array(saved["0"]).astype("f4") / np.array(saved["2"]))


def test_rows_are_resized_and_narrow_types_rounded_after_dequantizing(tmp_path):
    def table(rows, dtype="float32"):
        inputs = keras.Input((), dtype="int32")
        return drawn(keras.Model(inputs, layers.Embedding(rows, 7, name="e", dtype=dtype)(inputs)), rows)

    source, target, narrow = quantized(table(9), "int4 in blocks"), table(12), table(9, "float16")
    source.save(tmp_path / "int4.keras")
    real = np.array(source(np.arange(9)))
    with pytest.raises(SelectionError, match=r"e/embeddings is \(12, 7\) here and \(9, 7\) there"):
        load_weights(target, tmp_path / "int4.keras", dequantize=True)
    load_weights(
        target, tmp_path / "int4.keras", on_mismatch="resize", resizing=Resizing(new_rows="zeros"), dequantize=True
    )
    np.testing.assert_allclose(target.layers[1].embeddings, np.vstack([real, np.zeros((3, 7))]), rtol=2e-6)
    notes = load_weights(narrow, tmp_path / "int4.keras", dequantize=True).plan.notes
    assert "1 converted (dequantized from int4, float32 rounded to float16): e/embeddings" in notes
    np.testing.assert_allclose(narrow.layers[1].embeddings, real, rtol=1e-3)


def test_a_head_for_other_classes_is_told_by_its_real_shape():
    source, target = quantized(dense(units=6), "int4"), dense(seed=1, units=3)  # both are stored with 3 columns
    with pytest.raises(SelectionError) as caught:
        load_weights(target, source, dequantize=True)
    assert "d/kernel is (8, 3) here and (8, 6) there" in caught.value.problem
    assert caught.value.hint == "give a source with weights of these shapes and types"


def test_values_are_read_when_the_plan_is_applied(tmp_path, monkeypatch):
    model, target = quantized(dense(), "int4 in blocks"), dense(seed=1)
    model.save(tmp_path / "int4.keras")
    read, values = [], FileStore.values
    monkeypatch.setattr(FileStore, "values", lambda store, ref, span: read.append(ref.name) or values(store, ref, span))
    found = plan(target, LoadWeights(tmp_path / "int4.keras", dequantize=True))
    assert read == []
    found.apply(target)  # the source is opened again
    assert {"kernel", "kernel_scale", "kernel_zero", "g_idx", "bias"} == set(read)
    np.testing.assert_allclose(target(np.eye(8)), model(np.eye(8)), rtol=1e-5)
    again = pickle.loads(pickle.dumps(found.transform))  # noqa: S301  # our own
    assert repr(again).endswith("int4.keras', dequantize=True)")


def test_groups_that_lead_nowhere_change_nothing(tmp_path):
    model, target = quantized(dense(), "int4 in blocks"), dense(seed=1)
    model.layers[0].g_idx.assign(np.full(8, 99.0))
    model.save(tmp_path / "int4.keras")
    before = values(target)
    with pytest.raises(RequestError, match="d/kernel cannot be dequantized: its groups are not those of its scales"):
        load_weights(target, tmp_path / "int4.keras", dequantize=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, values(target), strict=True))
    load_weights(target, tmp_path / "int4.keras", exclude="d/kernel", dequantize=True)


def test_a_selection_leaves_the_scales_of_the_rest_unused(tmp_path):
    quantized(dense(), "int8").save(tmp_path / "int8.keras")
    with open_weights(tmp_path / "int8.keras") as source:
        notes = load_weights(dense(), source, where="d/bias", dequantize=True).plan.notes
    assert any(note.startswith("not used") and note.endswith("d/kernel, d/kernel_scale") for note in notes), notes

"""Training that stops and goes on from a file is training that never stopped; what does not fit changes nothing."""

from __future__ import annotations

import json

import full
import h5py
import keras
import numpy as np
import pytest
from checkpoint_cases import same, state
from keras import layers

from weightkit import load_weights, open_weights
from weightkit.access.live.handles import as_numpy
from weightkit.errors import RefusedError, RequestError, UnsupportedFileError
from weightkit.training import freeze, load_optimizer_state, save_optimizer_state, unfreeze
from weightkit.training.state_file import loading

X = np.random.default_rng(1).standard_normal((8, 4)).astype("float32")
Y = np.random.default_rng(2).standard_normal((8, 2)).astype("float32")
make = keras.optimizers
OPTIMIZERS = {
    "sgd": lambda: make.SGD(0.1, momentum=0.9),
    "adam": lambda: make.Adam(0.01, amsgrad=True),
    "adamw": lambda: make.AdamW(0.01),
    "rmsprop": lambda: make.RMSprop(0.01, momentum=0.5, centered=True),
    "nadam": lambda: make.Nadam(0.01),
    "lion": lambda: make.Lion(0.01),
    "adafactor": lambda: make.Adafactor(0.01),
    "ftrl": lambda: make.Ftrl(0.01),
    "schedule": lambda: make.Adam(make.schedules.ExponentialDecay(0.01, 1, 0.9)),
    "average": lambda: make.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    "accumulation": lambda: make.Adam(0.01, gradient_accumulation_steps=2),
    "scale": lambda: make.LossScaleOptimizer(make.Adam(0.01), initial_scale=8.0, dynamic_growth_steps=2),
    "several": lambda: make.MultiOptimizer(make.OptimizerMap(make.Adam(0.01), {".*head.*": make.SGD(0.1, 0.9)})),
}

TRACED = [one for one in OPTIMIZERS if one != "accumulation"] if full.enabled else ["scale", "several"]
"""Those that keep most beside their slots are traced by default, as ``accumulation`` is; all with ``--full``."""
EAGER = () if full.enabled else ("adam", "nadam", "adafactor", "schedule", "average")


def made(optimizer="adam", head=2, names=True, dtype=None, eager=True):
    """A model; only where its train step is what is tested, that is traced, which takes its time."""
    keras.utils.set_random_seed(3)
    named = (lambda name: {"name": name}) if names else (lambda _: {})
    stack = [keras.Input((4,)), layers.Dense(6, dtype=dtype, **named("body")), layers.Dropout(0.3, seed=5)]
    stack += [layers.BatchNormalization(**named("norm")), layers.Dense(4, **named("middle"))]
    model = keras.Sequential([*stack, layers.Dense(head, **named("head"))], name="small")
    model.compile(OPTIMIZERS[optimizer](), "mse", run_eagerly=eager)
    return model


def train(model, steps=3):
    targets = Y[:, :1] if model.output_shape[-1] == 1 else Y
    return [np.asarray(model.train_on_batch(X, targets)).tolist() for _ in range(steps)]


def load_into(model, other, folder):
    """Give another model the weights and the optimizer's state of the first, by way of files."""
    model.save_weights(folder / "m.weights.h5")
    save_optimizer_state(model, folder / "opt.h5")
    load_weights(other, folder / "m.weights.h5")
    return load_optimizer_state(other, folder / "opt.h5")


@pytest.mark.parametrize(
    ("optimizer", "eager"),
    [
        pytest.param("accumulation", False, id="accumulation-traced", marks=pytest.mark.every_backend),
        *(pytest.param(one, False, id=f"{one}-traced") for one in TRACED),
        *(pytest.param(one, True, id=f"{one}-eager") for one in EAGER),
    ],
)
def test_training_that_stopped_and_went_on_equals_training_that_never_stopped(optimizer, eager, tmp_path):
    model = made(optimizer, eager=eager)
    train(model)
    other = made(optimizer, eager=eager)
    load_into(model, other, tmp_path)
    assert same(state(model), state(other))
    assert train(model) == train(other)
    assert same(state(model), state(other))


def test_names_that_keras_makes_up_may_differ(tmp_path):
    model = made(names=False)
    train(model)
    other = made(names=False)
    load_into(model, other, tmp_path)
    assert model.layers[0].name != other.layers[0].name
    assert train(model) == train(other)


@pytest.mark.every_backend
def test_bfloat16_slots_are_kept_as_keras_stores_bfloat16(tmp_path):
    model = made(dtype="bfloat16")
    train(model)
    other = made(dtype="bfloat16")
    load_into(model, other, tmp_path)
    assert same(state(model), state(other))
    with h5py.File(tmp_path / "opt.h5") as file:
        slot = file["weights/0/momentum"]
        assert (slot.dtype, slot.attrs["dtype"]) == (np.dtype("V2"), "bfloat16")


@pytest.mark.every_backend
def test_slots_that_wait_for_frozen_weights_are_kept_and_put_back(tmp_path):
    model = made()
    train(model)
    freeze(model, "body")
    train(model, 1)
    other = made()
    freeze(other, "body")
    report = load_into(model, other, tmp_path)
    assert report.parked == 2
    for one in (model, other):
        unfreeze(one, "body")
    assert same(state(model), state(other))
    assert train(model) == train(other)


def test_a_file_of_a_frozen_subset_lacks_slots_and_is_refused_or_loaded_in_part(tmp_path):
    model, other = made(), made()
    model.get_layer("body").trainable = False
    train(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    train(other, 1)
    before = state(other)
    with pytest.raises(RequestError, match=r"body/kernel \(momentum of Adam\) is not in the file.*on_missing='skip'"):
        load_optimizer_state(other, tmp_path / "opt.h5")
    assert same(before, state(other))
    report = load_optimizer_state(other, tmp_path / "opt.h5", on_missing="skip")
    assert len(report.unchanged) == 6
    assert all(text.startswith("body/") for text in report.unchanged)
    momentum = model.optimizer._momentums[-1], other.optimizer._momentums[-1]
    assert np.array_equal(*(as_numpy(one._value) for one in momentum))


def test_a_changed_head_is_refused_or_left_as_it_was(tmp_path):
    model, other = made(), made(head=1)
    train(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    train(other, 1)
    before = state(other)
    with pytest.raises(RequestError, match="head/kernel"):
        load_optimizer_state(other, tmp_path / "opt.h5")
    assert same(before, state(other))
    report = load_optimizer_state(other, tmp_path / "opt.h5", on_missing="skip")
    assert all(text.startswith("head/") for text in report.unchanged)
    assert report.weights == 6
    kernel = other.optimizer._momentums[0]
    assert np.array_equal(as_numpy(kernel._value), as_numpy(model.optimizer._momentums[0]._value))


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        (make.Adam, make.AdamW, "a Adam in the file and a AdamW here"),
        (make.AdamW, lambda: make.AdamW(gradient_accumulation_steps=2), "gradient_accumulation_steps is None"),
    ],
    ids=["class", "hyper-parameter"],
)
def test_another_optimizer_is_told_in_words(theirs, ours, told, tmp_path):
    model, other = made(), made()
    model.compile(theirs(), "mse", run_eagerly=True)
    other.compile(ours(), "mse", run_eagerly=True)
    train(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    with pytest.raises(RequestError, match=told):
        load_optimizer_state(other, tmp_path / "opt.h5")
    assert not other.optimizer.built
    assert told in " ".join(load_optimizer_state(other, tmp_path / "opt.h5", on_missing="skip").notes)


def test_hyperparameters_that_differ_are_told_and_a_learning_rate_is_state(tmp_path):
    model, other = made("sgd"), made("sgd")
    save_optimizer_state(model, tmp_path / "opt.h5")
    other.compile(make.SGD(0.5, momentum=0.8), "mse")
    with pytest.raises(RequestError, match=r"momentum is 0\.9 in the file and 0\.8 here"):
        load_optimizer_state(other, tmp_path / "opt.h5")
    other.compile(make.SGD(0.5, momentum=0.9), "mse")
    load_optimizer_state(other, tmp_path / "opt.h5")
    assert float(as_numpy(other.optimizer.learning_rate._value)) == np.float32(0.1)


def test_the_file_is_plain_hdf5_that_says_what_it_holds(tmp_path):
    model = made()
    train(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    with h5py.File(tmp_path / "opt.h5") as file:
        assert file.attrs["schema"] == "weightkit.optimizer/1"
        assert file["optimizer"].attrs["class"] == "Adam"
        assert json.loads(file["optimizer"].attrs["config"])["config"]["amsgrad"]
        assert file["optimizer/iteration"][()] == 3
        kernel = file["weights/0"]
        assert (kernel.attrs["path"], kernel.attrs["shape"]) == ("body/kernel", "4,6")
        assert np.array_equal(kernel["momentum"], as_numpy(model.optimizer._momentums[0]._value))
        assert kernel["momentum"].attrs["kept_by"] == "Adam"


def test_the_file_is_listed_as_any_weight_file(tmp_path):
    model = made()
    train(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    with open_weights(tmp_path / "opt.h5") as store:
        assert store.format == "optimizer state"
        assert {"body/kernel/momentum", "optimizer/iteration"} <= {ref.path for ref in store}


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    model = made()
    save_optimizer_state(model, tmp_path / "opt.h5")
    train(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["opt.h5"]
    load_optimizer_state(made(), tmp_path / "opt.h5")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RequestError, match="does not exist"):
        save_optimizer_state(made(), tmp_path / "none" / "opt.h5")


def test_other_files_are_refused(tmp_path):
    model = made()
    keras.Sequential([keras.Input((4,)), layers.Dense(2)]).save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(UnsupportedFileError, match="must hold the state of an optimizer, got Keras weights"):
        load_optimizer_state(model, tmp_path / "m.weights.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(UnsupportedFileError, match="neither HDF5"):
        load_optimizer_state(model, tmp_path / "text.h5")


def damaged(path):
    content = path.read_bytes()
    yield "cut off", content[: len(content) // 2]
    for name, change in {
        "later version": lambda file: file.attrs.__setitem__("schema", "weightkit.optimizer/2"),
        "no shape": lambda file: file["weights/0"].attrs.__delitem__("shape"),
        "odd kind": lambda file: file["weights/0"].attrs.__setitem__("kind", "monster"),
        "odd type": lambda file: file["weights/0"].attrs.__setitem__("dtype", "object9"),
        "odd number": lambda file: file.create_group("weights/one"),
        "no class": lambda file: file["optimizer"].attrs.__delitem__("class"),
        "soft link": lambda file: file.__setitem__("weights/0/odd", h5py.SoftLink("/optimizer")),
    }.items():
        with h5py.File(path, "r+") as file:
            change(file)
        yield name, path.read_bytes()
        path.write_bytes(content)


def test_damaged_and_hostile_files_are_refused_in_one_line_and_nothing_is_changed(tmp_path):
    model, path = made(), tmp_path / "opt.h5"
    train(model)
    save_optimizer_state(model, path)
    before = state(model)
    tried = []
    for name, content in damaged(path):
        (tmp_path / "bad.h5").write_bytes(content)
        with pytest.raises(RefusedError) as refused:
            load_optimizer_state(model, tmp_path / "bad.h5")
        assert "\n" not in str(refused.value), name
        assert same(before, state(model)), name
        tried.append(name)
    assert len(tried) == 8


def test_a_model_that_is_not_compiled_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(RequestError, match="must be compiled"):
        save_optimizer_state(model, tmp_path / "opt.h5")
    with pytest.raises(RequestError, match="on_missing must be one of"):
        load_optimizer_state(made(), tmp_path / "opt.h5", on_missing="maybe")


def test_a_load_that_is_interrupted_leaves_the_optimizer_as_it_was(tmp_path, monkeypatch):
    model, other = made(), made()
    train(model)
    save_optimizer_state(model, tmp_path / "opt.h5")
    train(other, 1)
    before = state(other)
    last = other.optimizer.variables[-1]
    handles = loading.handle_of

    def late(variable):
        if variable is last:  # set at the very end
            raise KeyboardInterrupt
        return handles(variable)

    monkeypatch.setattr(loading, "handle_of", late)
    with pytest.raises(KeyboardInterrupt):
        load_optimizer_state(other, tmp_path / "opt.h5")
    assert same(before, state(other))

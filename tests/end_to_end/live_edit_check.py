"""Run by the tests in a process of its own, on one backend: edits of models in memory, and what is left of failed ones.

    python live_edit_check.py FOLDER

Prints one JSON object: facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import warnings
from pathlib import Path

import keras
import ml_dtypes
import numpy as np
from keras import layers
from models import all_variables, bits, drawn, trained, values

from weightkit import Scale, edit, open_weights, plan
from weightkit.access.edits.transform import Transform
from weightkit.access.live import live_sink
from weightkit.access.ref import Kind
from weightkit.access.store import ALL
from weightkit.errors import NonFiniteError, RequestError, SelectionError

FOLDER = Path(sys.argv[1])
BACKEND = os.environ["KERAS_BACKEND"]
FACTS: dict[str, object] = {}


class UnwantedError(Exception):
    """What a transform of somebody else raises."""


@dataclasses.dataclass(frozen=True)
class Failing(Transform):
    """Doubles values until it meets a weight, and does there what it was told."""

    at: str
    how: str
    elementwise = False
    kinds = frozenset(Kind)

    def dtype(self, ref):
        return ref.dtype

    def objection(self, ref):
        return ""

    def notes(self):
        return ()

    def __call__(self, ref, values, span=ALL):
        if ref.structure != self.at:
            return values + values
        if self.how == "interrupt":
            raise KeyboardInterrupt
        if self.how == "raise":
            raise UnwantedError
        return values.reshape(-1)[:-1] if self.how == "shape" else values * np.float32(np.nan)


def refused(action, error, *words):
    """Whether an action is refused with one line that says these words; else what happened."""
    try:
        action()
    except error as refusal:
        said = str(refusal)
        return all(word in said for word in (*words, " ")) and "\n" not in said
    return "it was not refused"


def half(value, chosen):
    if not chosen:
        return value
    wide = value.astype(np.float32) if value.dtype.itemsize == 2 else value
    return (wide * wide.dtype.type(0.5)).astype(value.dtype)


def try_scale(kind):
    """Parameters are halved as NumPy halves them, everything else is as it was."""
    model = drawn(kind)
    trained_names = ("kernel", "bias", "gamma", "beta", "scale", "alpha", "embeddings", "depthwise", "pointwise")
    before = values(model.variables)
    edit(model, Scale(0.5))
    right = []
    for variable, was, now in zip(model.variables, before, values(model.variables), strict=True):
        chosen = variable.name.endswith(trained_names) and "quant" not in kind
        right.append(now.dtype == was.dtype and now.tobytes() == half(was, chosen).tobytes())
    FACTS[f"scale {kind}: as NumPy scales it"] = all(right)


def try_failures():
    """Whatever goes wrong, the model and its optimizer are as they were, bit for bit."""
    errors = {"raise": UnwantedError, "interrupt": KeyboardInterrupt, "shape": RequestError, "nan": NonFiniteError}
    for kind in ("trained", "recurrent", "bfloat16"):
        model = trained() if kind == "trained" else drawn(kind)
        last = [ref for ref in open_weights(model) if ref.dtype.kind != "i"][-1].structure
        for how, error in errors.items():
            before, objects = bits(model), [id(variable._value) for variable in all_variables(model)]
            with contextlib.suppress(error):
                edit(model, Failing(last, how))
                FACTS[f"failure {kind} {how}: it fails"] = False
            FACTS[f"failure {kind} {how}: nothing is changed"] = bits(model) == before
            FACTS[f"failure {kind} {how}: not even touched"] = objects == [
                id(variable._value) for variable in all_variables(model)
            ]


class FailingEarly(Failing):
    """One that reads no model: a large edit has set all weights before the last when it fails."""

    reads_models = False


def try_early():
    """Edits that count as large: what they give, and what failed ones leave."""
    live_sink._LARGE = 0
    for kind in ("trained", "bfloat16", "low_rank", "recurrent"):
        model = trained() if kind == "trained" else drawn(kind)
        before = bits(model)
        last = [ref for ref in open_weights(model) if ref.dtype.kind != "i"][-1].structure
        for how, error in (("raise", UnwantedError), ("interrupt", KeyboardInterrupt)):
            with contextlib.suppress(error):
                edit(model, FailingEarly(last, how))
                FACTS[f"early {kind} {how}: it fails"] = False
            FACTS[f"early {kind} {how}: nothing is changed"] = bits(model) == before
        old = values(all_variables(model))
        edit(model, Scale(0.5))
        early = bits(model)
        for variable, was in zip(all_variables(model), old, strict=True):
            variable.assign(was)
        live_sink._LARGE = 1 << 30
        edit(model, Scale(0.5))
        live_sink._LARGE = 0
        FACTS[f"early {kind}: as any other edit"] = early != before and bits(model) == early
    try_backend()
    live_sink._LARGE = 64 << 20


class Breaking:
    """Stands for a variable's handle while the edit is committed: setting it, or putting it back, is cut short."""

    def __init__(self, handle, error, *, also_on_undo=False):
        self._handle, self._error, self._again = handle, error, also_on_undo

    def __getattr__(self, name):
        return getattr(self._handle, name)

    def set(self, new):
        self._handle.set(new)
        raise self._error

    def put_back(self, kept):
        if self._again:
            self._again = False
            raise KeyboardInterrupt
        self._handle.put_back(kept)


def try_broken_commit():
    """An edit is cut short while variables are being set: in the middle, at the last one, and during the undoing."""
    for name, position, error, again in (
        ("in the middle", 2, KeyboardInterrupt, False),
        ("at the last", -1, UnwantedError, False),
        ("interrupted twice", -1, KeyboardInterrupt, True),
    ):
        model = trained()
        before = bits(model)
        store = open_weights(model)
        chosen = plan(model, Scale(0.5)).chosen
        place = list(chosen)[position]
        broken = Breaking(store._places[place].handle, error, also_on_undo=again)
        store._places[place] = dataclasses.replace(store._places[place], handle=broken)
        with contextlib.suppress(KeyboardInterrupt, UnwantedError):
            plan(model, Scale(0.5)).apply(store)
            FACTS[f"commit {name}: it fails"] = False
        FACTS[f"commit {name}: everything is put back"] = bits(model) == before
        model.fit(np.ones((4, 4), "float32"), np.ones((4, 2), "float32"), verbose=0)


def try_optimizer():
    """Training goes on after an edit, with the same optimizer and no new trace."""
    model = trained()
    slots = values(model.optimizer.variables)
    edit(model, Scale(0.5))
    FACTS["optimizer: its variables are as they were"] = all(
        now.tobytes() == was.tobytes() for now, was in zip(values(model.optimizer.variables), slots, strict=True)
    )
    other = trained()
    parameters = {id(variable) for variable in other.trainable_variables}
    for variable in other.variables:
        if id(variable) in parameters:
            variable.assign(values([variable])[0] * np.float32(0.5))
    for mine, theirs in zip(model.variables, other.variables, strict=True):
        theirs.assign(values([mine])[0])
    for mine, theirs in zip(model.optimizer.variables, other.optimizer.variables, strict=True):
        theirs.assign(values([mine])[0])
    data = np.random.default_rng(1).random((8, 4), "float32"), np.random.default_rng(2).random((8, 2), "float32")
    for one in (model, other):
        one.fit(*data, shuffle=False, verbose=0)
    FACTS["optimizer: training goes on as after assign"] = bits(model) == bits(other)
    edit(model, Scale(2.0), where="kind:statistic")
    FACTS["optimizer: it is refused to scale it"] = refused(
        lambda: edit(model, Scale(0.5), where="kind:optimizer"), SelectionError, "optimizer state"
    )


class Counting(layers.Dense):
    """Counts how often Python runs through it: in a compiled step, only when that is traced."""

    runs = 0

    def call(self, inputs):
        Counting.runs += 1
        return super().call(inputs)


def try_tracing():
    if BACKEND == "torch":  # nothing is compiled there
        return
    model = keras.Sequential([keras.Input((4,)), Counting(2)])
    model.compile(optimizer="sgd", loss="mse")
    data = np.ones((8, 4), "float32"), np.ones((8, 2), "float32")
    model.fit(*data, verbose=0)
    model.fit(*data, verbose=0)
    runs = Counting.runs
    edit(model, Scale(0.5))
    edit(model, Scale(0.5))
    FACTS["tracing: an edit runs no layer"] = Counting.runs == runs
    model.fit(*data, verbose=0)
    FACTS["tracing: training after an edit traces nothing again"] = Counting.runs == runs


def try_memory():
    """Nothing that is read, given or kept shares memory with the model."""
    model = drawn("sequential")
    store = open_weights(model)
    first = next(iter(store))
    copy = store.read(first)
    copy[...] = 7
    part = store.read(first, slice(0, 2))
    part[...] = 7
    FACTS["memory: what is read is a copy"] = 7 not in store.read(first)
    before, given = store.read(first), np.full(first.shape, 3, first.dtype)
    with store.editing([first]) as sink:
        sink.write(first, given)
        FACTS["memory: nothing is seen before all is done"] = np.array_equal(store.read(first), before)
    given[...] = 9
    FACTS["memory: what is given is copied"] = np.array_equal(store.read(first), np.full(first.shape, 3))
    kept = store.read(first)
    edit(model, Scale(2.0))
    model.layers[0].kernel.assign_add(np.ones(first.shape))
    FACTS["memory: what was read stays"] = np.array_equal(kept, np.full(first.shape, 3))
    FACTS["memory: training writes on"] = np.array_equal(store.read(first), np.full(first.shape, 7))
    FACTS["memory: a second edit meanwhile is refused"] = refused(lambda: _nested(store, first), RequestError, "edited")


def _nested(store, ref):
    with store.editing([ref]), store.editing([ref]):
        pass


class Doubled(layers.Dense):
    """Computes what it saves."""

    def save_own_variables(self, store):
        store["0"] = self.kernel.value * 2


def try_low_rank():
    """A kernel with LoRA is set as Keras loads it, or not at all."""
    model = drawn("low_rank")
    layer = model.layers[0]
    kernel, a = values([layer._kernel, layer.lora_kernel_a])
    merged = np.asarray(keras.ops.convert_to_numpy(layer.kernel))
    FACTS["low rank: a part of it is not zero"] = not np.array_equal(kernel, merged)
    before = bits(model)
    store = open_weights(model)
    last = list(store)[-1]
    store._places[last] = dataclasses.replace(
        store._places[last], handle=Breaking(store._places[last].handle, UnwantedError)
    )
    with contextlib.suppress(UnwantedError):
        plan(model, Scale(0.5)).apply(store)
        FACTS["low rank: it fails"] = False
    FACTS["low rank: a commit that is cut short is undone"] = bits(model) == before
    report = edit(model, Scale(0.5))
    FACTS["low rank: the kernel is that of the file"] = np.array_equal(
        values([layer._kernel])[0], merged * np.float32(0.5)
    )
    FACTS["low rank: the update starts from zero"] = not values([layer.lora_kernel_b])[0].any()
    FACTS["low rank: the first factor stays"] = np.array_equal(values([layer.lora_kernel_a])[0], a)
    FACTS["low rank: it is said"] = "are merged into their kernels" in str(report)
    model.compile(optimizer="sgd", loss="mse")
    model.fit(np.ones((4, 4), "float32"), np.ones((4, 2), "float32"), verbose=0)
    FACTS["low rank: its training goes on"] = bool(values([layer.lora_kernel_b])[0].any())


def try_refusals():
    model = keras.Sequential([keras.Input((4,)), Doubled(2, name="a")])
    FACTS["refused: a kernel that its layer computes on saving"] = refused(
        lambda: edit(model, Scale(0.5), where="**"), RequestError, "layers/doubled/vars/0", "computed"
    )
    unbuilt = keras.Sequential([layers.Dense(2)], name="early")
    FACTS["refused: an unbuilt model"] = refused(lambda: edit(unbuilt, Scale(0.5)), RequestError, "early", "built")
    FACTS["refused: an unbuilt layer"] = refused(lambda: open_weights(layers.Dense(2)), RequestError, "built")
    FACTS["refused: what is no model"] = refused(lambda: open_weights(42), RequestError, "int")
    FACTS["refused: a list of arrays"] = refused(lambda: open_weights([np.ones(2)]), RequestError, "index 0", "ndarray")
    ready = drawn("sequential")
    for name, options in (
        ("output", {"output": "x.h5"}),
        ("backup", {"backup": False}),
        ("verify", {"verify": True}),
        ("like", {"like": "x.h5"}),
        ("overwrite", {"overwrite": True}),
    ):
        before = bits(ready)
        FACTS[f"refused: {name} for a model"] = refused(
            lambda options=options: edit(ready, Scale(0.5), **options), RequestError, "leave"
        )
        FACTS[f"refused: {name} for a model, which is as it was"] = bits(ready) == before
    FACTS["refused: verify for a model, in a dry run too"] = refused(
        lambda: edit(ready, Scale(0.5), verify=True, dry_run=True), RequestError, "leave"
    )
    FACTS["refused: a plan of other weights"] = refused(
        lambda: plan(drawn("nested"), Scale(0.5)).apply(ready), RequestError, "make the plan here"
    )


def try_parts():
    """A layer, an optimizer and a list of variables are stores too."""
    model = trained()
    layer = open_weights(model.layers[0])
    FACTS["parts: a layer"] = [(ref.structure, ref.path) for ref in layer] == [
        ("vars/0", "kernel"),
        ("vars/1", "bias"),
    ] and "Dense 'a'" in layer.label
    optimizer = open_weights(model.optimizer)
    FACTS["parts: an optimizer"] = {ref.kind for ref in optimizer} == {Kind.OPTIMIZER} and "iteration" in {
        ref.name for ref in optimizer
    }
    listed = open_weights([*model.trainable_variables, model.trainable_variables[0]])
    FACTS["parts: a list of variables has their paths, made unique"] = [ref.structure for ref in listed] == [
        *(variable.path for variable in model.trainable_variables),
        model.trainable_variables[0].path + "#2",
    ]
    before = values(model.trainable_variables)
    edit(list(model.trainable_variables), Scale(0.5))
    FACTS["parts: a list of variables is edited"] = all(
        np.array_equal(now, was * np.float32(0.5))
        for was, now in zip(before, values(model.trainable_variables), strict=True)
    )


def try_backend():
    """What one backend has and the others have not: places, flags, replicas."""
    model = drawn("sequential")
    if BACKEND == "torch":
        parameters = [variable.value for variable in model.variables]
        views = [parameter.detach() for parameter in parameters]
        edit(model, Scale(0.5))
        FACTS["torch: parameters stay the same objects with the same memory and flags"] = all(
            variable.value is parameter
            and parameter.data_ptr() == view.data_ptr()
            and parameter.requires_grad == (variable.trainable)
            for variable, parameter, view in zip(model.variables, parameters, views, strict=True)
        )
    elif BACKEND == "jax":
        import jax  # noqa: PLC0415

        mesh = jax.make_mesh((2,), ("rows",))
        spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))
        kernel = model.layers[0].kernel
        kernel._value = jax.device_put(kernel._value, spread)
        were = [(variable._value.sharding, variable._value.committed) for variable in model.variables]
        edit(model, Scale(0.5))
        FACTS["jax: values stay where they were, spread and bound as they were"] = (
            were == [(variable._value.sharding, variable._value.committed) for variable in model.variables]
            and kernel._value.sharding == spread
        )
    else:
        _replicas()


def _replicas():
    import tensorflow as tf  # noqa: PLC0415

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = drawn("sequential")
    before = values(model.variables)
    edit(model, Scale(0.5))
    kernel = model.layers[0].kernel
    FACTS["tensorflow: replicas stay in step"] = len(kernel._value.values) == 2 and all(
        np.array_equal(part.numpy(), before[0] * np.float32(0.5)) for part in kernel._value.values
    )
    failing = Failing(list(open_weights(model))[-1].structure, "raise")
    was = [[part.numpy().tobytes() for part in variable._value.values] for variable in model.variables]
    with contextlib.suppress(UnwantedError):
        edit(model, failing)
    FACTS["tensorflow: replicas are as they were after a failure"] = was == [
        [part.numpy().tobytes() for part in variable._value.values] for variable in model.variables
    ]


def try_denormals():
    """Values that backends flush to zero are computed by NumPy."""
    model = drawn("sequential")
    with open_weights(model) as store:
        first = next(iter(store))
        with store.editing([first]) as sink:
            sink.write(first, np.full(first.shape, 3e-39, np.float32))
    edit(model, Scale(0.5), where="a/kernel")
    FACTS["numbers: denormals are halved, not flushed"] = (
        open_weights(model).read(first).tobytes()
        == (np.full(first.shape, 3e-39, np.float32) * np.float32(0.5)).tobytes()
    )
    narrow = drawn("bfloat16")
    FACTS["numbers: bfloat16 is that of ml_dtypes"] = next(iter(open_weights(narrow))).dtype == ml_dtypes.bfloat16


def try_shared_variables():
    """SpectralNormalization keeps its layer's kernel as its own: one variable, two addresses."""
    start = keras.Input((4,))
    model = keras.Model(start, keras.layers.SpectralNormalization(keras.layers.Dense(3, name="d"), name="sn")(start))
    kernel = model.get_layer("sn").layer.kernel
    before = np.array(keras.ops.convert_to_numpy(kernel))
    FACTS["shared: one address alone is refused"] = refused(
        lambda: edit(model, Scale(2.0), where="sn/kernel"), RequestError, "sn/kernel and sn/d/kernel are one variable"
    )
    FACTS["shared: a refused edit changes nothing"] = np.array_equal(keras.ops.convert_to_numpy(kernel), before)
    edit(model, Scale(2.0), where="name:kernel")
    FACTS["shared: all addresses together are set once"] = np.array_equal(
        keras.ops.convert_to_numpy(kernel), 2 * before
    )
    edit([kernel, kernel], Scale(0.5))
    FACTS["shared: a variable that is listed twice is set once"] = np.array_equal(
        keras.ops.convert_to_numpy(kernel), before
    )


if BACKEND == "jax":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
elif BACKEND == "tensorflow":
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
warnings.simplefilter("ignore")
for one in ("sequential", "nested", "subclassed", "recurrent", "custom", "bfloat16", "float16", "trained"):
    try_scale(one)
try_failures()
try_early()
try_broken_commit()
try_optimizer()
try_tracing()
try_memory()
try_low_rank()
try_refusals()
try_parts()
try_backend()
try_denormals()
try_shared_variables()
sys.stdout.write(json.dumps(FACTS) + "\n")

"""Run by the tests in a process of its own: fill models of Keras 3 from the files of every era, with Keras and with us.

    python loading_check.py FOLDER GOLDEN

Each weight of the models in ``GOLDEN/eras`` should be what its place says (scripts/make/golden_kinds.py), whatever a
file calls it. Prints one JSON object: facts by name, true where they hold, else what was found; the tests assert each.
"""

from __future__ import annotations

import functools
import gc
import json
import logging
import sys
import warnings
from pathlib import Path
from unittest import mock

import h5py
import keras
import numpy as np
from keras import layers

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS), str(TESTS.parent / "scripts" / "make")]
import golden_cases  # noqa: E402
import golden_kinds  # noqa: E402
import reader_thread  # noqa: E402

from weightkit import load_weights  # noqa: E402
from weightkit.errors import WeightkitError  # noqa: E402

FOLDER, GOLDEN = map(Path, sys.argv[1:])
FACTS: dict[str, object] = {}


def plain(variable):
    return np.asarray(keras.ops.convert_to_numpy(variable.value))


def clear(model):
    for variable in model.variables:
        if "float" in variable.dtype:
            variable.assign(np.zeros(variable.shape, "float32"))


def loaded(model, load):
    """The bytes of each variable after a load into zeros; or the refusal."""
    clear(model)
    try:
        load()
    except (ValueError, TypeError, WeightkitError) as error:
        return f"refused: {error}"
    return [plain(variable).tobytes() for variable in model.variables]


def filled(model, load):
    """The same, by each weight's place."""
    found = loaded(model, load)
    if isinstance(found, str):
        return found
    return {place: plain(variable).tobytes() for place, variable in golden_kinds.placed(model)}


def verdict(found, wanted):
    """True where every weight is right; else the refusal, or whose values are where."""
    if isinstance(found, str) or found == wanted:
        return found if isinstance(found, str) else True
    places = {values: place for place, values in wanted.items()}
    wrong = {place: places.get(found[place], "nothing") for place in wanted if found[place] != wanted[place]}
    return "misplaced: " + ", ".join(f"{place} has {other}" for place, other in wrong.items())


# What each weight should be --------------------------------------------------------------------------------------

GATES = {"LSTM": ("icfo", "ifco"), "GRU": ("zrh", "zrh")}  # in the order of Keras 1, and of today


def wanted(model, family):
    return {
        place: (_of_gates if family == "keras1" else golden_kinds.drawn)(place, tuple(variable.shape)).tobytes()
        for place, variable in golden_kinds.placed(model)
    }


def _of_gates(place, shape):
    """Keras 1 keeps a kernel, a recurrent kernel and a bias for each gate."""
    layer, _, number = place.rpartition("/")
    kind = "GRU" if layer == "gated" else layer.split("/")[-1].split("#")[0]
    if kind not in GATES:
        return golden_kinds.drawn(place, shape)
    then, now = GATES[kind]
    of_gate = (*shape[:-1], shape[-1] // len(now))
    parts = [golden_kinds.drawn(f"{layer}/{3 * then.index(gate) + int(number)}", of_gate) for gate in now]
    return np.concatenate(parts, axis=-1)


# The files of every era ------------------------------------------------------------------------------------------


@functools.cache
def built(kind, era, head=2, *, again=False):
    """A model with the names that a first model has, or with those of a second one."""
    keras.backend.clear_session()
    if again:
        golden_kinds.built(kind, era)
    return golden_kinds.built(kind, era, head)


def model_of(path, **options):
    """The model that a file is of, which is one for several eras, and its family."""
    family, kind = path.name.split(".")[0].split("_")
    era = golden_kinds.ERAS[family]._replace(saved=None)
    return built(kind, era, **options), family


AGAIN = (
    "keras20_recurrent.h5",
    "tfkeras24_functional.h5",
    "tfkeras215_subclassed.weights_only.h5",
    "keras35_sequential.weights.h5",
)
"""Files that a second model is filled from, whose automatic names have other numbers."""


def try_eras():
    for path in sorted((GOLDEN / "eras").glob("*.*")):
        try_file(path)
    for name in AGAIN:
        try_file(GOLDEN / "eras" / name, again=True)


def try_file(path, **how):
    model, family = model_of(path, **how)
    right, again = wanted(model, family), "again " if how else ""
    theirs = filled(model, lambda: model.load_weights(path))
    ours = filled(model, lambda: load_weights(model, path))
    FACTS[f"{again}ours: {path.name}"] = verdict(ours, right)
    FACTS[f"{again}keras: {path.name}"] = verdict(theirs, right)
    if path.suffix == ".h5" and not path.name.endswith(".weights.h5"):
        theirs = filled(model, lambda: model.load_weights(path, by_name=True))
        ours = filled(model, lambda: load_weights(model, path, match="name"))
        FACTS[f"{again}keras by name: {path.name}"] = verdict(theirs, right)
        FACTS[f"{again}ours by name: {path.name}"] = verdict(ours, right)


def try_skip(name):
    """A head of other units stays as it is, and all else is loaded."""
    path = GOLDEN / "eras" / name
    model, family = model_of(path, head=3)
    right = wanted(model, family)
    head = [place for place, _ in golden_kinds.placed(model)][-2:]
    theirs = filled(model, lambda: model.load_weights(path, skip_mismatch=True))
    ours = filled(model, lambda: load_weights(model, path, on_mismatch="skip"))
    FACTS[f"skip: {name} loads as Keras loads it"] = ours == theirs
    FACTS[f"skip: {name} leaves the head alone"] = not any(b"".join(ours[place] for place in head))
    FACTS[f"skip: {name} loads all else"] = [place for place in ours if ours[place] != right[place]] == head


# Other golden files ----------------------------------------------------------------------------------------------

OTHERS = {
    "keras20": ("copied", "optimizer"),
    "tfkeras215": ("subclassed",),
    "keras315": ("nested", "shared", "transformer", "int8", "bfloat16"),
}


def try_other(family, name):
    """Values that follow from no place: what Keras loads, ours loads to the same bytes."""
    gru = functools.partial(layers.GRU, reset_after=False) if family == "keras20" else layers.GRU
    with (
        mock.patch.object(golden_cases, "_fit", lambda model, *_: model),
        mock.patch.object(layers, "GRU", gru),
    ):
        golden_cases.begin()
        _, model = golden_cases.CASES[family][name]()
    by_file = []
    for path in sorted(GOLDEN.glob(f"{family}_{name}.*")):
        theirs, ours = (
            loaded(model, load)
            for load in (functools.partial(model.load_weights, path), functools.partial(load_weights, model, path))
        )
        FACTS[f"other keras: {path.name}"] = not isinstance(theirs, str) or theirs
        FACTS[f"other: {path.name}"] = ours == theirs and all(map(any, ours))
        by_file.append(ours)
    FACTS[f"formats: {family}_{name} is the same in each"] = all(found == by_file[0] for found in by_file)


# Where Keras puts a weight in the wrong layer, and says nothing --------------------------------------------------


def dense(*names):
    return keras.Sequential([keras.Input((2,)), *(layers.Dense(2, name=name) for name in names)])


def saved(model, name):
    for number, variable in enumerate(model.variables):
        variable.assign(np.full(variable.shape, number + 1, "float32"))
    model.save(FOLDER / name)
    return FOLDER / name


def try_order():
    """Layers of the same names in another order."""
    path = saved(dense("low", "middle", "high"), "order.h5")
    model = dense("high", "middle", "low")
    with h5py.File(path) as file:
        kernels = {name: file[f"model_weights/{name}"] for name in ("low", "middle", "high")}
        kernels = {name: next(_datasets(group))[()] for name, group in kernels.items()}

    def has(layer, name):
        return bool((plain(model.get_layer(layer).kernel) == kernels[name]).all())

    model.load_weights(path)
    FACTS["order: Keras gives a layer the weights of another"] = has("high", "low") and has("low", "high")
    load_weights(model, path)
    FACTS["order: we give each its own"] = all(has(name, name) for name in kernels)
    other = dense("high", "new", "low")
    clear(other)
    other.load_weights(path)
    FACTS["order: Keras does so with a layer that the file does not have"] = bool(
        plain(other.get_layer("new").kernel).any()
    )
    clear(other)
    try:
        load_weights(other, path)
        FACTS["order: we refuse that"] = "loaded"
    except WeightkitError as refusal:
        FACTS["order: we refuse that"] = "new/kernel" in str(refusal) or str(refusal)
    FACTS["order: and change nothing"] = not any(plain(variable).any() for variable in other.variables)


def _datasets(group):
    found = []
    group.visititems(lambda name, item: found.append(item) if name.endswith("kernel") else None)
    yield from found


def try_unfrozen():
    """Legacy files keep what is trained first, and Keras reads them by what is trained in the model."""
    path = GOLDEN / "eras" / "tfkeras211_functional.weights_only.h5"
    model, family = model_of(path)
    for layer in model.get_layer("encoder").layers[2].layers:
        layer.trainable = True
    right = wanted(model, family)
    FACTS["unfrozen: keras"] = verdict(filled(model, lambda: model.load_weights(path)), right)
    FACTS["unfrozen: ours"] = verdict(filled(model, lambda: load_weights(model, path)), right)


warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
reader_thread.use(thread=True)
gc.freeze()  # `clear_session` collects garbage, and would look through all of TensorFlow each time
try_eras()
for file in ("keras22_functional.h5", "tfkeras24_sequential.h5", "keras315_recurrent.weights.h5"):
    try_skip(file)
try_unfrozen()
for versions, cases in OTHERS.items():
    for case in cases:
        try_other(versions, case)
try_order()
sys.stdout.write(json.dumps(FACTS) + "\n")

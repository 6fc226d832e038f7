"""Run by the tests in a process of its own, on one backend: the square.

    python square_check.py FOLDER [--full]

To edit a file and load it is to load it and edit the model, bit for bit; and a plan made on one side does the same on
the other. Prints one JSON object: facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import traceback
import warnings
import zlib
from pathlib import Path

import keras
import numpy as np
from models import CUSTOM, KINDS, all_variables, drawn, saved_bits, values

from weightkit import Reinitialize, Scale, edit, load_weights, open_weights, plan
from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.edits.choose import plan_edit
from weightkit.access.edits.transform import Transform
from weightkit.access.ref import Kind
from weightkit.access.store import ALL, Destination

FOLDER = Path(sys.argv[1])
FACTS: dict[str, object] = {}


@dataclasses.dataclass(frozen=True)
class Mix(Transform):
    """Mixes in noise by a weight's name and an element's place: it tells where a name or an order is another."""

    elementwise: bool
    kinds = frozenset({Kind.PARAMETER, Kind.STATISTIC})

    def dtype(self, ref):
        return ref.dtype

    def objection(self, ref):
        return "" if is_floating(ref.dtype) else f"it holds {ref.dtype}"

    def notes(self):
        return ()

    def __call__(self, ref, values, span=ALL):
        noise = np.random.default_rng(zlib.crc32(ref.path.encode())).random(ref.size, np.float32)
        flat = noise if span == ALL else noise[span]
        return values + flat.astype(values.dtype).reshape(values.shape)


TRANSFORMS = {
    "scale(0.5)": Scale(0.5),
    "scale(0.1)": Scale(0.1),
    "mix by tiles": Mix(elementwise=True),
    "mix whole": Mix(elementwise=False),
    "reinitialize(seed=7)": Reinitialize(seed=7),
    "reinitialize('he_normal', seed=8)": Reinitialize("he_normal", seed=8),
}
"""Every transform that keeps shapes and types: a new one is one place here."""

FORMATS = ("weights.h5", "keras", "h5")
LEFT_OUT = {
    ("h5", "subclassed"): "Keras saves whole models of a user's own class in no legacy file",
    ("h5", "bfloat16"): "Keras cannot load the opaque bytes that it writes",
    ("h5", "quantized"): "Keras 3.15 cannot load it",
    ("h5", "custom"): "the file does not tell what a user's own weights are",
    ("h5", "low_rank"): "the file has the two factors, each of which an edit changes; elsewhere they are merged",
}
EXCLUDED = {"quantized": "a"}  # a quantized layer is not edited by parts
UNTOLD = {
    ("reinitialize(seed=7)", "custom"): "the initializer of a user's own weights is not known",
    ("mix by tiles", "built_in_turns"): "it goes by names, and every build has others",
    ("mix whole", "built_in_turns"): "the same",
}
FULL = "--full" in sys.argv


def transforms_for(kind, form):
    """All for every kind in every format; by default one, another in each turn: each still meets every format."""
    known = [(name, transform) for name, transform in TRANSFORMS.items() if (name, kind) not in UNTOLD]
    turn = list(KINDS).index(kind) + FORMATS.index(form)
    return known if FULL else [known[turn % len(known)]]


def save(model, kind, form):
    path = FOLDER / f"{kind}.{form}"
    model.save_weights(path) if form == "weights.h5" else model.save(path)
    return path


def load(path, kind, form):
    if form == "weights.h5":
        model = KINDS[kind]()
        model.load_weights(path)
        return model
    return keras.saving.load_model(path, custom_objects=CUSTOM, safe_mode=False)


def try_square(kind, form):
    path = save(drawn(kind), kind, form)
    exclude = EXCLUDED.get(kind)
    model = load(path, kind, form)
    variables = all_variables(model)
    start, held = saved_bits(model), values(variables)
    if FULL or form == FORMATS[list(KINDS).index(kind) % len(FORMATS)]:
        try_loading(path, kind, form, wanted=saved_bits(model, optimizer=False))
    held = [value.copy() for value in held]

    def restart():
        for variable, value in zip(variables, held, strict=True):
            variable.assign(value)

    untold = form == "weights.h5" or kind in {"custom", "subclassed"}
    for name, transform in transforms_for(kind, form):
        what = f"{name}, {form}, {kind}"
        out, planned = FOLDER / f"edited.{kind}.{form}", FOLDER / f"planned.{kind}.{form}"
        made = plan(model, transform, exclude=exclude)
        with open_weights(path, editable=True, like=model if untold else None) as file:
            on_file = plan_edit(file, transform, exclude=exclude)
            on_file.apply(file, Destination(out, overwrite=True))
            made.apply(file, Destination(planned, overwrite=True))
        wanted = saved_bits(load(out, kind, form))
        FACTS[f"{what}: it changes something"] = wanted != start
        FACTS[f"{what}: the model's plan does the same to the file"] = out.read_bytes() == planned.read_bytes()
        edit(model, transform, exclude=exclude)
        FACTS[f"{what}: edit and load is load and edit"] = saved_bits(model) == wanted
        restart()
        on_file.apply(open_weights(model))
        FACTS[f"{what}: the file's plan does the same to the model"] = saved_bits(model) == wanted
        restart()


def try_loading(path, kind, form, wanted):
    """A fresh model is filled from the file as Keras fills it."""
    fresh = drawn(kind, seed=1)
    report = load_weights(fresh, path)
    if kind == "low_rank":
        # Keras sets both factors to zero, which ends their training; an edit keeps the first.
        fresh.layers[0].lora_kernel_a.assign(np.zeros(fresh.layers[0].lora_kernel_a.shape))
    FACTS[f"load_weights, {form}, {kind}: it loads what Keras loads"] = saved_bits(fresh, optimizer=False) == wanted
    FACTS[f"load_weights, {form}, {kind}: it says how"] = any("matched by" in note for note in report.plan.notes)


warnings.simplefilter("ignore")
FACTS["backend is the one asked for"] = keras.config.backend() == os.environ["KERAS_BACKEND"]
for one in KINDS:
    for way in FORMATS:
        if (way, one) not in LEFT_OUT:
            try:
                try_square(one, way)
            except Exception:  # noqa: BLE001
                FACTS[f"{way}, {one}: runs"] = traceback.format_exc()[-900:]
sys.stdout.write(json.dumps(FACTS) + "\n")

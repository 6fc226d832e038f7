"""Run by the tests in a process of its own, on one backend: live stores against the files that Keras saves.

    python live_check.py FOLDER

Prints one JSON object: facts by name, true where they hold; the tests assert each.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from pathlib import Path

import h5py
import keras
import ml_dtypes
import numpy as np
from models import KINDS, drawn

from weightkit import open_weights
from weightkit.access.ref import Kind

FOLDER = Path(sys.argv[1])
FACTS: dict[str, object] = {}


def plain(path):
    """Values by address with plain h5py."""
    found = {}

    def keep(name, thing):
        if isinstance(thing, h5py.Dataset):
            value = np.asarray(thing[()])
            found[name] = value.view(ml_dtypes.bfloat16) if thing.dtype == np.dtype("V2") else value

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def look(store):
    return {ref.structure: (ref.shape, ref.dtype.name, store.read(ref).tobytes()) for ref in store}


def disagreements(live, file):
    """What a file store and a live store say differently of one weight, where both know."""
    ours = {ref.structure: ref for ref in live}
    wrong = []
    for theirs in file:
        mine = ours[theirs.structure]
        for field in ("layer", "name", "layer_class", "trainable", "index", "duplicate"):
            known = getattr(theirs, field)
            if field == "index" and not theirs.structure[-1].isdecimal():
                continue  # a key of a layer's own, which no file counts
            if known is not None and getattr(mine, field) not in (known, None) and theirs.kind is not Kind.OPTIMIZER:
                wrong.append((theirs.structure, field, known, getattr(mine, field)))
        if theirs.kind is not Kind.UNKNOWN and theirs.kind is not mine.kind:
            wrong.append((theirs.structure, "kind", str(theirs.kind), str(mine.kind)))
    return wrong


def try_kind(kind):
    model = drawn(kind)
    weights, archive = FOLDER / f"{kind}.weights.h5", FOLDER / f"{kind}.keras"
    model.save_weights(weights)
    model.save(archive)
    with open_weights(model) as live, open_weights(weights) as file, open_weights(archive) as zipped:
        ours = look(live)
        theirs = {key: (value.shape, value.dtype.name, value.tobytes()) for key, value in plain(weights).items()}
        FACTS[f"{kind}: the addresses are those in Keras' file"] = sorted(ours) == sorted(theirs)
        FACTS[f"{kind}: shapes, types and values are those in Keras' file"] = ours == theirs
        FACTS[f"{kind}: the file store reads the same"] = look(file) == ours == look(zipped)
        FACTS[f"{kind}: names and kinds agree with those of weights alone"] = disagreements(live, file) or True
        FACTS[f"{kind}: names and kinds agree with those of the archive"] = disagreements(live, zipped) or True
        FACTS[f"{kind}: every weight has a kind"] = [
            ref.path for ref in live if ref.kind is Kind.UNKNOWN or ref.name is None
        ] == []
        if live.ordered and zipped.ordered:
            FACTS[f"{kind}: the order is that of the archive"] = [ref.structure for ref in live] == [
                ref.structure for ref in zipped
            ]


warnings.simplefilter("ignore")
FACTS["backend is the one asked for"] = keras.config.backend() == os.environ["KERAS_BACKEND"]
for one in KINDS:
    try:
        try_kind(one)
    except Exception:  # noqa: BLE001
        FACTS[f"{one}: runs"] = traceback.format_exc()[-1500:]
sys.stdout.write(json.dumps(FACTS) + "\n")

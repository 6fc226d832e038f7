"""weightkit: inspect and edit the weights of Keras models, in files and in memory, safely.

Functions act on a target (a path, a model, a layer, a list of variables or an open store) and return a report;
classes such as ``Scale(0.5)`` are the same acts as values, for `plan` and `edit`.

Importing this loads neither Keras nor a backend, nor NumPy nor h5py: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weightkit import access as access
    from weightkit import inspect as inspect
    from weightkit import layers as layers
    from weightkit import testing as testing
    from weightkit import training as training
    from weightkit import transforms as transforms
    from weightkit.access import Kind, Plan, Report, Target, WeightRef, Where, edit, match, open_weights, plan
    from weightkit.access.suggest import suggest
    from weightkit.compare.diff import diff
    from weightkit.errors import WeightkitError
    from weightkit.inspect.show import show
    from weightkit.surgery.cast import Cast, cast
    from weightkit.surgery.drop import Drop, drop
    from weightkit.surgery.restore import list_backups, restore
    from weightkit.surgery.salvage import salvage
    from weightkit.surgery.strip import Strip, strip
    from weightkit.transforms.load_weights import LoadWeights, load_weights
    from weightkit.transforms.loading import Resizing
    from weightkit.transforms.reinitialize import Reinitialize, reinitialize
    from weightkit.transforms.scale import Scale, scale

__version__ = "0.1.0"

_HOMES = {
    "Cast": "weightkit.surgery.cast",
    "Drop": "weightkit.surgery.drop",
    "Kind": "weightkit.access",
    "LoadWeights": "weightkit.transforms.load_weights",
    "Plan": "weightkit.access",
    "Reinitialize": "weightkit.transforms.reinitialize",
    "Report": "weightkit.access",
    "Resizing": "weightkit.transforms.loading",
    "Scale": "weightkit.transforms.scale",
    "Strip": "weightkit.surgery.strip",
    "Target": "weightkit.access",
    "WeightRef": "weightkit.access",
    "WeightkitError": "weightkit.errors",
    "Where": "weightkit.access",
    "cast": "weightkit.surgery.cast",
    "diff": "weightkit.compare.diff",
    "drop": "weightkit.surgery.drop",
    "edit": "weightkit.access",
    "list_backups": "weightkit.surgery.restore",
    "load_weights": "weightkit.transforms.load_weights",
    "match": "weightkit.access",
    "open_weights": "weightkit.access",
    "plan": "weightkit.access",
    "reinitialize": "weightkit.transforms.reinitialize",
    "restore": "weightkit.surgery.restore",
    "salvage": "weightkit.surgery.salvage",
    "scale": "weightkit.transforms.scale",
    "show": "weightkit.inspect.show",
    "strip": "weightkit.surgery.strip",
    "suggest": "weightkit.access.suggest",
}
_ROOMS = ("access", "inspect", "layers", "testing", "training", "transforms")
"""Packages that are loaded when they are first used; two of them need Keras, and one pytest."""

__all__ = [
    "Cast", "Drop", "Kind", "LoadWeights", "Plan", "Reinitialize", "Report", "Resizing", "Scale", "Strip", "Target",
    "WeightRef", "WeightkitError", "Where", "__version__", "cast", "diff", "drop", "edit", "list_backups",
    "load_weights", "match", "open_weights", "plan", "reinitialize", "restore", "salvage", "scale", "show", "strip",
    "suggest",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"weightkit.{name}")
    if name not in _HOMES:
        from weightkit.text import no_attribute  # noqa: PLC0415  # few names are wrong

        raise no_attribute(__name__, name, __dir__())
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS})

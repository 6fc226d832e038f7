"""weightkit: inspect and edit the weights of Keras models, in files and in memory, without surprises.

Importing this loads neither Keras nor a backend, nor NumPy nor h5py: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weightkit.access import Kind, Plan, Report, WeightRef, match, open_weights
    from weightkit.compare.diff import diff
    from weightkit.editing import edit, load_weights, plan
    from weightkit.errors import WeightkitError
    from weightkit.surgery.cast import cast
    from weightkit.surgery.drop import drop
    from weightkit.surgery.restore import list_backups, restore
    from weightkit.surgery.strip import strip
    from weightkit.transforms.copy_from import copy_from
    from weightkit.transforms.reinitialize import reinitialize
    from weightkit.transforms.scale import scale

__version__ = "0.1.0"

_HOMES = {
    "Kind": "weightkit.access",
    "Plan": "weightkit.access",
    "Report": "weightkit.access",
    "WeightRef": "weightkit.access",
    "WeightkitError": "weightkit.errors",
    "cast": "weightkit.surgery.cast",
    "copy_from": "weightkit.transforms.copy_from",
    "diff": "weightkit.compare.diff",
    "drop": "weightkit.surgery.drop",
    "edit": "weightkit.editing",
    "list_backups": "weightkit.surgery.restore",
    "load_weights": "weightkit.editing",
    "match": "weightkit.access",
    "open_weights": "weightkit.access",
    "plan": "weightkit.editing",
    "reinitialize": "weightkit.transforms.reinitialize",
    "restore": "weightkit.surgery.restore",
    "scale": "weightkit.transforms.scale",
    "strip": "weightkit.surgery.strip",
}

__all__ = [
    "Kind", "Plan", "Report", "WeightRef", "WeightkitError", "__version__", "cast", "copy_from", "diff", "drop",
    "edit", "list_backups", "load_weights", "match", "open_weights", "plan", "reinitialize", "restore", "scale",
    "strip",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'weightkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

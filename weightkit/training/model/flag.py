"""One weight's flag before and after, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from weightkit.access import Kind, Source, WeightRef

_TYPES: dict[str, Any] = {
    "structure": str,
    "layer": str | None,
    "index": int,
    "name": str | None,
    "shape": list,
    "dtype": str,
    "kind": str,
    "layer_class": str | None,
    "duplicate": int,
    "before": bool,
    "after": bool,
}


@dataclass(frozen=True, slots=True)
class Flag:
    """One weight's flag: whether it is trained; of a BatchNormalization's statistics, whether they are updated."""

    ref: WeightRef
    before: bool
    after: bool


def flag_to_dict(flag: Flag) -> dict[str, Any]:
    """As JSON, with all that finds the weight again."""
    ref = flag.ref
    return {
        "structure": ref.structure,
        "layer": ref.layer,
        "index": ref.index,
        "name": ref.name,
        "path": ref.path,
        "shape": list(ref.shape),
        "dtype": ref.dtype.name,
        "kind": str(ref.kind),
        "layer_class": ref.layer_class,
        "duplicate": ref.duplicate,
        "before": flag.before,
        "after": flag.after,
    }


def flag_from_dict(data: dict[str, Any]) -> Flag:
    """From what `flag_to_dict` gave."""
    for key, kinds in _TYPES.items():
        if not isinstance(data[key], kinds) or (kinds is int and isinstance(data[key], bool)):
            raise TypeError(f"{key} is {data[key]!r}")
    name = data["dtype"]
    dtype = np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else np.dtype(name)
    ref = WeightRef(
        structure=data["structure"],
        layer=data["layer"],
        index=data["index"],
        name=data["name"],
        shape=tuple(data["shape"]),
        dtype=dtype,
        kind=Kind(data["kind"]),
        layer_class=data["layer_class"],
        trainable=bool(data["before"]),
        known_from=Source.MODEL,
        duplicate=data["duplicate"],
    )
    return Flag(ref, bool(data["before"]), bool(data["after"]))

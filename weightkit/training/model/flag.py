"""The flag of one weight before and after, and its form in JSON."""

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
    """Whether one weight is trained, before and after; for a moving statistic, whether it is updated."""

    ref: WeightRef
    before: bool
    after: bool


def flag_to_dict(flag: Flag) -> dict[str, Any]:
    """A dictionary for JSON, with everything that finds the weight in another copy of the model."""
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
    """Make a flag from the dictionary of `flag_to_dict`.

    Raises:
        KeyError: A key is missing.
        TypeError: A value has another type.
    """
    for key, kinds in _TYPES.items():
        # JSON's true is an int in Python.
        if not isinstance(data[key], kinds) or (kinds is int and isinstance(data[key], bool)):
            raise TypeError(f"{key} is {data[key]!r}")
    name = data["dtype"]
    # NumPy itself has neither bfloat16 nor the types of float8.
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

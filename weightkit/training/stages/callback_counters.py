"""What callbacks have counted, such as the epochs without improvement: read, and put back in a resumed run.

Keras' callbacks keep it in attributes and forget it at the beginning of every ``fit``. Settings are not put back: they
are those of the callbacks that the resumed run was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.training.stages.stage import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_BEST = "best_weights"
"""Where an EarlyStopping keeps the weights that it restores at the end."""


def counters_of(callbacks: Iterable[Any]) -> list[dict[str, Any]]:
    """For each callback, its class and those of its attributes that are numbers, texts, True, False or None."""
    found = []
    for callback in callbacks:
        settings = settings_of(callback)
        plain = {name: _plain(value) for name, value in vars(callback).items() if name not in settings}
        counters = {name: value for name, value in plain.items() if value is not _NOT_PLAIN}
        found.append({"class": type(callback).__name__, "counters": counters})
    return found


def put_back(callbacks: Sequence[Any], saved: Sequence[Mapping[str, Any]]) -> None:
    """Set what `counters_of` found; the callbacks are of the same classes."""
    for callback, state in zip(callbacks, saved, strict=True):
        for name, value in state["counters"].items():
            setattr(callback, name, value)


def best_weights_of(callbacks: Iterable[Any]) -> dict[str, np.ndarray]:
    """The bytes of the best weights that callbacks keep, by the places of callback and weight: ``0/3``."""
    return {
        f"{place}/{number}": np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        for place, callback in enumerate(callbacks)
        for number, values in enumerate(getattr(callback, _BEST, None) or ())
    }


def put_back_best_weights(callbacks: Iterable[Any], model: Any, saved: Mapping[str, np.ndarray]) -> None:
    """Give callbacks the weights of `best_weights_of`.

    Raises:
        ValueError: They are not the weights of the model.
    """
    for place, callback in enumerate(callbacks):
        if f"{place}/0" in saved:
            like = [np.asarray(values) for values in model.get_weights()]
            flat = [saved[f"{place}/{number}"] for number in range(len(like))]
            callback.best_weights = [
                bits.view(values.dtype).reshape(values.shape) for bits, values in zip(flat, like, strict=True)
            ]


_NOT_PLAIN = object()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, bool | int | float | str) else _NOT_PLAIN

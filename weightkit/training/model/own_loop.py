"""Whether a compiled model was trained by a loop of the user's own, for which ``compile`` only holds the optimizer."""

from __future__ import annotations

import weakref
from typing import Any

from weightkit.training.model.compile_arguments import compilation_of, is_compiled
from weightkit.training.optimizer.other_optimizers import single_optimizers
from weightkit.training.optimizer.slot_values import values_of

_COMPILED: weakref.WeakKeyDictionary[Any, tuple[Any, int]] = weakref.WeakKeyDictionary()
"""Models that weightkit compiled again, with what that ``compile`` made and the steps that the optimizer had."""


def note_steps(model: Any) -> None:
    """Note how many steps the optimizer of a model had when the model was compiled again."""
    _COMPILED[model] = (compilation_of(model), _steps(model))


def is_trained_by_own_loop(model: Any) -> bool:
    """Whether a model's optimizer took steps since ``compile``, and none of Keras' own train functions was made.

    A model that was loaded with the steps of its optimizer counts too. Steps under ``jax.jit`` are not seen where the
    loop does not assign them to the optimizer.
    """
    if not is_compiled(model) or getattr(model, "train_function", None) is not None:
        return False
    compilation, steps = _COMPILED.get(model, (None, 0))
    return _steps(model) > (steps if compilation is compilation_of(model) else 0)


def _steps(model: Any) -> int:
    # `iterations` is divided by the accumulation steps (Keras 3.15).
    return max((int(values_of(one._iterations)) for one in single_optimizers(model.optimizer)), default=0)  # noqa: SLF001

"""Another optimizer for a model that is being trained, and other accumulation steps: what goes on from the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.errors import RequestError
from weightkit.training.optimizer.grouped import has_settable_rate
from weightkit.training.optimizer.other_optimizers import single_optimizers
from weightkit.training.optimizer.rates import rate_of
from weightkit.training.optimizer.routing import counts_steps, default_of, scaled_like
from weightkit.training.optimizer.slot_values import set_values, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.training.optimizer.clones import Clones


def checked_optimizer(given: Any) -> Any:
    """An optimizer that was given as an object, name or configuration.

    Raises:
        RequestError: It is none of these, or was used already.
    """
    try:
        made = keras.optimizers.get(given)
    except (ValueError, TypeError) as error:
        raise RequestError(f"optimizer must be one of Keras 3 or its name, got {given!r}") from error
    if made.built:
        raise RequestError(
            f"optimizer must be new, and {made.name} was built: Keras cannot build an optimizer twice",
            hint="make another one",
        )
    return made


def fits(old: Any, new: Any) -> bool:
    """Whether slots and step count of an optimizer mean the same in a new one, which is single and of the same class.

    In a new MultiOptimizer, each group would need a step count of its own beside its slots.
    """
    single = getattr(new, "inner_optimizer", new)
    return not isinstance(single, keras.optimizers.MultiOptimizer) and type(_single(old)) is type(single)


def require_one_count(old: Any, new: Any) -> None:
    """Refuse to carry slots of groups that are at different steps into one optimizer.

    Raises:
        RequestError: They are.
    """
    counts = sorted({int(values_of(one._iterations)) for one in single_optimizers(old) if counts_steps(one)})  # noqa: SLF001
    if fits(old, new) and len(counts) > 1:
        raise RequestError(
            f"the groups of weights must be at one step for a single optimizer, and are at {counts}",
            hint='pass optimizer_state="fresh"',
        )


def replaced(old: Any, new: Any, clones: Clones) -> Any:
    """The new optimizer, in a LossScaleOptimizer where the old one is in one, paired with the old one."""
    if fits(old, new):
        inner = _single(new)
        clones.add(_single(old), inner)
        if has_settable_rate(inner):
            clones.rates.append((inner, rate_of(inner)))
    scaled = keras.optimizers.LossScaleOptimizer
    if not isinstance(old, scaled):
        return new
    if not isinstance(new, scaled):
        return scaled_like(old, clones, new)
    clones.add(old, new)
    return new


def changed_windows(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The pairs of old and new optimizers that accumulate gradients over another number of steps."""
    return [(old, new) for old, new in pairs if _steps(old) != _steps(new)]


def keep_updates(old: Any, new: Any) -> None:
    """Set the raw step count so that the count of updates goes on; it counts each batch (Keras 3.15)."""
    raw = values_of(old._iterations)  # noqa: SLF001  # `iterations` is divided already, and a tensor
    set_values(new._iterations, np.asarray(raw // _steps(old) * _steps(new), raw.dtype))  # noqa: SLF001


def require_no_schedule(optimizer: Any) -> None:
    """Refuse a schedule, which Keras 3.15 computes from the raw step count.

    Raises:
        RequestError: There is one.
    """
    if not all(map(has_settable_rate, single_optimizers(optimizer))):
        raise RequestError(
            "gradient_accumulation_steps must stay where a schedule counts batches: it would jump",
            hint="pass optimizer= with a new schedule as well",
        )


def _single(optimizer: Any) -> Any:
    """The optimizer inside a LossScaleOptimizer, and of groups the default one."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return default_of(inner) if isinstance(inner, keras.optimizers.MultiOptimizer) else inner


def _steps(optimizer: Any) -> int:
    return optimizer.gradient_accumulation_steps or 1

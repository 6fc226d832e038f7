"""The initializer of a weight in its layer's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.transforms.initializers import keras1_initializers
from weightkit.transforms.initializers.forget_bias import ForgetBias
from weightkit.transforms.initializers.parsing import get
from weightkit.transforms.initializers.variance_scaling import VarianceScaling

if TYPE_CHECKING:
    from weightkit.access import Initial, WeightRef, WeightStore
    from weightkit.transforms.initializers.initializer import Initializer


def own_initializer(store: WeightStore, ref: WeightRef) -> Initializer:
    """What Keras initializes a weight with, by the configuration that its store knows.

    Raises:
        RequestError: There is no configuration, or it names no initializer.
    """
    return _made(store.initial(ref))


def _made(initial: Initial) -> Initializer:
    """The initializer that a configuration describes."""
    initializer = _found(initial.spec, initial)
    if initial.axes is not None and isinstance(initializer, VarianceScaling):
        initializer = initializer.along(*initial.axes)
    if initial.forget is not None:
        forget = _found(initial.forget.spec, initial)
        initializer = ForgetBias(initializer, forget, initial.forget.part, initial.forget.parts)
    return initializer


def _found(spec: Any, initial: Initial) -> Initializer:
    old = (
        keras1_initializers.find(spec, channels_first=initial.channels_first)
        if initial.keras_1 and isinstance(spec, str)
        else None
    )
    return old or get(spec)

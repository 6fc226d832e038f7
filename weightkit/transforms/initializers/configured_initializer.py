"""The initializer that a layer's own configuration names for a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.access.names.initial_values import Initial, initial_of
from weightkit.errors import RequestError
from weightkit.transforms.initializers import keras1_initializers
from weightkit.transforms.initializers.forget_bias import ForgetBias
from weightkit.transforms.initializers.parsing import get
from weightkit.transforms.initializers.variance_scaling import VarianceScaling

if TYPE_CHECKING:
    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore
    from weightkit.transforms.initializers.initializer import Initializer


def own_initializer(store: WeightStore, ref: WeightRef) -> Initializer:
    """What Keras began a weight with, by the configuration that its store knows.

    Raises:
        RequestError: There is no configuration, or it does not tell.
    """
    configured = store.configured(ref)
    if configured is None:
        raise RequestError("there is no configuration of its layer")
    initial = None if ref.name is None else initial_of(configured, ref.name, ref.layer)
    if initial is None:
        raise RequestError(_why_not(configured))
    return _made(initial)


def _made(initial: Initial) -> Initializer:
    """The initializer that a configuration describes."""
    initializer = _found(initial.said, initial)
    if initial.axes is not None and isinstance(initializer, VarianceScaling):
        initializer = initializer.along(*initial.axes)
    if initial.forget is not None:
        forget = _found(initial.forget.said, initial)
        initializer = ForgetBias(initializer, forget, initial.forget.part, initial.forget.parts)
    return initializer


def _found(said: Any, initial: Initial) -> Initializer:
    old = (
        keras1_initializers.find(said, channels_first=initial.channels_first)
        if initial.keras_1 and isinstance(said, str)
        else None
    )
    return old or get(said)


def _why_not(configured: Configured) -> str:
    whose = f"its layer is a {configured.layer_class}"
    return f"{whose}, which says nothing of it" if configured.builtin else f"{whose}, which is none of Keras' own"

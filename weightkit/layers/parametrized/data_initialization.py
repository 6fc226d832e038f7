"""Initialize weight normalization from a batch of data."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.access.live import require_between_steps, variables_of
from weightkit.errors import RequestError
from weightkit.layers.parametrizations.weight_norm import WeightNorm
from weightkit.layers.parametrized.restored_variables import restore_variables_on_error
from weightkit.layers.parametrized.wrapper import Parametrized

if TYPE_CHECKING:
    from collections.abc import Iterator


def initialize_from_data(model: Any, data: Any) -> None:
    """Set the lengths and biases of weight-normalized layers so that a batch has pre-activations of mean 0, variance 1.

    This is the data-dependent initialization of Salimans and Kingma 2016, arXiv 1602.07868, section 3. It is done once,
    before training: the model is called on the batch, without ``training``, and each layer is initialized before its
    outputs go on to the next. A layer that is called several times is initialized by its first call.

    Args:
        model: A built model or layer with layers in which a `WeightNorm` computes the kernel, such as
            ``WeightNormalization(Dense(8))``. They must have a bias, with one number for each length.
        data: One batch of inputs, of any backend or NumPy.

    Raises:
        RequestError: There is no such layer or one without a bias, an output is equal or not finite on the whole batch,
            or a step of a running ``fit`` uses the weights; nothing changes then.

    Example:
        >>> import keras, numpy as np
        >>> from weightkit.layers import WeightNormalization, initialize_from_data
        >>> model = keras.Sequential([keras.Input((5,)), WeightNormalization(keras.layers.Dense(3))])
        >>> data = np.random.default_rng(0).normal(5, 2, (64, 5))
        >>> initialize_from_data(model, data)
        >>> outputs = keras.ops.convert_to_numpy(model(data))
        >>> bool(np.abs(outputs.mean(0)).max() < 1e-5), bool(np.abs(outputs.std(0) - 1).max() < 1e-5)
        (True, True)
    """
    if not isinstance(model, keras.layers.Layer):
        raise RequestError(f"initialize_from_data: model must be a model or a layer, got {model!r}")
    require_between_steps(variables_of(model), f"{model.name} must not be initialized from data")
    wrappers = [one for one in model._flatten_layers() if _has_weight_norm(one)]  # noqa: SLF001
    if not wrappers:
        raise RequestError(
            f"{model.name} must be built and have layers with WeightNorm, and has none",
            hint="WeightNormalization(layer) makes one",
        )
    for wrapper in wrappers:
        _require_bias(wrapper)
    computed = [one for wrapper in wrappers for one in wrapper.computed]
    with restore_variables_on_error(model.variables, computed), _initializing(wrappers) as problems:
        try:
            model(data)
        except RequestError as error:
            # Keras 3.15 raises a copy, whose message has several lines.
            raise next(iter(problems), error) from None


def _has_weight_norm(layer: Any) -> bool:
    steps = layer.computed if isinstance(layer, Parametrized) else ()
    return any(isinstance(step, WeightNorm) for one in steps for step, _ in one.steps)


def _require_bias(wrapper: Any) -> None:
    """Refuse a layer whose outputs are not one weight times inputs, plus a bias for each length.

    Raises:
        RequestError: It is another one.
    """
    bias, lengths = getattr(wrapper.layer, "bias", None), _lengths(wrapper)
    if lengths is None or bias is None or tuple(bias.shape) != (int(np.prod(lengths.shape)),):
        raise RequestError(
            f"{wrapper.name} must have one weight with WeightNorm alone and a bias with a number for each output, "
            "to be initialized from data",
            hint="use_bias=True",
        )


def _lengths(wrapper: Any) -> Any:
    """The variable ``g`` of the only computed weight; None where there are others."""
    steps = [step for one in wrapper.computed for step in one.steps]
    return steps[0][1]["g"].variable if len(steps) == 1 else None


@contextlib.contextmanager
def _initializing(wrappers: list[Any]) -> Iterator[list[RequestError]]:
    """Initialize each of the wrappers in its first call inside; yields the errors of these calls."""
    waiting = {id(wrapper) for wrapper in wrappers}
    problems: list[RequestError] = []

    def call(wrapper: Any, *args: Any, **kwargs: Any) -> Any:
        if id(wrapper) in waiting:
            waiting.remove(id(wrapper))
            try:
                _standardize(wrapper, _pre_activations(wrapper, args, kwargs))
            except RequestError as error:
                problems.append(error)
                raise
        return type(wrapper).call(wrapper, *args, **kwargs)

    try:
        for wrapper in wrappers:
            wrapper.call = functools.partial(call, wrapper)
        yield problems
    finally:
        for wrapper in wrappers:
            wrapper.__dict__.pop("call", None)


def _pre_activations(wrapper: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Outputs before the activation, in float64, as rows of one number for each length."""
    layer = wrapper.layer
    activation = getattr(layer, "activation", None)
    try:
        if activation is not None:
            layer.activation = keras.activations.linear
        outputs = keras.ops.convert_to_numpy(type(wrapper).call(wrapper, *args, **kwargs)).astype("float64")
    finally:
        if activation is not None:
            layer.activation = activation
    first = getattr(layer, "data_format", None) == "channels_first"
    return np.moveaxis(outputs, 1 if first else -1, -1).reshape(-1, layer.bias.shape[0])


def _standardize(wrapper: Any, outputs: Any) -> None:
    """Divide each output by its deviation, and shift it to mean 0.

    Raises:
        RequestError: An output is equal, or not finite, on the whole batch.
    """
    mean, deviation = outputs.mean(0), outputs.std(0)
    wrong = np.flatnonzero(~(np.isfinite(deviation) & (deviation > 0)))
    if wrong.size:
        raise RequestError(
            f"{wrapper.name}: each output must be finite and differ within the batch, and output {wrong[0]} does not",
            hint="give a larger batch",
        )
    lengths, bias = _lengths(wrapper), wrapper.layer.bias
    lengths.assign(keras.ops.convert_to_numpy(lengths.value) / deviation.reshape(lengths.shape))
    bias.assign((keras.ops.convert_to_numpy(bias.value) - mean) / deviation)

"""Learning rates for the weights that selections find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.text import listed
from weightkit.training.freezing.selected_weights import select_weights
from weightkit.training.model.compile_arguments import require_compilable, require_compiled
from weightkit.training.model.model_view import view_model
from weightkit.training.optimizer.rates import checked_rate
from weightkit.training.optimizer.recompiling import compile_with

if TYPE_CHECKING:
    from weightkit.training.optimizer.recompilation import Recompiled


def learning_rates(model: Any, rates: Mapping[Any, Any]) -> Recompiled:
    """Give parts of a model learning rates of their own; the model is compiled again, as `recompile` does.

    Weights with one rate share an inner optimizer of a `GroupedOptimizer`; with one rate for all, the optimizer is a
    single one. Each has the configuration and the state of the optimizer that was there, so that training goes on bit
    for bit where the rate is the same. Callbacks that set ``model.optimizer.learning_rate`` keep the ratios between
    the rates.

    Args:
        model: A compiled model.
        rates: From a selection, as `freeze` takes it, to a number or a schedule. The first one that finds a weight
            counts. A frozen weight gets its rate too, for when it is trained.

    Raises:
        SelectionError: A selection is malformed or finds nothing; nothing changes.
        RequestError: A trained weight has no rate, a rate is not one, the optimizer has a ``global_clipnorm``, or as
            `recompile` does; nothing changes.

    Example:
        >>> import keras
        >>> layers = [keras.Input((2,)), keras.layers.Dense(3, name="body"), keras.layers.Dense(1, name="head")]
        >>> model = keras.Sequential(layers)
        >>> model.compile("adam", "mse")
        >>> _ = learning_rates(model, {"head": 1e-3, "**": 1e-5})
        >>> [round(float(one.learning_rate), 6) for one in model.optimizer.inner_optimizers]
        [1e-05, 0.001]
    """
    require_compiled(model)
    if not isinstance(rates, Mapping):
        raise RequestError(
            f"rates must map selections to learning rates, got {type(rates).__name__}",
            hint='pass {"head": 1e-3, "**": 1e-5}',
        )
    view = view_model(model)
    found: dict[int, Any] = {}
    for where, value in rates.items():
        rate = checked_rate(value, f"the learning rate of {where!r}")
        for ref in select_weights(view, where).refs:
            if ref in view.parameters:
                found.setdefault(id(view.parameters[ref]), rate)
    return set_rates(model, found, 'add "**" as the last selection')


def set_rates(model: Any, rates: Mapping[int, Any], hint: str) -> Recompiled:
    """Compile a model again with learning rates by ``id`` of the variable; each trained weight must have one.

    Raises:
        RequestError: One has none, or the model cannot be compiled again.
    """
    without = [variable for variable in model.trainable_variables if id(variable) not in rates]
    if without:
        paths = {id(variable): ref.path for ref, variable in view_model(model).parameters.items()}
        names = listed([paths.get(id(variable), variable.path) for variable in without])
        raise RequestError(f"every trained weight must get a learning rate, and {names} got none", hint=hint)
    require_compilable(model)
    return compile_with(model, rates=rates)

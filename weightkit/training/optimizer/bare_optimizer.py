"""An optimizer of a training loop of one's own, with the variables that it trains, in the place of a compiled model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.access.live import open_live
from weightkit.errors import RequestError
from weightkit.text import listed
from weightkit.training.model.model_view import ModelView, view_model
from weightkit.training.optimizer.slots import parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_GIVE = "pass variables=model, or the list of variables that the optimizer trains"


class BareOptimizer:
    """What of a compiled model is needed for its optimizer's state, for an optimizer without one.

    Args:
        optimizer: The optimizer; it need not be built.
        variables: A model or a layer, or a list of variables; by default those that the optimizer was built on.

    Raises:
        RequestError: It is not an optimizer of Keras 3, ``variables`` are none, or lack some that it was built on.
    """

    def __init__(self, optimizer: Any, variables: Any = None) -> None:
        owners = _owners_of(optimizer)
        if variables is None and not owners:
            raise RequestError(f"{optimizer.name} is not built, so variables must be given", hint=_GIVE)
        target = owners if variables is None else variables
        self.optimizer = optimizer
        self.name = str(getattr(target, "name", optimizer.name))
        self.view = view_model(target) if isinstance(target, keras.layers.Layer) else _view_of_list(target, self.name)
        self.distribute_strategy = getattr(target, "distribute_strategy", None)
        self.variables = list(self.view.parameters.values())
        """All that it trains or may train later."""
        _require_known(owners, self.variables, optimizer)

    @property
    def trainable_variables(self) -> list[Any]:
        """What it trains by the present flags."""
        target = self.view.model
        return [v for v in self.variables if v.trainable] if target is None else list(target.trainable_variables)


def view_of(model: Any) -> ModelView:
    """The weights of a model, or those of a bare optimizer."""
    return model.view if isinstance(model, BareOptimizer) else view_model(model)


def _owners_of(optimizer: Any) -> list[Any]:
    return list({id(owner): owner for part in parts_of(optimizer) for owner in part.owners}.values())


def _view_of_list(variables: Any, label: str) -> ModelView:
    given = list(variables) if isinstance(variables, list | tuple) else []
    if not given or not all(isinstance(one, keras.Variable) for one in given):
        raise RequestError(f"variables must be a model or a list of variables, got {variables!r:.80}", hint=_GIVE)
    store = open_live(given)
    parameters = {ref: store.variable(ref) for ref in store}
    return ModelView(None, label, store.ordered, tuple(store), parameters, {}, ())


def _require_known(owners: Sequence[Any], variables: Sequence[Any], optimizer: Any) -> None:
    known = {id(variable) for variable in variables}
    missing = [owner.path for owner in owners if id(owner) not in known]
    if missing:
        problem = f"variables must have all that {type(optimizer).__name__} was built on, and lack {listed(missing)}"
        raise RequestError(problem, hint=_GIVE)

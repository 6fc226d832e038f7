"""From a weight of a layer to one that is computed: its regularizer and its constraint act on what is computed."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.layers.making.casting import as_held
from weightkit.layers.parametrizations.parametrization import Computed
from weightkit.layers.parametrized.saving_hooks import save_without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.layers.parametrizations.parametrization import Parametrization, Weight


def compute_by(parametrizations: list[Parametrization], weight: Weight) -> Computed:
    """Let parametrizations add their variables to a weight, and compute it.

    Raises:
        RequestError: One of them cannot be applied to it.
    """
    objection = next(filter(None, (one.objection(weight) for one in parametrizations)), "")
    if objection:
        raise RequestError(objection)
    variable = weight.variable
    computed = Computed(weight, [], variable.constraint)
    for one in parametrizations:
        computed.append(one)
    variable.constraint = None
    if not all(one.keeps_base for one in parametrizations):
        save_without(weight.owner, variable)
    elif variable.regularizer is not None:
        _regularize_computed(computed)
    return computed


def _regularize_computed(computed: Computed) -> None:
    """Move a weight's regularizer to a variable that it is computed from, where it acts on what is computed.

    The weight itself bears it unless it is frozen; then the first of what was added that is trained.
    """
    variable = computed.weight.variable
    carrier = next((one for one in _carriers(computed) if one.trainable), variable)
    regularizer, variable.regularizer = variable.regularizer, None
    carrier.regularizer = functools.partial(_regularize, regularizer, computed)


def _carriers(computed: Computed) -> Iterator[Any]:
    if not any(one.freezes_base for one, _ in computed.steps):
        yield computed.weight.variable
    yield from (one.variable for _, added in computed.steps for one in added.values())


def _regularize(regularizer: Any, computed: Computed, _variable: Any) -> Any:
    with as_held():
        return regularizer(computed.value(training=False))

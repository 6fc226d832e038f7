"""Make a weight of a layer a computed one; its regularizer and constraint apply to the computed value."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.layers.making.precision import no_autocast
from weightkit.layers.parametrizations.parametrization import ComputedWeight
from weightkit.layers.parametrized.saving_hooks import save_without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.layers.parametrizations.parametrization import Parametrization, Weight


def apply_parametrizations(parametrizations: list[Parametrization], weight: Weight) -> ComputedWeight:
    """Let parametrizations add their variables to a weight.

    Raises:
        RequestError: One of them cannot be applied to the weight.
    """
    # All are asked first: nothing is added to the weight where one of them refuses.
    objection = next(filter(None, (one.objection(weight) for one in parametrizations)), "")
    if objection:
        raise RequestError(objection)
    variable = weight.variable
    computed = ComputedWeight(weight, [], variable.constraint)
    for one in parametrizations:
        computed.append(one)
    # Keras would apply it to the variable after each step, not to the computed weight.
    variable.constraint = None
    if not all(one.keeps_base for one in parametrizations):
        save_without(weight.owner, variable)
    elif variable.regularizer is not None:
        _regularize_computed(computed)
    return computed


def _regularize_computed(computed: ComputedWeight) -> None:
    """Replace a weight's regularizer by one that applies to the computed value.

    Keras 3.15 adds the losses of trainable variables only. So the new regularizer goes to the weight's own variable, or
    where that is frozen to the first added variable that is trained.
    """
    variable = computed.weight.variable
    carrier = next((one for one in _carriers(computed) if one.trainable), variable)
    regularizer, variable.regularizer = variable.regularizer, None
    carrier.regularizer = functools.partial(_regularize, regularizer, computed)


def _carriers(computed: ComputedWeight) -> Iterator[Any]:
    if not any(one.freezes_base for one, _ in computed.steps):
        yield computed.weight.variable
    yield from (one.variable for _, added in computed.steps for one in added.values())


def _regularize(regularizer: Any, computed: ComputedWeight, _variable: Any) -> Any:
    with no_autocast():
        return regularizer(computed.value(training=False))

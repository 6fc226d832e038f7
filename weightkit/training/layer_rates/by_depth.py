"""Learning rates that fall from the output to the input, by depth in the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.training.layer_rates.by_selection import set_rates
from weightkit.training.layer_rates.graph_depth import depths_of
from weightkit.training.model.compile_arguments import require_compiled
from weightkit.training.optimizer.grouped import has_settable_rate
from weightkit.training.optimizer.rates import checked_rate, present_rates
from weightkit.training.optimizer.routing import routes

if TYPE_CHECKING:
    from weightkit.training.optimizer.recompilation import Recompiled

_OUTSIDE = "pass selections to learning_rates: these weights are in no layer of the graph"


def discriminative_learning_rates(model: Any, low: float, high: float) -> Recompiled:
    """Give the lowest layers the rate ``low``, the topmost ``high``, and those between a geometric sequence.

    Discriminative fine-tuning of Howard and Ruder 2018 (arXiv 1801.06146, section 3.2), who divide the rate by 2.6 from
    layer to layer. Depth is the longest path to an output in layers with weights, not the order in ``model.layers``.

    Args:
        model: A compiled Functional or Sequential model. Models in it are entered.
        low: The rate of the weights that are farthest from the output.
        high: The rate of those next to the output.

    Raises:
        RequestError: A rate is not a number above zero, or as `learning_rates` does; nothing changes.
    """
    require_compiled(model)
    first, last = _positive(low, "low"), _positive(high, "high")
    depths = depths_of(model)
    deepest = max(depths.values(), default=0)
    ratio = (first / last) ** (1 / deepest) if deepest else 1.0
    rates = {key: first if depth and depth == deepest else last * ratio**depth for key, depth in depths.items()}
    return set_rates(model, rates, _OUTSIDE)


def layerwise_lr_decay(model: Any, decay: float = 0.75, *, learning_rate: float | None = None) -> Recompiled:
    """Multiply the learning rate by ``decay`` for each layer between a weight and the output.

    As in the fine-tuning of ELECTRA (Clark et al. 2020, arXiv 2003.10555, table 7) and BEiT (Bao et al. 2022, arXiv
    2106.08254, appendix): the layers next to the output get the whole rate. Depth is the longest path to an output in
    layers with weights. A layer with layers inside, such as a Transformer block, is one layer; for a block that is
    several layers of the graph, pass selections to `learning_rates`.

    Args:
        model: A compiled Functional or Sequential model. Models in it are entered.
        decay: The factor, above 0 and at most 1.
        learning_rate: The rate next to the output; by default the present one, the highest where there are several. It
            must be given where the optimizer follows a schedule, which these rates replace.

    Raises:
        RequestError: An argument is out of its range, or as `learning_rates` does; nothing changes.
    """
    require_compiled(model)
    factor = _positive(decay, "decay")
    if factor > 1:
        raise RequestError(f"decay must be above 0 and at most 1, got {decay!r}")
    depths = depths_of(model)
    if learning_rate is None:
        _require_numbers(model)
        learning_rate = max(present_rates(model.optimizer, model.trainable_variables).values(), default=0.0)
    top = _positive(learning_rate, "learning_rate")
    return set_rates(model, {key: top * factor**depth for key, depth in depths.items()}, _OUTSIDE)


def _require_numbers(model: Any) -> None:
    if not all(map(has_settable_rate, routes(model.optimizer, model.trainable_variables))):
        raise RequestError(
            "learning_rate must be given where the optimizer follows a schedule: the rates of the layers are numbers",
            hint="pass learning_rate=1e-4, or give learning_rates a schedule for each selection",
        )


def _positive(value: Any, what: str) -> float:
    number = checked_rate(value, what)
    if not isinstance(number, float) or not number:
        raise RequestError(f"{what} must be a number above 0, got {value!r}")
    return number

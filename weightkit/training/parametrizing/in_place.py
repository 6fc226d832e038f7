"""Parametrize weights of a live model in place, and compile again what trains them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.layers.parametrized.chosen_weights import steps_of
from weightkit.layers.parametrized.replacing.in_place import Choice, wrapped_in_place
from weightkit.training.freezing.compiled_models import compile_all
from weightkit.training.model.compile_arguments import require_changeable, scope_of
from weightkit.training.optimizer.recompiling import CompileOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access import Where
    from weightkit.layers import Parametrization
    from weightkit.layers.parametrized.replacing.in_place import InPlace
    from weightkit.training.optimizer.recompiling import OptimizerStateChoice, StepCount

_ALL = "**"


def parametrize_in_place(
    model: Any,
    where: Where,
    parametrization: Parametrization | Sequence[Parametrization],
    exclude: Where = None,
    *,
    recompile: bool = True,
    optimizer_state: OptimizerStateChoice = "carry",
    step_count: StepCount = "separate",
) -> Any:
    """Let parametrizations compute selected weights of a model itself, not of a copy as `parametrize` does.

    Each layer with a selected weight is replaced by a wrapper around it: in the graphs of all live models that share
    the layer, and in attributes, lists and dictionaries of subclassed models and layers. So it works for models that
    cannot be rebuilt. Weights stay the same variables, and the outputs the same.

    A Functional or Sequential model is saved, loaded and baked as ever. The class of a subclassed model does not know
    the wrappers: files of weights (``save_weights``, ``load_weights``) fit a model that was parametrized in the same
    way, and ``load_model`` needs a class that makes the wrappers. The class's own code must only call the layer: a
    wrapper has no ``kernel``.

    Args:
        model: A built model, compiled or not; or a layer with layers in it. A compiled model, and every other compiled
            model that holds one of the layers, is compiled again, as `recompile` does.
        where: Which weights, as for `parametrize`.
        parametrization: How to compute them; several are applied in their order. `Tied` is refused.
        exclude: Which of them to leave out.
        recompile: Whether to compile the models again; until that is done, they must not be trained.
        optimizer_state: ``carry`` the optimizer's state, or start ``fresh``; see `recompile`.
        step_count: The step count of added weights that are trained, such as factors; see `recompile`.

    Returns:
        The same model.

    Raises:
        RequestError: The model is not built, or ``fit`` or similar runs for it; a layer is wrapped or quantized, or
            cannot be replaced everywhere; a model cannot be compiled again. Nothing changes.
        SelectionError: The selection is malformed, or finds no weight that the parametrization applies to.

    Example:
        >>> import keras
        >>> from weightkit.layers import LowRank
        >>> model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(2)])
        >>> parametrize_in_place(model, "a", LowRank(2)) is model
        True
        >>> [type(layer).__name__ for layer in model.layers]
        ['Parametrized', 'Dense']
    """
    options = CompileOptions(recompile, optimizer_state, step_count)
    choices = [Choice(_ALL, where, steps_of(parametrization), exclude)]
    with in_place(model, choices, options) as wrapped, contextlib.ExitStack() as undo:
        compile_all(model, wrapped.models, options, undo)
    return model


@contextlib.contextmanager
def in_place(model: Any, choices: Sequence[Choice], options: CompileOptions) -> Iterator[InPlace]:
    """Wrap layers in place; on an error in the block, which compiles the models again, everything is as before.

    Raises:
        RequestError: As `parametrize_in_place`.
    """
    name = getattr(model, "name", type(model).__name__)
    require_changeable(model, f"the layers of {name} must not be replaced", recompiles=options.recompile)
    # Outside the scope of a MirroredStrategy, the added variables would have no replicas.
    with contextlib.ExitStack() as undo:
        with scope_of(model):
            wrapped = undo.enter_context(wrapped_in_place(model, choices))
        yield wrapped

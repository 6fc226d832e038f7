"""Save an optimizer's state to a file and load it, so that training resumes where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import keras

from weightkit.access.live import OptimizerFile, require_between_steps, variables_of
from weightkit.arguments import one_of
from weightkit.errors import RequestError
from weightkit.training.model.compile_arguments import require_not_running
from weightkit.training.optimizer.bare_optimizer import BareOptimizer
from weightkit.training.optimizer.recompiling import require_step_count
from weightkit.training.optimizer.slot_values import values_of
from weightkit.training.state_file.contents import configuration_of, contents_of
from weightkit.training.state_file.loading import built_for_now, load
from weightkit.training.state_file.optimizer_state import OptimizerState, with_optimizer

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import numpy as np

    from weightkit.training.optimizer.recompiling import StepCount
    from weightkit.training.state_file.contents import OptimizerContents, WeightSlots


def save_optimizer_state(model: Any, path: str | os.PathLike[str], *, variables: Any = None) -> OptimizerState:
    """Save the state of a model's optimizer, or of an optimizer alone.

    With ``model.save_weights``, training resumes from it bit for bit.

    The file has the slots of every weight by the weight's address, moving averages and partly filled gradient
    accumulators included; the step count, the learning rate, the loss scale; the state of inner optimizers; parked
    slots of frozen weights; and the state of the layers' seed generators, which no file of Keras has. A learning rate
    schedule is configuration, which comes with the model. No file has the state of PyTorch's global random generator,
    which a Dropout without a seed uses on PyTorch.

    ``weightkit.access.formats.optimizer_state`` documents the format; ``weightkit show`` lists the file. A new file is
    written next to the path and replaces it when it is complete.

    Args:
        model: A compiled model of Keras 3 that has been built; or an optimizer of a training loop of one's own.
        path: Where to write; an existing file is replaced.
        variables: For an optimizer, the model or layer that it trains, or a list of variables, whose addresses the
            file gets; by default the variables that it was built on. On JAX, first assign the loop's state to them.

    Raises:
        RequestError: The model is not compiled, a step of it is running, the path cannot be written, or ``variables``
            lack some that the optimizer was built on.
        MachineError: The system failed; an existing file is unchanged.

    Example:
        >>> save_optimizer_state(model, "opt.h5")  # doctest: +SKIP
    """
    model = with_optimizer(model, variables)
    require_between_steps(variables_of(model), f"the optimizer's state of {model.name} must not be saved")
    with built_for_now(model):
        return _save(model, path)


def _save(model: Any, path: str | os.PathLike[str]) -> OptimizerState:
    contents = contents_of(model)
    about = {"keras_version": keras.__version__, "backend": keras.backend.backend()}
    optimizer = {"class": type(model.optimizer).__name__, "config": configuration_of(model.optimizer)}
    file = OptimizerFile(about, optimizer, ordered=contents.ordered)
    for name, variable in contents.state.items():
        file.add_state(name, values_of(variable))
    slots = 0
    for weight in contents.weights:
        found = _slots(weight, contents)
        file.add_weight(weight.ref, found)
        slots += len(found)
    return _written(contents, file.write(path), slots)


def _slots(weight: WeightSlots, contents: OptimizerContents) -> dict[str, tuple[np.ndarray, str]]:
    """The slots of a weight, or the parked ones of a frozen weight; each with the class that keeps it."""
    parked = contents.parked.get(id(weight.variable))
    if parked is not None and not weight.slots:
        return {name: (values, parked.optimizer_class) for name, values in parked.slots.items()}
    return {name: (values_of(variable), weight.kept_by[name]) for name, variable in weight.slots.items()}


def _written(contents: OptimizerContents, target: Path, slots: int) -> OptimizerState:
    seeds = sum(weight.ref.structure.startswith("seeds/") for weight in contents.weights)
    parked = sum(id(weight.variable) in contents.parked and not weight.slots for weight in contents.weights)
    weights = sum(bool(weight.slots) for weight in contents.weights) - seeds + parked
    return OptimizerState(contents.label, str(target), weights, slots - seeds, len(contents.state), seeds, parked)


def load_optimizer_state(
    model: Any,
    path: str | os.PathLike[str],
    on_missing: Literal["error", "skip"] = "error",
    *,
    step_count: StepCount = "shared",
    variables: Any = None,
) -> OptimizerState:
    """Load the state of a model's optimizer, or of an optimizer alone, from a file: all of it, or on any error nothing.

    The file may be one of `save_optimizer_state`, or a checkpoint that Keras wrote with an optimizer: a ``.keras``
    (or its unzipped folder) or ``.weights.h5`` of Keras 3, or a legacy whole-model ``.h5`` of Keras 2 or 3, of which
    ``load_model`` itself drops the slots without a warning. In a ``.keras``, slots have no names: their order, the
    flags of the configuration and their shapes say which weight each belongs to, and what these do not tell is
    refused. A ``.weights.h5`` does not even say which optimizer it is of; the live one's class is assumed, and a note
    says so. Slots of Keras 2 get the names of Keras 3 (``m`` is ``momentum``) for SGD, RMSprop, Adagrad, Adadelta,
    Adam, AdamW, Adamax and Ftrl; those of Nadam before Keras 2.11 are refused, since its momentum follows another
    schedule there, and so are LossScaleOptimizers of Keras 2. Files of Keras have no parked slots, and seeds, if at
    all, among the weights.

    The learning rate is part of the state and is set too, unless it is a schedule; a file of Keras 2 has it in its
    configuration. Weights are matched by their addresses, as in `weightkit.match`, so automatic names of Keras may
    differ. Load the weights themselves with ``weightkit.load_weights``, or with ``model.load_weights`` before
    ``compile``: Keras 3.15 refuses to load weights that were saved with an optimizer into a model whose optimizer is
    not built yet. An optimizer that is not built is built for what is trainable now. Slots of weights that are frozen
    now are parked, as `recompile` does.

    Args:
        model: A compiled model of Keras 3 that has been built; or an optimizer of a training loop of one's own, for
            which `carry_optimizer` later restores what is parked.
        path: A file that `save_optimizer_state` wrote, or a checkpoint of Keras.
        on_missing: What to do where something of this optimizer is not in the file, or has another shape or dtype, or
            the optimizers differ in class or hyperparameters. ``error`` refuses the file; ``skip`` leaves such state
            as it is and lists it in the result. Slots of another class of optimizer are never loaded. Slots of a
            weight that belong together are loaded all or none: Adam's momentum never without its velocity.
        step_count: With ``skip``, the step count of weights without slots in the file, such as those of a changed
            head. ``shared``: they share the step count of the file; Adam's first steps may be 3 to 6 times the
            learning rate, and the result names the weights. ``separate``: they start from step 0 with a step count of
            their own; for that the model is compiled again, as `recompile` does.
        variables: For an optimizer, the model or layer that it trains, or a list of variables; by default those that
            it was built on. Where it is not built, it is built for those that are trainable now.

    Raises:
        RequestError: The model is not compiled, ``fit`` or similar runs for it, its weights are not those of the file,
            something is missing, or ``variables`` lack some that the optimizer was built on.
        RefusedError: The file is damaged, unsafe, has no state of an optimizer, or does not tell which weights it
            belongs to.

    Example:
        >>> load_optimizer_state(model, "opt.h5")  # doctest: +SKIP
        >>> load_optimizer_state(model, "model.keras")  # doctest: +SKIP
    """
    one_of("on_missing", on_missing, ("error", "skip"))
    require_step_count(step_count)
    model = with_optimizer(model, variables)
    if step_count == "separate" and isinstance(model, BareOptimizer):
        raise RequestError(
            "step_count must be 'shared' for an optimizer without a compiled model, got 'separate'",
            hint="leave it out",
        )
    require_not_running(model, f"the optimizer's state of {model.name} must not be loaded", "load it before fit")
    return load(model, path, skip=on_missing == "skip", own_steps=step_count == "separate")

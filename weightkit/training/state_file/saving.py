"""An optimizer's state as a file: named slots of named weights, so that training goes on where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import keras

from weightkit.access.live import OptimizerFile
from weightkit.training.arguments import require_one_of
from weightkit.training.optimizer.memory import values_of
from weightkit.training.optimizer.recompiling import require_known
from weightkit.training.state_file.contents import configuration_of, memory_of
from weightkit.training.state_file.loading import built_for_now, load
from weightkit.training.state_file.optimizer_state import OptimizerState, require_optimizer

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import numpy as np

    from weightkit.training.optimizer.recompiling import Unfrozen
    from weightkit.training.state_file.contents import Memory, OptimizerMemory


def save_optimizer_state(model: Any, path: str | os.PathLike[str]) -> OptimizerState:
    """Write all that a model's optimizer remembers: with ``model.save_weights`` it is all that training goes on from.

    Kept are the slots of every weight by its address, moving averages and half-filled accumulators among them, the
    raw step count, the learning rate, the loss scale, the state of optimizers within the optimizer, slots of frozen
    weights that `recompile` set aside, and the seeds of the model's layers, which Keras saves nowhere. A schedule is
    configuration: it comes with the model. What PyTorch draws from its own global generator (a Dropout without a seed)
    goes on in no file.

    ``weightkit.access.formats.optimizer_state`` documents the format; ``weightkit show`` lists it. The file is
    written beside the path and takes its place whole, or not at all.

    Args:
        model: A compiled model of Keras 3 that has been built.
        path: Where to write, over whatever file is there.

    Raises:
        RequestError: The model is not compiled, or the file cannot lie there.
        MachineError: The system failed; what was there is untouched.

    Example:
        >>> save_optimizer_state(model, "opt.h5")  # doctest: +SKIP
    """
    require_optimizer(model)
    with built_for_now(model):
        return _save(model, path)


def _save(model: Any, path: str | os.PathLike[str]) -> OptimizerState:
    memory = memory_of(model)
    about = {"keras_version": keras.__version__, "backend": keras.backend.backend()}
    optimizer = {"class": type(model.optimizer).__name__, "config": configuration_of(model.optimizer)}
    file = OptimizerFile(about, optimizer, ordered=memory.ordered)
    for name, variable in memory.state.items():
        file.add_state(name, values_of(variable))
    slots = 0
    for weight in memory.weights:
        found = _slots(weight, memory)
        file.add_weight(weight.ref, found)
        slots += len(found)
    return _written(memory, file.write(path), slots)


def _slots(weight: Memory, memory: OptimizerMemory) -> dict[str, tuple[np.ndarray, str]]:
    """What the optimizer keeps of a weight, or what was set aside of one that is frozen; each with who keeps it."""
    aside = memory.aside.get(id(weight.variable))
    if aside is not None and not weight.slots:
        return {name: (values, aside.kind) for name, values in aside.slots.items()}
    return {name: (values_of(variable), weight.kept_by[name]) for name, variable in weight.slots.items()}


def _written(memory: OptimizerMemory, target: Path, slots: int) -> OptimizerState:
    seeds = sum(weight.ref.structure.startswith("seeds/") for weight in memory.weights)
    aside = sum(id(weight.variable) in memory.aside and not weight.slots for weight in memory.weights)
    weights = sum(bool(weight.slots) for weight in memory.weights) - seeds + aside
    return OptimizerState(memory.label, str(target), weights, slots - seeds, len(memory.state), seeds, aside)


def load_optimizer_state(
    model: Any,
    path: str | os.PathLike[str],
    on_missing: Literal["error", "skip"] = "error",
    *,
    unfrozen_slots: Unfrozen = "keep",
) -> OptimizerState:
    """Give a model's optimizer the state of a file: all of it, or on any error nothing.

    Weights find each other by their addresses, as those of any two stores do, so that names that Keras makes up by
    itself may differ. The weights themselves come from their own file: by ``weightkit.load_weights``, or by
    ``model.load_weights`` before ``compile``, since Keras 3.15 refuses to load weights that were saved with an
    optimizer into a model whose optimizer is not built yet. An optimizer that is not built yet
    is built on what is trainable now; slots in the file of weights that are frozen now are set aside for them, as
    `recompile` does.

    Args:
        model: A compiled model of Keras 3 that has been built.
        path: A file that `save_optimizer_state` wrote.
        on_missing: Whether it is an error that something of this optimizer is not in the file, or is there in another
            shape or type, or that the optimizers differ in class or hyper-parameters; with ``skip`` such state stays
            as it is, and the result tells so. Slots that another class of optimizer kept are never taken, and those
            of a weight that belong together are taken all or none: Adam's momentum not without its velocity.
        unfrozen_slots: What becomes, with ``skip``, of weights of which the file has no slots, while the step count
            of the file goes on, such as those of a changed head. With ``keep`` they share that step count: an Adam's
            first steps may be 3 to 6 times the learning rate, and the result names them. With ``own_step`` they begin
            anew and count their own steps; for that the model is compiled again, as `recompile` does it.

    Raises:
        RequestError: The model is not compiled, its weights are not those of the file, or something is missing.
        RefusedError: The file is damaged, unsafe, or no optimizer state.

    Example:
        >>> load_optimizer_state(model, "opt.h5")  # doctest: +SKIP
    """
    require_one_of("on_missing", on_missing, "error", "skip")
    require_known(unfrozen_slots)
    require_optimizer(model)
    return load(model, path, skip=on_missing == "skip", own_step=unfrozen_slots == "own_step")

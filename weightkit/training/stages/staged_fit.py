"""Train a model in stages, with other weights frozen in each, and go on after a kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.access.live import open_live
from weightkit.arguments import one_of, require_path
from weightkit.errors import RequestError
from weightkit.text import listed
from weightkit.training.model.compile_arguments import require_compilable, require_compiled
from weightkit.training.optimizer.recompiling import require_step_count
from weightkit.training.stages.stage_plan import StagePlan
from weightkit.training.stages.stage_run import StageRun
from weightkit.training.stages.state_folder import StateFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from weightkit.training.model.statistics_policy import Statistics
    from weightkit.training.optimizer.recompiling import StepCount
    from weightkit.training.stages.stage import Stage
    from weightkit.training.stages.staged_history import StagedHistory

_OURS = ("epochs", "initial_epoch")


def staged_fit(
    model: Any,
    stages: Iterable[Stage],
    x: Any = None,
    y: Any = None,
    *,
    state: str | os.PathLike[str] | None = None,
    callbacks: Any = None,
    verbose: Any = "auto",
    statistics: Statistics = "freeze",
    step_count: StepCount = "separate",
    **fit_arguments: Any,
) -> StagedHistory:
    """Train a model in stages: for each, `freeze_all_but`, its learning rate, and ``fit`` with ``initial_epoch``.

    Nothing else is done to the model: the result equals these calls by hand, bit for bit. All selections are checked
    before anything is trained. ``stop_training`` ends the stage, whoever sets it, and the next one begins. Afterwards
    the model has the flags of the last stage. If ``fit`` fails or is interrupted, it has those of the stage that was
    running; if a stage cannot begin, those of the stage before.

    With ``state``, a folder holds the whole state after the last epoch: weights, the optimizer's state, seeds, the
    history, and the numbers that callbacks count. After a kill, make and compile the model as before and call
    `staged_fit` with the same arguments: it goes on with the epoch that was interrupted, or with the next stage. The
    result equals a run that was never killed where the data do, since each call of ``fit`` starts them over: with
    ``shuffle=False``, or with data that are the same in every epoch. Keras' shuffling draws another order in a new
    process. On PyTorch, a Dropout without a seed uses PyTorch's global generator, which is not saved. Of callbacks,
    attributes are restored that are numbers, texts, True, False or None, and the best weights of an EarlyStopping;
    ``CSVLogger`` needs ``append=True``. A run that is complete is loaded, and nothing is trained.

    Args:
        model: A compiled model that has been built.
        stages: What to train, one stage after another; `unfreeze_schedule` makes the usual ones.
        x: The data, as in ``fit``; each stage starts them over.
        y: The targets.
        state: The folder for the state; it is made if it is not there. Nothing is saved if None.
        callbacks: Keras callbacks for all stages. Keras starts them over with each stage.
        verbose: As in ``fit``. The line of an epoch names the stage.
        statistics: Moving statistics of frozen layers, as in `freeze_all_but`.
        step_count: The step count of weights that are trained for the first time, as in `recompile`.
        **fit_arguments: All others of ``fit``, such as ``batch_size``, ``validation_data``, ``steps_per_epoch``.

    Returns:
        One History of all stages, whose epochs count on; its ``stages`` has the name of the stage of each epoch.

    Raises:
        RequestError: An argument is wrong, the model is not compiled or cannot be compiled again, or the folder is of
            another model or of other stages; nothing changes.
        SelectionError: A selection is malformed or finds nothing; nothing changes.
        RefusedError: The folder is damaged; nothing changes.
        MachineError: The state cannot be written; the state of the epoch before is whole.

    Example:
        >>> stages = [Stage("head", 2), Stage(["head", "top"], 3, learning_rate=1e-4)]  # doctest: +SKIP
        >>> history = staged_fit(model, stages, x, y, state="run")  # doctest: +SKIP
    """
    for name in _OURS:
        if name in fit_arguments:
            raise RequestError(f"{name} must not be given: it follows from the stages", hint="set epochs in each Stage")
    one_of("statistics", statistics, ("freeze", "update", "keep"))
    require_step_count(step_count)
    require_compiled(model)
    require_compilable(model)
    plan, known = StagePlan.of(model, stages), _callbacks(callbacks)
    folder = None if state is None else _folder(model, state)
    options = {"statistics": statistics, "step_count": step_count}
    fit = {"x": x, "y": y, "verbose": verbose, **fit_arguments}
    return StageRun(model, plan, folder, known, options, fit).train()


def _callbacks(given: Any) -> list[Any]:
    """The callbacks in a list.

    Raises:
        RequestError: They are a ``CallbackList``, to which nothing is added, or do what ``state`` does.
    """
    known = keras.tree.flatten(given) if given else []
    for one in known:
        if isinstance(one, keras.callbacks.CallbackList):
            raise RequestError("callbacks must be a list of callbacks, got a CallbackList", hint="pass its callbacks")
        if isinstance(one, keras.callbacks.BackupAndRestore):
            raise RequestError(
                "BackupAndRestore must not be among the callbacks: it forgets the stages",
                hint="pass state=FOLDER instead",
            )
    return known


def _folder(model: Any, path: Any) -> StateFolder:
    require_path("state", path)
    unsaved = [one.path for one in open_live(model).unsaved]
    if unsaved:
        raise RequestError(
            f"state must be None for {model.name}: Keras never saves {listed(unsaved)}",
            hint="check_model says why",
        )
    return StateFolder(path)

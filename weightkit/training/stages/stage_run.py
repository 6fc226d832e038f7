"""A run of all stages on one model, from the beginning or from a saved state."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.errors import RequestError
from weightkit.restore_on_error import restore_on_error
from weightkit.training.freezing.train_only import freeze_all_but
from weightkit.training.layer_rates.by_selection import learning_rates
from weightkit.training.optimizer.recompiling import recompile, unchanged_on_error
from weightkit.training.optimizer.slot_values import set_values, values_of
from weightkit.training.optimizer.slots import parts_of
from weightkit.training.stages.callback_counters import (
    best_weights_of,
    counters_of,
    put_back,
    put_back_best_weights,
)
from weightkit.training.stages.saved_run import SavedRun
from weightkit.training.stages.stage_progress import StageProgress
from weightkit.training.stages.staged_history import StagedHistory
from weightkit.training.state_file.contents import configuration_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.training.freezing.freeze_plan import FreezePlan
    from weightkit.training.stages.stage_plan import StagePlan
    from weightkit.training.stages.state_folder import StateFolder

_OTHER = "make and compile the model as before, use another folder, or delete it to start again"


@dataclass(slots=True, eq=False)
class StageRun:
    """One call of `staged_fit`."""

    model: Any
    plan: StagePlan
    folder: StateFolder | None
    callbacks: list[Any]
    """The user's, for all stages."""
    options: dict[str, Any]
    """Arguments of `freeze_all_but`."""
    fit: dict[str, Any]
    """Arguments of ``fit``."""
    optimizer: dict[str, str] = field(init=False)
    """See `SavedRun`."""
    history: StagedHistory = field(default_factory=StagedHistory)
    begins: list[int] = field(default_factory=list)
    """See `SavedRun`."""
    starts: list[dict[str, dict[str, float]]] = field(default_factory=list)
    """By stage, the numbers of the optimizers at its beginning: on them depends which weights share one."""

    def __post_init__(self) -> None:
        optimizer = self.model.optimizer
        self.optimizer = {"class": type(optimizer).__name__, "config": configuration_of(optimizer)}

    def train(self) -> StagedHistory:
        """Run all stages, or those that a saved run has left."""
        saved = None if self.folder is None else self.folder.saved()
        first = 0
        if self.folder is not None and saved is not None:
            best = self._load(self.folder, saved)
            self._fit(saved.stage, saved, best)
            first = saved.stage + 1
        for place in range(first, len(self.plan.stages)):
            self._begin(place)
            self._fit(place)
        return self.history

    def _load(self, folder: StateFolder, saved: SavedRun) -> dict[str, np.ndarray]:
        """Set model, optimizer and history to a saved state; returns weights that callbacks keep.

        The stages begin one after another, as they did: an optimizer depends on what was trained before, on the steps
        that were taken, and on the rates that callbacks set.
        """
        here = self._state(min(saved.stage, len(self.plan.stages) - 1), ended=saved.ended)
        if difference := saved.difference(here):
            raise RequestError(difference, hint=_OTHER, file=folder.label)
        with contextlib.ExitStack() as undo:
            undo.enter_context(unchanged_on_error(self.model))
            for place in range(saved.stage + 1):
                if place:
                    _set_state(self.model.optimizer, saved.starts[place])
                undo.enter_context(restore_on_error(self._begin(place).undo))
            best = folder.load(self.model, saved)
        self.begins, self.starts = list(saved.begins), list(saved.starts)
        self.history.history, self.history.epoch = dict(saved.history), list(saved.epoch)
        self.history.stages = list(saved.epoch_stages)
        return best

    def _begin(self, place: int) -> FreezePlan:
        """Freeze what the stage does not train, and set its learning rate: both or neither; returns what was frozen."""
        stage = self.plan.stages[place]
        self.begins.append(len(self.history.epoch))
        self.starts.append(_state_of(self.model.optimizer))
        applied = freeze_all_but(self.model, stage.train, exclude=stage.exclude, **self.options)
        with restore_on_error(applied.undo):
            if isinstance(stage.learning_rate, Mapping):
                learning_rates(self.model, stage.learning_rate)
            elif stage.learning_rate is not None:
                recompile(self.model, learning_rate=stage.learning_rate, step_count=self.options["step_count"])
        return applied

    def _fit(self, place: int, saved: SavedRun | None = None, best: dict[str, np.ndarray] | None = None) -> None:
        """Train a stage, or what is left of it.

        Where it ended with the saved epoch, no epoch is left, and Keras' ``fit`` only does what it does at its end.
        """
        done, name = len(self.history.epoch), self.plan.names[place]
        end = done if saved is not None and saved.ended else self.begins[place] + self.plan.stages[place].epochs
        counting = self._counting(place)
        callbacks: list[Any] = [*counting, self.history]
        if self.fit["verbose"] != 0 and not any(isinstance(one, keras.callbacks.ProgbarLogger) for one in counting):
            total = self.begins[place] + self.plan.epochs_from(place)
            callbacks.append(StageProgress(f"stage {place + 1}/{len(self.plan.stages)}: {name}", total))

        def resume() -> None:
            if saved is not None:
                put_back(counting, saved.callbacks)
                put_back_best_weights(counting, self.model, best or {})

        def save(*, ended: bool) -> None:
            if self.folder is not None:
                self.folder.save(self.model, self._state(place, ended=ended), best_weights_of(counting))

        self.history.stage = name
        callbacks.append(_AroundEpochs(end, resume, save))
        self.model.fit(initial_epoch=done, epochs=end, callbacks=callbacks, **self.fit)

    def _counting(self, place: int) -> list[Any]:
        """The callbacks whose counters are saved: the user's, and what stops the stage early."""
        stopper = self.plan.stoppers[place]
        return [*self.callbacks, *([] if stopper is None else [stopper])]

    def _state(self, place: int, *, ended: bool) -> SavedRun:
        return SavedRun(
            model=list(self.plan.model),
            optimizer=self.optimizer,
            stages=list(self.plan.settings),
            options=self.options,
            names=list(self.plan.names),
            stage=place,
            ended=ended,
            begins=self.begins,
            starts=self.starts,
            epoch=self.history.epoch,
            history=self.history.history,
            epoch_stages=self.history.stages,
            callbacks=counters_of(self._counting(place)),
        )


class _AroundEpochs(keras.callbacks.Callback):  # type: ignore[misc]
    """The last callback: resumes the others when they have begun, and saves after each epoch, when they are done."""

    def __init__(self, end: int, resume: Callable[[], None], save: Callable[..., None]) -> None:
        super().__init__()
        self._end, self._resume, self._save = end, resume, save

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self._resume()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._save(ended=bool(self.model.stop_training) or epoch + 1 == self._end)


def _state_of(optimizer: Any) -> dict[str, dict[str, float]]:
    """The numbers of an optimizer and of those inside it that belong to no weight, by their places and names."""
    return {
        part.path: {name: values_of(one).item() for name, one in part.state.items() if not len(one.shape)}
        for part in parts_of(optimizer)
    }


def _set_state(optimizer: Any, saved: dict[str, dict[str, float]]) -> None:
    for part in parts_of(optimizer):
        for name, number in saved.get(part.path, {}).items():
            if name in part.state:
                variable = part.state[name]
                set_values(variable, np.asarray(number, values_of(variable).dtype))

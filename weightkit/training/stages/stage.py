"""One stage of training: what trains, for how long, and how fast."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import keras

from weightkit.arguments import positive_integer
from weightkit.errors import RequestError
from weightkit.training.freezing.layer_choice import choices_in
from weightkit.training.optimizer.rates import checked_rate

if TYPE_CHECKING:
    from weightkit.training.freezing.layer_choice import LayerWhere

EarlyStop: TypeAlias = "keras.callbacks.EarlyStopping | Mapping[str, Any] | None"
"""When a stage ends before its last epoch: the callback, or its settings."""
StageRate: TypeAlias = "float | keras.optimizers.schedules.LearningRateSchedule | Mapping[Any, Any] | None"
"""The learning rate of a stage, or one for each selection."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of `staged_fit`.

    Args:
        train: What trains, as in `freeze_all_but`; everything else is frozen.
        epochs: How many epochs, at most.
        learning_rate: A number or a schedule for all weights; or one for each selection, as in `learning_rates`; None
            keeps the present rates. A schedule counts the optimizer's steps, which go on from stage to stage.
        early_stopping: Ends this stage, and not those after it: a Keras ``EarlyStopping``, or its settings such as
            ``{"monitor": "val_loss", "patience": 3}``. Its ``start_from_epoch`` counts from the first stage on.
        name: What progress and errors call it; the selection if None.
        exclude: What not to train of ``train``.

    Raises:
        RequestError: One of them has a wrong value.

    Example:
        >>> Stage("head", epochs=3, learning_rate=1e-3, name="warm up").epochs
        3
    """

    train: LayerWhere
    epochs: int
    learning_rate: StageRate = None
    early_stopping: EarlyStop = None
    name: str | None = None
    exclude: LayerWhere = None

    def __post_init__(self) -> None:
        plain = {"train": _kept(self.train), "exclude": _kept(self.exclude), "learning_rate": _rate(self.learning_rate)}
        plain["epochs"] = positive_integer("epochs", self.epochs)
        if self.name is not None and (not isinstance(self.name, str) or not self.name):
            raise RequestError(f"name must be a text or None, got {self.name!r}")
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        self.stopper()

    def stopper(self) -> Any:
        """The callback that ends it early; None where there is none.

        Raises:
            RequestError: The settings are not those of an ``EarlyStopping``.
        """
        given = self.early_stopping
        if given is None or isinstance(given, keras.callbacks.EarlyStopping):
            return given
        if not isinstance(given, Mapping):
            raise RequestError(
                f"early_stopping must be a keras.callbacks.EarlyStopping, its settings or None, got {given!r}"
            )
        try:
            return keras.callbacks.EarlyStopping(**given)
        except TypeError as error:
            raise RequestError(
                f"early_stopping must be settings of keras.callbacks.EarlyStopping: {error}",
                hint='give a dictionary such as {"monitor": "val_loss", "patience": 3}',
            ) from error

    def settings(self) -> dict[str, Any]:
        """What tells it from other stages, for JSON; the selections are told by the weights that they find."""
        stopper = self.stopper()
        stop = None if stopper is None else settings_of(stopper) | {"min_delta": abs(stopper.min_delta)}
        return {"epochs": self.epochs, "learning_rate": _plain(self.learning_rate), "early_stopping": stop}


def settings_of(callback: Any) -> dict[str, Any]:
    """The attributes of a callback that its constructor sets from its arguments.

    An EarlyStopping of Keras 3.15 changes the sign of its ``min_delta`` when it is first used.
    """
    names = inspect.signature(type(callback).__init__).parameters
    return {name: value for name, value in vars(callback).items() if name in names}


def _kept(choice: LayerWhere) -> LayerWhere:
    """A selection that can be read several times, unlike a generator; a mapping is refused when weights are found."""
    return choice if choice is None or isinstance(choice, str | Mapping) else tuple(choices_in(choice))


def _rate(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {where: checked_rate(one, f"the learning rate of {where!r}") for where, one in value.items()}
    return None if value is None else checked_rate(value)


def _plain(rate: Any) -> Any:
    """A learning rate, or several, for JSON."""
    if isinstance(rate, Mapping):
        # A list: the first selection that finds a weight counts.
        return [[str(where), _plain(one)] for where, one in rate.items()]
    return rate if rate is None or isinstance(rate, float) else keras.saving.serialize_keras_object(rate)

"""The sides of a model: for each set of weights that it trains in turn, an optimizer and the functions made for it.

A side has what ``compile`` makes for these weights. Loss and metrics are the model's own, the same on all sides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weightkit.training.model.compile_arguments import compilation_of, scope_of
from weightkit.training.model.flag_record import FlagRecord
from weightkit.training.model.holders import training_of
from weightkit.training.optimizer.other_optimizers import optimizer_aliases
from weightkit.training.optimizer.parked_slots import park, parked_of
from weightkit.training.optimizer.recompilation import Recompilation

if TYPE_CHECKING:
    from weightkit.training.model.holders import Training
    from weightkit.training.optimizer.parked_slots import ParkedSlots

_ATTRIBUTE = "_weightkit_sides"
_FUNCTIONS = ("train_function", "test_function", "predict_function")
_COMPILED = ("optimizer", "_compile_config", "_compiled_trainable_state")
_SETTINGS = ("run_eagerly", "steps_per_execution", "jit_compile")


@dataclass(slots=True, eq=False)
class Side:
    """An optimizer of a model, and what Keras made for the weights that it trains."""

    compiled: dict[str, Any]
    """The optimizer, and what names it in the model's file."""
    functions: dict[str, Any]
    """As Keras traced or compiled them; None where it has to make them."""
    settings: tuple[Any, ...]
    """What the functions were made for."""
    aliases: tuple[str, ...]
    """Attributes of the user's that are the optimizer too."""
    parked: ParkedSlots | None

    @classmethod
    def present(cls, model: Any) -> Side:
        """What a compiled model has now."""
        compiled = {name: getattr(model, name) for name in _COMPILED}
        return cls(compiled, _functions(model), _settings(model), tuple(optimizer_aliases(model)), parked_of(model))

    @classmethod
    def new(cls, model: Any) -> Side:
        """One for the weights that a model trains now: its optimizer's configuration, without state."""
        # Outside the scope of a MirroredStrategy, the new optimizer would get variables without replicas.
        with scope_of(model):
            optimizer, parked, _ = Recompilation(model).fresh()
        given = model._compile_config  # noqa: SLF001  # the model's file has this
        compiled = {
            "optimizer": optimizer,
            "_compile_config": type(given)(**(given.config | {"optimizer": optimizer})),
            "_compiled_trainable_state": {layer: layer.trainable for layer in model._flatten_layers()},  # noqa: SLF001
        }
        return cls(compiled, _no_functions(), _settings(model), tuple(optimizer_aliases(model)), parked)

    def put(self, model: Any) -> None:
        """Give a model this optimizer and these functions."""
        if self.settings != _settings(model):
            self.functions, self.settings = _no_functions(), _settings(model)
        vars(model).update(self.compiled | self.functions)  # untracked, as in `compile`
        for name in self.aliases:
            setattr(model, name, self.compiled["optimizer"])
        park(model, self.parked)

    def is_in(self, model: Any) -> bool:
        """Whether a model has its optimizer."""
        return model.optimizer is self.compiled["optimizer"]

    def keep(self, model: Any) -> None:
        """Keep the functions that a model has made for it since."""
        self.functions, self.parked = _functions(model), parked_of(model)

    def forget(self) -> None:
        """Lose the functions: what they were made for has changed."""
        self.functions = _no_functions()


@dataclass(slots=True, eq=False)
class Sides:
    """The sides of one model since its last ``compile``. They are kept in the model itself, and go with it."""

    compilation: Any
    known: dict[Training, tuple[Side, FlagRecord]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> Sides:
        """Those of a model; none where it was compiled since."""
        found = vars(model).get(_ATTRIBUTE)
        if not isinstance(found, cls) or found.compilation is not compilation_of(model):
            found = vars(model)[_ATTRIBUTE] = cls(compilation_of(model))
        return found

    def side(self, model: Any) -> tuple[Side, bool]:
        """The side for the weights that a model trains now, and whether it is new."""
        training, now = training_of(model), FlagRecord.of(model)
        side, made_for = self.known.get(training, (None, now))
        is_new = side is None
        if side is None:
            side = Side.new(model)
        elif made_for.marks != now.marks:
            side.forget()
        self.known[training] = side, now
        return side, is_new

    def remove(self, side: Side) -> None:
        """Lose one side."""
        self.known = {training: entry for training, entry in self.known.items() if entry[0] is not side}


def _functions(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in _FUNCTIONS}


def _no_functions() -> dict[str, Any]:
    return dict.fromkeys(_FUNCTIONS)


def _settings(model: Any) -> tuple[Any, ...]:
    return tuple(getattr(model, name) for name in _SETTINGS)

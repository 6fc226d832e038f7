"""An optimizer like the one in a file, on tiny stand-ins for its weights: it says which saved variable is which.

Keras saves an optimizer's variables as one list, inner optimizers included, in the order of ``optimizer.variables``.
An optimizer of the same configuration has the same list. Nothing in the file is executed for that: classes are Keras'
own or those of the live optimizer, and only plain values of the configuration are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.errors import UnsupportedFileError
from weightkit.training.optimizer.clones import Clones
from weightkit.training.optimizer.grouping import without_root
from weightkit.training.optimizer.other_optimizers import with_inner
from weightkit.training.optimizer.slots import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weightkit.access import WeightRef

_HINT = "compile the model with the optimizer that the file was saved with"
_PLAIN = (bool, int, float, str, type(None))
_SCALED, _SEVERAL = "LossScaleOptimizer", {"MultiOptimizer", "GroupedOptimizer"}


@dataclass(frozen=True, slots=True)
class Role:
    """What one variable of an optimizer is."""

    name: str
    """The slot, such as ``momentum``; for state, its path: ``iteration``, ``inner_optimizer/learning_rate``."""
    owner: int | None
    """The number of the weight that it belongs to; None for state."""
    optimizer_class: str
    path: str
    """Keras' name for it: ``adam/dense_kernel_momentum``."""
    shape: tuple[int, ...]
    """In the stand-in, all of whose axes are of length 1."""

    def fits(self, ref: WeightRef, owners: Sequence[WeightRef]) -> bool:
        """Whether a variable in the file can be this one; a slot of another rank than its weight, by its rank."""
        if self.owner is None:
            return ref.shape == self.shape
        wanted = owners[self.owner].shape
        return ref.shape == wanted if len(self.shape) == len(wanted) else len(ref.shape) == len(self.shape)


def class_of(config: Mapping[str, Any]) -> str:
    """The class in a serialized optimizer; ``Custom>Adam`` is Adam."""
    found = config.get("class_name")
    return found.rpartition(">")[2] if isinstance(found, str) else ""


def maker_of(config: Mapping[str, Any] | None, live: Any) -> Callable[[], Any]:
    """A function that makes optimizers like the one in the file, each without state.

    Args:
        config: The serialized optimizer; None if the file has none, and the live optimizer says what it is.
        live: The live optimizer, whose own classes may be in the configuration.
    """
    return (lambda: Clones().of(live)) if config is None else (lambda: _made(config, live))


def roles_of(optimizer: Any, owners: Iterable[tuple[WeightRef, str]]) -> tuple[Role, ...]:
    """Build an optimizer on stand-ins for weights; what each of its variables is, in the order in which Keras saves.

    Args:
        optimizer: A new one.
        owners: The weights, each with its path in Keras, by which some optimizers decide.
    """
    weights = [_weight(ref, path) for ref, path in owners]
    numbers = {id(weight): number for number, weight in enumerate(weights)}
    optimizer.build(weights)
    found: dict[int, tuple[str, int | None, str]] = {}
    for part in parts_of(optimizer):
        of_part = type(part.optimizer).__name__
        for name, variable in part.state.items():
            found[id(variable)] = (f"{part.path}/{name}" if part.path else name, None, of_part)
        for name, variables in part.slots.items():
            for owner, variable in zip(part.owners, variables, strict=True):
                if variable is not None:
                    found[id(variable)] = (name, numbers[id(owner)], of_part)
    # Without slots that Keras makes and does not save, such as those of a vector in Adafactor.
    return tuple(Role(*found[id(one)], one.path, tuple(one.shape)) for one in optimizer.variables)


def _weight(ref: WeightRef, path: str) -> Any:
    variable = keras.Variable(np.zeros((1,) * len(ref.shape)), dtype=str(ref.dtype), name="weight")
    variable._path = path  # noqa: SLF001  # Keras 3.15 makes it from scopes alone
    return variable


def _made(config: Mapping[str, Any], live: Any) -> Any:
    name, settings = class_of(config), config.get("config")
    if not isinstance(settings, Mapping):
        raise UnsupportedFileError(f"the configuration of its optimizer must be a JSON object, got {settings!r:.80}")
    try:
        if name == _SCALED:
            return _scaled(settings, live)
        return _several(settings, live) if name in _SEVERAL else _plain(name, settings, live)
    except UnsupportedFileError:
        raise
    except Exception as error:
        raise UnsupportedFileError(
            f"the optimizer in the file, {name}, cannot be made from its configuration: {error}", hint=_HINT
        ) from error


def _scaled(settings: Mapping[str, Any], live: Any) -> Any:
    inner = _made(settings["inner_optimizer"], live)
    plain = {key: value for key, value in settings.items() if isinstance(value, _PLAIN)}
    return keras.optimizers.LossScaleOptimizer(inner, **plain)


def _several(settings: Mapping[str, Any], live: Any) -> Any:
    """A MultiOptimizer; its patterns, which a file could make slow, must be those of the live one."""
    told = settings["optimizer_map"]["config"]
    patterns = _patterns(live)
    if list(map(without_root, told["optimizer_map"])) != list(map(without_root, patterns)):
        raise UnsupportedFileError(
            f"the patterns of its MultiOptimizer must be those of the model's, {patterns}, got "
            f"{list(told['optimizer_map'])}",
            hint=_HINT,
        )
    inner = {mine: _made(one, live) for mine, one in zip(patterns, told["optimizer_map"].values(), strict=True)}
    known = keras.optimizers.OptimizerMap(_made(told["default_optimizer"], live), inner)
    return keras.optimizers.MultiOptimizer(known, name=settings.get("name"))


def _patterns(live: Any) -> list[str]:
    several = (one for one in with_inner(live) if isinstance(one, keras.optimizers.MultiOptimizer))
    chosen = getattr(next(several, None), "_optimizer_map", None)
    return list(chosen) if isinstance(chosen, keras.optimizers.OptimizerMap) else []


def _plain(name: str, settings: Mapping[str, Any], live: Any) -> Any:
    of_live = {type(one).__name__: one for one in with_inner(live)}
    made_by: Any = type(of_live[name]) if name in of_live else getattr(keras.optimizers, name, None)
    if not _makes_optimizers(made_by):
        raise UnsupportedFileError(f"the optimizer in the file must be one of Keras 3, got {name}", hint=_HINT)
    here = of_live[name].get_config() if name in of_live else {}
    known = {key: value for key, value in settings.items() if isinstance(value, _PLAIN) or here.get(key) == value}
    if isinstance(settings.get("learning_rate"), Mapping):
        # Any schedule: it only decides that the learning rate is no variable.
        known["learning_rate"] = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 1.0)
    return made_by.from_config(known)


def _makes_optimizers(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, keras.optimizers.Optimizer)

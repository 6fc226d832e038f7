"""Everything of a model that a training step changes, taken and put back bit for bit."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import as_numpy
from weightkit.training.checking.object_states import ObjectStates
from weightkit.training.model.replicas import Replicas
from weightkit.training.optimizer.memory import set_values
from weightkit.training.optimizer.other_optimizers import held_optimizers, with_inner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self


class Snapshot:
    """A model as it is now, to go back to: as a context manager, leaving it puts everything back.

    Kept are the values of the model's weights, seeds and metrics, and of all optimizers that it or a layer of it holds
    in attributes, lists and dictionaries; the gradients that PyTorch leaves at its parameters; what objects a first
    step would build (the optimizers' slots, the metrics); the train function with its traces; and the generators of
    random numbers of Python, NumPy, Keras and PyTorch.

    Values are copied: JAX' train step gives away the arrays that it was handed, PyTorch's writes into its own. Each
    variable gets an array of its own back; on JAX, Keras' averages share theirs with the weights after a ``fit``, and
    its own ``train_on_batch`` fails of that. Under a MirroredStrategy each replica gets its own back.

    Not kept are the random numbers that TensorFlow's operations without a seed draw, and what a layer's own code does
    outside Keras.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._objects = ObjectStates((*_optimizers(model), *_metrics(model)), (model, *_modes(model)))
        kept = ((variable, as_numpy(variable._value).copy()) for variable in _variables(model))  # noqa: SLF001
        self._values = {id(variable): (variable, values) for variable, values in kept}
        self._replicas = [Replicas(variable) for variable, _ in self._values.values()]
        self._gradients = [(variable, _gradient(variable)) for variable, _ in self._values.values()]
        self._random = _random_states()
        self.separate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.put_back()

    def before(self, variable: Any) -> np.ndarray:
        """What a variable held: not to be changed."""
        return self._values[id(variable)][1]

    def changed(self, variable: Any) -> bool:
        """Whether a variable holds other bits now than it did."""
        now = as_numpy(variable._value)  # noqa: SLF001  # `value` is cast within an autocast scope
        return bool(now.tobytes() != self.before(variable).tobytes())

    def separate(self) -> None:
        """Give variables that share one array of JAX an array each, so that a step can run at all."""
        seen: set[int] = set()
        for variable, values in self._values.values():
            array = id(variable._value)  # noqa: SLF001
            if array in seen:
                set_values(variable, values)
            seen.add(array)

    def put_back(self) -> None:
        """Make everything as it was; it may be done several times."""
        self._objects.put_back()
        for variable, values in self._values.values():
            set_values(variable, values)
        for replicas in self._replicas:
            replicas.put_back()
        for variable, gradient in self._gradients:
            if gradient is not _NONE_KEPT:
                variable._value.grad = None if gradient is None else gradient.clone()  # noqa: SLF001
        _set_random_states(self._random)


_NONE_KEPT = object()
_SEED = "global_seed_generator"


def _gradient(variable: Any) -> Any:
    """What PyTorch has left at a parameter: a copy."""
    if not hasattr(variable._value, "grad") or not getattr(variable._value, "is_leaf", False):  # noqa: SLF001
        return _NONE_KEPT
    left = variable._value.grad  # noqa: SLF001
    return None if left is None else left.clone()


def _variables(model: Any) -> Iterator[Any]:
    """Each variable once."""
    seeds = [] if _global_seed() is None else [_global_seed().state]
    kept = [optimizer.variables for optimizer in _optimizers(model)]
    groups = (model.variables, model.metrics_variables, *kept, seeds)
    seen: set[int] = set()
    for variable in (one for group in groups for one in group):
        if id(variable) not in seen:
            seen.add(id(variable))
            yield variable


def _optimizers(model: Any) -> Iterator[Any]:
    """The model's own, those that it holds beside that one, and those of models within it."""
    for layer in (model, *model._flatten_layers(include_self=False)):  # noqa: SLF001
        for _, optimizer in held_optimizers(layer):
            yield from with_inner(optimizer)


def _metrics(model: Any) -> Iterator[Any]:
    for name in ("_compile_loss", "_compile_metrics", "_loss_tracker"):
        if getattr(model, name, None) is not None:
            yield getattr(model, name)
    yield from model.metrics


def _modes(model: Any) -> Iterable[Any]:
    """PyTorch's modules know whether they train."""
    modules = getattr(model, "modules", None)
    return () if modules is None or "torch" not in sys.modules else modules()


def _global_seed() -> Any:
    return _global_state().get_global_attribute(_SEED)


def _global_state() -> Any:
    return sys.modules["keras.src.backend.common.global_state"]


def _random_states() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002  # whatever a user's data draws from
        "keras": _global_seed(),
        "torch": torch.get_rng_state() if torch is not None else None,
    }


def _set_random_states(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    if states["keras"] is None:  # one that was made meanwhile is made again when it is needed, with the same seed
        _global_state().set_global_attribute(_SEED, None)
    if states["torch"] is not None:
        sys.modules["torch"].set_rng_state(states["torch"])

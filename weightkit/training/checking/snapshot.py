"""Everything of a model that a training step changes, saved and restored bit for bit."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import as_numpy
from weightkit.training.checking.object_states import ObjectStates
from weightkit.training.model.replicas import Replicas
from weightkit.training.optimizer.other_optimizers import optimizers_in, with_inner
from weightkit.training.optimizer.slot_values import set_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self


class Snapshot:
    """A model as it is now, to be restored later; as a context manager, it restores everything at the end.

    It has the values of the model's weights, seeds and metrics, and of all optimizers in attributes, lists and
    dictionaries of the model or a layer; the gradients that PyTorch leaves at its parameters; the objects that a first
    step builds (the optimizers' slots, the metrics); the train function with its traces; and the state of the random
    generators of Python, NumPy, Keras and PyTorch.

    Values are copied: JAX' train step donates its arrays, PyTorch's writes into them. Each variable gets back an array
    of its own. On JAX with Keras 3.15, moving averages share their arrays with the weights after a ``fit``, and
    ``train_on_batch`` fails with "donate the same buffer twice". Under a MirroredStrategy each replica gets its own
    value back.

    It does not have the state of TensorFlow's random operations without a seed, nor anything that a layer's own code
    does outside Keras.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._objects = ObjectStates((*_optimizers(model), *_metrics(model)), (model, *_modes(model)))
        copies = ((variable, as_numpy(variable._value).copy()) for variable in _variables(model))  # noqa: SLF001
        self._values = {id(variable): (variable, values) for variable, values in copies}
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
        """The saved values of a variable; do not change the array."""
        return self._values[id(variable)][1]

    def changed(self, variable: Any) -> bool:
        """Whether a variable has other bits now than in the snapshot."""
        now = as_numpy(variable._value)  # noqa: SLF001  # `value` is cast in an autocast scope
        return bool(now.tobytes() != self.before(variable).tobytes())

    def separate(self) -> None:
        """Give variables that share one JAX array an array each, so that a step can run."""
        seen: set[int] = set()
        for variable, values in self._values.values():
            array = id(variable._value)  # noqa: SLF001
            if array in seen:
                set_values(variable, values)
            seen.add(array)

    def put_back(self) -> None:
        """Restore everything; it may be called several times."""
        self._objects.put_back()
        for variable, values in self._values.values():
            set_values(variable, values)
        for replicas in self._replicas:
            replicas.put_back()
        for variable, gradient in self._gradients:
            if gradient is not _NO_GRADIENT:
                # A copy each time: PyTorch adds to a gradient in place, and this may be called again.
                variable._value.grad = None if gradient is None else gradient.clone()  # noqa: SLF001
        _set_random_states(self._random)


_NO_GRADIENT = object()
_SEED = "global_seed_generator"


def _gradient(variable: Any) -> Any:
    """A copy of the gradient that PyTorch left at a parameter."""
    if not hasattr(variable._value, "grad") or not getattr(variable._value, "is_leaf", False):  # noqa: SLF001
        return _NO_GRADIENT
    left = variable._value.grad  # noqa: SLF001
    return None if left is None else left.clone()


def _variables(model: Any) -> Iterator[Any]:
    """Each variable once."""
    seeds = [] if _global_seed() is None else [_global_seed().state]
    slots = [optimizer.variables for optimizer in _optimizers(model)]
    groups = (model.variables, model.metrics_variables, *slots, seeds)
    seen: set[int] = set()
    for variable in (one for group in groups for one in group):
        if id(variable) not in seen:
            seen.add(id(variable))
            yield variable


def _optimizers(model: Any) -> Iterator[Any]:
    """All optimizers of the model and of models in it."""
    for layer in (model, *model._flatten_layers(include_self=False)):  # noqa: SLF001
        for _, optimizer in optimizers_in(layer):
            yield from with_inner(optimizer)


def _metrics(model: Any) -> Iterator[Any]:
    for name in ("_compile_loss", "_compile_metrics", "_loss_tracker"):
        if getattr(model, name, None) is not None:
            yield getattr(model, name)
    yield from model.metrics


def _modes(model: Any) -> Iterable[Any]:
    """PyTorch's modules, which have a flag for training mode."""
    modules = getattr(model, "modules", None)
    return () if modules is None or "torch" not in sys.modules else modules()


def _global_seed() -> Any:
    return _global_state().get_global_attribute(_SEED)


def _global_state() -> Any:
    # Keras 3.15 has no public accessor for its global seed generator.
    return sys.modules["keras.src.backend.common.global_state"]


def _random_states() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002  # a user's data may use it
        "keras": _global_seed(),
        "torch": torch.get_rng_state() if torch is not None else None,
    }


def _set_random_states(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    if states["keras"] is None:  # Keras makes it again when it needs it, with the same seed
        _global_state().set_global_attribute(_SEED, None)
    if states["torch"] is not None:
        sys.modules["torch"].set_rng_state(states["torch"])

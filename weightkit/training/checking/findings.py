"""What Keras hides of a model that is to be trained: one function a finding, each with its hint."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.text import listed
from weightkit.training.model.batch_norm import is_batch_norm
from weightkit.training.model.traces import handle_id, traces_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.training.model.inventory import Weight, Weights

_RECOMPILE = "compile the model again: recompile(model) keeps the optimizer's state"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that Keras says nothing of."""

    what: str
    """A word for programs: ``stale flags``, ``trainable below frozen``, ``half-frozen statistics``, ..."""
    problem: str
    hint: str
    weights: tuple[str, ...]
    """Addresses of the weights, or names of the layers, that it concerns: all of them."""

    def __str__(self) -> str:
        return f"{self.what}: {self.problem} — {self.hint}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"what": self.what, "problem": self.problem, "hint": self.hint, "weights": list(self.weights)}


def stale_flags(model: Any, weights: Weights) -> Iterator[Finding]:
    """Flags that were changed since the optimizer was built, or since the train function was traced."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not getattr(optimizer, "built", False):
        return
    known = {id(variable) for variable in optimizer._trainable_variables}  # noqa: SLF001  # Keras has no other way
    unfrozen = [weight.path for weight in weights if weight.trains and id(weight.variable) not in known]
    frozen = [weight.path for weight in weights if not weight.trains and id(weight.variable) in known]
    if unfrozen:
        problem = f"{listed(unfrozen)}: trainable, and unknown to the optimizer, which was built without"
        yield Finding("stale flags", problem, _RECOMPILE, tuple(unfrozen))
    if frozen:
        problem = f"{listed(frozen)}: frozen since the optimizer was built"
        yield Finding("stale flags", problem, _RECOMPILE, tuple(frozen))
    else:
        yield from _stale_trace(model, weights, known)


def _stale_trace(model: Any, weights: Weights, known: set[int]) -> Iterator[Finding]:
    """TensorFlow alone: a train function that was traced with other flags."""
    parameters = [weight for weight in weights if weight.is_parameter and id(weight.variable) in known]
    handles = {weight.path: handle_id(weight.variable) for weight in parameters}
    if None in handles.values():
        return
    stale = [path for trace in traces_of(model) for path, handle in handles.items() if handle not in trace]
    if stale:
        paths = tuple(dict.fromkeys(stale))
        problem = f"{listed(paths)}: trainable, and frozen in the train function, which was traced before"
        yield Finding("stale flags", problem, _RECOMPILE, paths)


def trainable_below_frozen(model: Any, weights: Weights) -> Iterator[Finding]:
    """Layers that are trained though a layer around them is frozen."""
    owners = defaultdict(list)
    for weight in weights:
        owners[id(weight.owner)].append(weight)
    told: set[str] = set()
    for parent in _layers(model):
        if parent.trainable or parent is model:
            continue
        below = parent._flatten_layers(include_self=False)  # noqa: SLF001
        found = [weight.path for layer in below for weight in owners[id(layer)] if _goes_on(layer, weight)]
        new = [path for path in found if path not in told]
        told.update(new)
        if new:
            problem = (
                f"{parent.name} is frozen, and {listed(new)} below it still {'is' if len(new) == 1 else 'are'} not"
            )
            hint = f"freeze(model, ...) sets every flag below; or unfreeze {parent.name} by its own name"
            yield Finding("trainable below frozen", problem, hint, tuple(new))


def _goes_on(layer: Any, weight: Weight) -> bool:
    """Whether training changes a weight, by its gradient or by measuring."""
    return weight.trains or (is_batch_norm(layer) and layer.trainable and not weight.is_parameter)


def half_frozen_statistics(model: Any, weights: Weights) -> Iterator[Finding]:
    """BatchNormalization whose variables are frozen while its statistics go on: only the layer's flag stops them."""
    own = defaultdict(list)
    for weight in weights:
        if weight.is_parameter:
            own[id(weight.owner)].append(weight)
    names = {id(weight.owner): weight.ref.layer or "." for weight in weights}
    found = [
        names[id(layer)]
        for layer in _layers(model)
        if is_batch_norm(layer) and layer.trainable and any(not weight.trains for weight in own[id(layer)])
    ]
    if found:
        problem = f"{listed(found)}: gamma or beta is frozen, and the moving statistics go on drifting"
        hint = "set the layer's own trainable flag to False, as freeze(model, ..., statistics='freeze') does"
        yield Finding("half-frozen statistics", problem, hint, tuple(found))


def shared_paths(model: Any, weights: Weights) -> Iterator[Finding]:
    """Variables that Keras knows by one path, so that a pattern of an OptimizerMap cannot tell them apart."""
    del model
    paths = defaultdict(list)
    for weight in weights:
        paths[weight.variable.path].append(weight.path)
    for path, addresses in paths.items():
        if len(addresses) > 1:
            problem = f"{listed(addresses)} all have the Keras path {path}"
            hint = "give the layers names of their own; until then no path or OptimizerMap pattern tells them apart"
            yield Finding("shared path", problem, hint, tuple(addresses))


def stray_slots(model: Any, weights: Weights) -> Iterator[Finding]:
    """Optimizer state of variables that are none of the model's."""
    optimizer = getattr(model, "optimizer", None)
    known = {id(weight.variable) for weight in weights}
    trained = getattr(optimizer, "_trainable_variables", [])
    stray = tuple(variable.path for variable in trained if id(variable) not in known)
    if stray:
        problem = f"the optimizer was built on {listed(stray)}, which the model does not have"
        yield Finding("stray optimizer state", problem, "compile the model with an optimizer of its own", stray)


def idle_patterns(model: Any, weights: Weights) -> Iterator[Finding]:
    """Patterns of a MultiOptimizer that match no weight: what they were meant for gets the default optimizer."""
    import re  # noqa: PLC0415

    optimizer = getattr(model, "optimizer", None)
    chooser: Any = getattr(getattr(optimizer, "inner_optimizer", optimizer), "_optimizer_map", None)
    if not hasattr(chooser, "default_optimizer"):
        return
    paths = [weight.variable.path for weight in weights]
    idle = tuple(key for key in chooser if key not in paths and not any(re.fullmatch(key, path) for path in paths))
    if idle:
        problem = f"{listed(idle)} matches no path, and what it was meant for has the default optimizer"
        hint = f"a pattern must match the whole of a path, such as {paths[0]}" if paths else "leave it out"
        yield Finding("idle pattern", problem, hint, idle)


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers())  # noqa: SLF001  # Keras has no other way to ask

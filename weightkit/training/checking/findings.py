"""Mistakes in a model that Keras does not report: one function for each kind, each finding with a hint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.text import listed
from weightkit.training.model.model_view import is_batch_norm
from weightkit.training.model.traces import handle_id, traces_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.live import Unsaved
    from weightkit.training.model.inventory import ModelWeight, ModelWeights

_KEEP_IN_ATTRIBUTES = (
    "keep layers in attributes that Keras does not use itself, alone or in a list, tuple or dictionary: "
    "self.blocks, not self._layers"
)
_SAVE_ALL = "extend save_own_variables and load_own_variables of its class to all of its weights"
_RECOMPILE = "compile the model again: recompile(model) keeps the optimizer's state"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake that Keras does not report."""

    what: str
    """The kind, for programs: ``stale flags``, ``trainable below frozen``, ``half-frozen statistics``, ..."""
    problem: str
    hint: str
    weights: tuple[str, ...]
    """Addresses of all the weights, or names of all the layers, that it concerns."""

    def __str__(self) -> str:
        return f"{self.what}: {self.problem} — {self.hint}"

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        return {"what": self.what, "problem": self.problem, "hint": self.hint, "weights": list(self.weights)}


def never_saved(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """Weights that Keras leaves out of every file: one finding for each layer in which saving stops."""
    del model
    held = defaultdict(list)
    for one in weights.unsaved:
        held[id(one.holder)].append(one)
    for of_holder in held.values():
        paths, holder = tuple(one.path for one in of_holder), of_holder[0].holder
        places = dict.fromkeys(_attribute_of(one) for one in of_holder if one.layer is not holder)
        found = " and ".join(filter(None, places)) or f"{holder.name}, whose save_own_variables leaves out part of it"
        problem = f"{', '.join(paths)}: trained or tracked, and in no file that Keras saves; held by {found}"
        yield Finding("never saved", problem, _KEEP_IN_ATTRIBUTES if places else _SAVE_ALL, paths)


def unsaved_notes(weights: ModelWeights) -> tuple[str, ...]:
    """One note for a report that names the weights of `never_saved`; none where there are none."""
    paths = [one.path for one in weights.unsaved]
    return (f"in no file that Keras saves (see check_model): {listed(paths)}",) if paths else ()


def _attribute_of(unsaved: Unsaved) -> str:
    """The attribute from which a layer is not saved: ``block._layers``."""
    attributes = vars(unsaved.holder)
    # Keras itself lists every layer in `_layers`, so that name comes last.
    for name in sorted(attributes, key=lambda name: name == "_layers"):
        value = attributes[name]
        members = value.values() if isinstance(value, dict) else value if isinstance(value, Collection) else (value,)
        if any(member is unsaved.layer for member in members):
            return f"{unsaved.holder.name}.{name}"
    return str(unsaved.holder.name)


def stale_flags(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """Flags that changed after the optimizer was built, or after the train function was traced."""
    optimizer = getattr(model, "optimizer", None)
    # An optimizer that is not built yet reads the flags when it is built: they cannot be stale.
    if optimizer is None or not getattr(optimizer, "built", False):
        return
    known = {id(variable) for variable in optimizer._trainable_variables}  # noqa: SLF001  # Keras 3.15 has no public accessor
    unfrozen = [weight.path for weight in weights if weight.is_trained and id(weight.variable) not in known]
    frozen = [weight.path for weight in weights if not weight.is_trained and id(weight.variable) in known]
    if unfrozen:
        problem = f"{listed(unfrozen)}: trainable, and unknown to the optimizer, which was built without them"
        yield Finding("stale flags", problem, _RECOMPILE, tuple(unfrozen))
    if frozen:
        problem = f"{listed(frozen)}: frozen since the optimizer was built"
        yield Finding("stale flags", problem, _RECOMPILE, tuple(frozen))
    else:
        yield from _stale_trace(model, weights, known)


def _stale_trace(model: Any, weights: ModelWeights, known: set[int]) -> Iterator[Finding]:
    """On TensorFlow, a train function that was traced with other flags."""
    parameters = [weight for weight in weights if weight.is_parameter and id(weight.variable) in known]
    handles = {weight.path: handle_id(weight.variable) for weight in parameters}
    # A variable with replicas has several handles, and traces cannot be compared.
    if None in handles.values():
        return
    stale = [path for trace in traces_of(model) for path, handle in handles.items() if handle not in trace]
    if stale:
        paths = tuple(dict.fromkeys(stale))
        problem = f"{listed(paths)}: trainable, and frozen in the train function, which was traced earlier"
        yield Finding("stale flags", problem, _RECOMPILE, paths)


def trainable_below_frozen(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """Layers that are trained although a layer around them is frozen."""
    owners = defaultdict(list)
    for weight in weights:
        owners[id(weight.owner)].append(weight)
    known: set[str] = set()
    for parent in _layers(model):
        # Keras trains nothing of a model whose own flag is off, so nothing below it is.
        if parent.trainable or parent is model:
            continue
        below = parent._flatten_layers(include_self=False)  # noqa: SLF001
        found = [weight.path for layer in below for weight in owners[id(layer)] if _changes(layer, weight)]
        # A weight below two frozen layers is reported once.
        new = [path for path in found if path not in known]
        known.update(new)
        if new:
            problem = (
                f"{parent.name} is frozen, and {listed(new)} inside it {'is' if len(new) == 1 else 'are'} still trained"
            )
            hint = f"freeze(model, ...) sets every flag inside it; or unfreeze {parent.name} by its name"
            yield Finding("trainable below frozen", problem, hint, tuple(new))


def _changes(layer: Any, weight: ModelWeight) -> bool:
    """Whether training changes a weight: by its gradient, or as a moving statistic."""
    return weight.is_trained or (is_batch_norm(layer) and layer.trainable and not weight.is_parameter)


def half_frozen_statistics(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """BatchNormalizations with frozen gamma or beta whose statistics are updated: only the layer's flag stops that."""
    parameters = defaultdict(list)
    for weight in weights:
        if weight.is_parameter:
            parameters[id(weight.owner)].append(weight)
    names = {id(weight.owner): weight.ref.layer or "." for weight in weights}
    found = [
        names[id(layer)]
        for layer in _layers(model)
        if is_batch_norm(layer) and layer.trainable and any(not weight.is_trained for weight in parameters[id(layer)])
    ]
    if found:
        problem = f"{listed(found)}: gamma or beta is frozen, and the moving statistics are still updated"
        hint = "set the layer's own trainable flag to False, as freeze(model, ..., statistics='freeze') does"
        yield Finding("half-frozen statistics", problem, hint, tuple(found))


def shared_paths(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """Variables with the same Keras path, which no pattern of an OptimizerMap can tell apart."""
    del model
    paths = defaultdict(list)
    for weight in weights:
        paths[weight.variable.path].append(weight.path)
    for path, addresses in paths.items():
        if len(addresses) > 1:
            problem = f"{listed(addresses)} have the same Keras path, {path}"
            hint = "give the layers unique names; until then no path or OptimizerMap pattern tells them apart"
            yield Finding("shared path", problem, hint, tuple(addresses))


def stray_slots(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """Optimizer state of variables that the model does not have."""
    optimizer = getattr(model, "optimizer", None)
    known = {id(weight.variable) for weight in weights}
    trained = getattr(optimizer, "_trainable_variables", [])
    stray = tuple(variable.path for variable in trained if id(variable) not in known)
    if stray:
        problem = f"the optimizer was built on {listed(stray)}, which the model does not have"
        yield Finding("stray optimizer state", problem, "compile the model with a new optimizer", stray)


def idle_patterns(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """Patterns of a MultiOptimizer that match no weight, so that the default optimizer trains it instead."""
    import re  # noqa: PLC0415

    optimizer = getattr(model, "optimizer", None)
    chooser: Any = getattr(getattr(optimizer, "inner_optimizer", optimizer), "_optimizer_map", None)
    if not hasattr(chooser, "default_optimizer"):
        return
    paths = [weight.variable.path for weight in weights]
    # As OptimizerMap of Keras 3.15 does: an equal path first, then a pattern for the whole path.
    idle = tuple(key for key in chooser if key not in paths and not any(re.fullmatch(key, path) for path in paths))
    if idle:
        problem = f"{listed(idle)} matches no path, so the default optimizer trains the weights that it was meant for"
        hint = f"a pattern must match a whole path, such as {paths[0]}" if paths else "remove it"
        yield Finding("idle pattern", problem, hint, idle)


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers())  # noqa: SLF001  # Keras 3.15 has no public accessor

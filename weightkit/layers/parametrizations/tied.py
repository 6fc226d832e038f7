"""Weight tying: a weight that is another layer's weight, transposed or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import boolean
from weightkit.errors import RequestError
from weightkit.layers.parametrizations.parametrization import AddedVariable, ComputedWeight, Parametrization, Weight
from weightkit.layers.parametrized.wrapping import outermost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True, eq=False)
class Tied(Parametrization):
    """The weight of another layer, as an output layer's kernel may be the embeddings (Press and Wolf 2016, 1608.05859).

    The layer then has no variable of its own, and files have none for it. A configuration has the other layer's name. A
    layer that is made from it finds the other layer among those that its input comes from.

    Args:
        other: The layer that has the weight, which must be built first; or its name, where the input comes from it.
            Where that layer computes its weight, the computed value (outside training) is used.
        weight: Which weight of the other layer, by its name; by default its only one of rank 2 or more.
        transpose: Whether to transpose the other layer's weight; by default where the shape requires it.
    """

    other: Any
    weight: str | None = None
    transpose: bool | None = None
    # A dictionary, since the dataclass is frozen and the layer may be found later.
    _found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    keeps_base = False

    def __post_init__(self) -> None:
        """Check the settings."""
        if isinstance(self.other, keras.layers.Layer):
            self._found["layer"] = self.other
        elif not isinstance(self.other, str) or not self.other:
            raise RequestError(f"Tied: other must be a layer, or the name of a layer upstream, got {self.other!r}")
        if self.weight is not None and (not isinstance(self.weight, str) or not self.weight):
            raise RequestError(f"Tied: weight must be the name of a weight, or None, got {self.weight!r}")
        if self.transpose is not None:
            self._check(boolean, "transpose")

    @property
    def layer_name(self) -> str:
        """The other layer's name."""
        return self.other if isinstance(self.other, str) else str(self.other.name)

    def find_upstream(self, tensors: Any) -> None:
        """Find the other layer by its name among the layers that symbolic tensors come from."""
        if "layer" not in self._found:
            found = next((one for one in _upstream(tensors) if one.name == self.layer_name), None)
            if found is not None:
                self._found["layer"] = found

    def objection(self, weight: Weight) -> str:
        """There is no such layer or weight, or it has another shape."""
        if "layer" not in self._found:
            return f"Tied: other must be a layer that the input comes from, got {self.layer_name!r}"
        if not self._found["layer"].built:
            return f"Tied: other must be built first, and {self.layer_name!r} is not"
        names = {one.name: one for one in self._found["layer"].weights}
        source = self._source()
        if source is None:
            return f"Tied: weight must be one of {self.layer_name}'s: {', '.join(names)}, got {self.weight!r}"
        theirs, ours = tuple(source.shape), tuple(weight.variable.shape)
        transposed = self.transpose if self.transpose is not None else theirs != ours
        if (theirs[::-1] if transposed else theirs) != ours:
            how = ", transposed" if transposed else ""
            return f"Tied: {weight.name} must have shape {ours}, and {self.layer_name}/{source.name} has {theirs}{how}"
        if weight.variable.regularizer is not None:
            return f"Tied: {weight.name} has a regularizer; give it to the layer {self.layer_name} instead"
        return ""

    def compute(self, base: Any, added: Mapping[str, AddedVariable], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """The other layer's present weight."""
        source = self._source()
        transposed = self.transpose
        if transposed is None:
            transposed = tuple(source.shape) != tuple(weight.variable.shape)
        value = self._value(source)
        return ops.transpose(value) if transposed else value

    def _value(self, source: Any) -> Any:
        """The value that the other layer computes for the variable, or the variable's value where it computes none."""
        for layer, computed in self._computed():
            if computed.weight.variable is source:
                return layer.values()[id(source)]
        return source.value

    def _computed(self) -> Iterator[tuple[Any, ComputedWeight]]:
        """Every computed weight of the other layer and of layers in it, with its layer; outer layers first."""
        for layer in outermost(self._found["layer"])._flatten_layers():  # noqa: SLF001
            yield from ((layer, one) for one in getattr(layer, "computed", ()) if isinstance(one, ComputedWeight))

    def _source(self) -> Any:
        # What wrappers add, such as factors, is not a weight of the layer to tie to.
        added = {id(one.variable) for _, found in self._computed() for _, step in found.steps for one in step.values()}
        weights = [one for one in self._found["layer"].weights if id(one) not in added]
        if self.weight is None:
            chosen = [one for one in weights if len(one.shape) > 1]
            return chosen[0] if len(chosen) == 1 else None
        return next((one for one in weights if one.name == self.weight), None)

    def get_config(self) -> dict[str, Any]:
        """The settings, with the other layer's name."""
        return {"other": self.layer_name, "weight": self.weight, "transpose": self.transpose}


def _upstream(tensors: Any) -> Any:
    """Every layer that symbolic tensors come from, and the layers in it."""
    # Keras 3.15 has no public way from a symbolic tensor back to its layers.
    waiting, seen = list(keras.tree.flatten(tensors)), set()
    while waiting:
        history = getattr(waiting.pop(), "_keras_history", None)
        if history is None or id(history.operation) in seen:
            continue
        seen.add(id(history.operation))
        if isinstance(history.operation, keras.layers.Layer):
            yield from history.operation._flatten_layers()  # noqa: SLF001
        for node in history.operation._inbound_nodes:  # noqa: SLF001
            waiting.extend(node.input_tensors)

"""Tying: a weight that is another layer's, transposed or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.errors import RequestError
from weightkit.layers.parametrizations.parametrization import Added, Computed, Parametrization, Weight
from weightkit.layers.parametrized.wrapping import outermost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True, eq=False)
class Tied(Parametrization):
    """The weight of another layer, as an output layer's kernel may be the embeddings (Press and Wolf 2016, 1608.05859).

    The layer has no variable of its own then, and its file holds none. A configuration has the other layer's name:
    whoever makes the layer from it finds the other among the layers that its input comes from.

    Args:
        other: The layer whose weight it is; it must be built first. Or its name, where it lies upstream. Where that
            layer computes the weight, it is what is computed, outside training.
        weight: Which of the other's weights, by its own name; its only one of rank 2 and more by default.
        transpose: Whether the axes of the other's weight are turned round; where its shape asks for it, by default.
    """

    other: Any
    weight: str | None = None
    transpose: bool | None = None
    _found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    keeps_base = False

    def __post_init__(self) -> None:
        """Check what was given."""
        if isinstance(self.other, keras.layers.Layer):
            self._found["layer"] = self.other
        elif not isinstance(self.other, str) or not self.other:
            raise RequestError(f"Tied: other={self.other!r}", hint="give a layer, or the name of one upstream")
        is_name = self.weight is None or (isinstance(self.weight, str) and self.weight != "")
        self._require("weight", is_name, "give the name of a weight, or None")
        if self.transpose is not None:
            self._require_flags("transpose")

    @property
    def layer_name(self) -> str:
        """The other layer's name."""
        return self.other if isinstance(self.other, str) else str(self.other.name)

    def look_upstream(self, tensors: Any) -> None:
        """Find the other layer by its name among those that symbolic tensors come from."""
        if "layer" not in self._found:
            found = next((one for one in _upstream(tensors) if one.name == self.layer_name), None)
            if found is not None:
                self._found["layer"] = found

    def objection(self, weight: Weight) -> str:
        """No such layer, no such weight, another shape."""
        if "layer" not in self._found:
            return f"Tied: other={self.layer_name!r} is no layer that the input comes from"
        if not self._found["layer"].built:
            return f"Tied: other={self.layer_name!r} has not been built, and has no weights yet"
        names = {one.name: one for one in self._found["layer"].weights}
        source = self._source()
        if source is None:
            return f"Tied: weight={self.weight!r}; {self.layer_name} has {', '.join(names)}"
        theirs, ours = tuple(source.shape), tuple(weight.variable.shape)
        turned = self.transpose if self.transpose is not None else theirs != ours
        if (theirs[::-1] if turned else theirs) != ours:
            way = "transposed" if turned else "as it is"
            return f"Tied: {self.layer_name}/{source.name} of shape {theirs}, {way}, is no weight of shape {ours}"
        if weight.variable.regularizer is not None:
            return f"Tied: {weight.name} has a regularizer; give it to the layer {self.layer_name} instead"
        return ""

    def compute(self, base: Any, added: Mapping[str, Added], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """The other's, as it is now."""
        source = self._source()
        turned = self.transpose
        if turned is None:
            turned = tuple(source.shape) != tuple(weight.variable.shape)
        value = self._value(source)
        return ops.transpose(value) if turned else value

    def _value(self, source: Any) -> Any:
        """What the other computes in the variable's place, or the variable's own value where it computes nothing."""
        for layer, computed in self._computed():
            if computed.weight.variable is source:
                return layer.values()[id(source)]
        return source.value

    def _computed(self) -> Iterator[tuple[Any, Computed]]:
        """Every weight that the other layer, or one in it, computes, with the layer; from the outside in."""
        for layer in outermost(self._found["layer"])._flatten_layers():  # noqa: SLF001
            yield from ((layer, one) for one in getattr(layer, "computed", ()) if isinstance(one, Computed))

    def _source(self) -> Any:
        added = {id(one.variable) for _, found in self._computed() for _, step in found.steps for one in step.values()}
        weights = [one for one in self._found["layer"].weights if id(one) not in added]
        if self.weight is None:
            chosen = [one for one in weights if len(one.shape) > 1]
            return chosen[0] if len(chosen) == 1 else None
        return next((one for one in weights if one.name == self.weight), None)

    def get_config(self) -> dict[str, Any]:
        """With the other layer's name."""
        return {"other": self.layer_name, "weight": self.weight, "transpose": self.transpose}


def _upstream(tensors: Any) -> Any:
    """Every layer that symbolic tensors were made by, and what those hold."""
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

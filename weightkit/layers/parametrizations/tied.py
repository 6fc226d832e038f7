"""Weight tying: a weight that is another layer's weight, transposed or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
from keras import ops
from keras.src.backend.common.symbolic_scope import in_symbolic_scope

from weightkit.arguments import boolean
from weightkit.errors import RequestError
from weightkit.layers.parametrizations.parametrization import AddedVariable, ComputedWeight, Parametrization, Weight
from weightkit.layers.parametrized.wrapping import outermost

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True, eq=False)
class Tied(Parametrization):
    """The weight of another layer, as an output layer's kernel may be the embeddings (Press and Wolf 2016, 1608.05859).

    The layer then has no variable of its own, and files have none for it. A configuration has the other layer's name. A
    layer that is made from it finds the other layer among those that its input comes from; else in the whole model,
    when that is first called. So the other layer must be part of the model that is trained and saved: `check_model`
    says where it is not.

    Args:
        other: The layer that has the weight, which must be built first; or its name, wherever in the model it is.
            Where that layer computes its weight, the computed value (outside training) is used.
        weight: Which weight of the other layer, by its name; by default its only one of rank 2 or more, and for a
            vector, such as ``bias``, the one of the same name.
        transpose: Whether to transpose the other layer's weight; by default where the shape requires it.
    """

    other: Any
    weight: str | None = None
    transpose: bool | None = None
    # A dictionary, since the dataclass is frozen and the layer may be found later.
    _found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    keeps_base = False
    fits_named_vectors = True

    def __post_init__(self) -> None:
        """Check the settings."""
        if isinstance(self.other, keras.layers.Layer):
            self._found["layer"] = self.other
        elif not isinstance(self.other, str) or not self.other:
            raise RequestError(f"Tied: other must be a layer, or the name of a layer, got {self.other!r}")
        if self.weight is not None and (not isinstance(self.weight, str) or not self.weight):
            raise RequestError(f"Tied: weight must be the name of a weight, or None, got {self.weight!r}")
        if self.transpose is not None:
            self._check(boolean, "transpose")

    @property
    def layer_name(self) -> str:
        """The other layer's name."""
        return self.other if isinstance(self.other, str) else str(self.other.name)

    @property
    def source_layer(self) -> Any:
        """The other layer; None until it is found by its name."""
        return self._found.get("layer")

    def find_upstream(self, tensors: Any) -> None:
        """Find the other layer by its name among the layers that symbolic tensors come from."""
        if "layer" not in self._found:
            found = next((one for one in _upstream(tensors) if one.name == self.layer_name), None)
            if found is not None:
                self._found["layer"] = found

    def find_among(self, layers: Iterable[Any], weight: Weight, model: str) -> None:
        """Find the other layer by its name among the layers of a model, the weight's own layer left out.

        Args:
            layers: The layers.
            weight: The weight that is tied.
            model: What they are the layers of, for messages.

        Raises:
            RequestError: There is none with this name and a weight that fits, or there are several.
        """
        own = {id(outermost(weight.owner)), id(weight.wrapper), id(weight.owner)}
        # A wrapper and the layer inside it have one name, and are one layer here.
        named = {id(outermost(one)): one for one in layers if one.name == self.layer_name and id(one) not in own}
        fitting = [one for one in named.values() if not self._misfit(one, weight)]
        if len(fitting) > 1:
            raise RequestError(f"Tied: {model} has several layers {self.layer_name!r}", hint="give them unique names")
        if not fitting:
            reasons = [self._misfit(one, weight) for one in named.values()]
            problem = f"Tied: other must be a layer of the model that is called, got {self.layer_name!r} in {model}"
            raise RequestError(reasons[0] if reasons else problem, hint="call the whole model that holds both layers")
        self._found["layer"] = fitting[0]

    def objection(self, weight: Weight) -> str:
        """The weight has a regularizer, or the other layer, where it is known, has no such weight or another shape."""
        if weight.variable.regularizer is not None:
            return f"Tied: {weight.name} has a regularizer; give it to the layer {self.layer_name} instead"
        # A layer known by its name may be on another branch, and is found when the whole model is called.
        return self._misfit(self.source_layer, weight) if self.source_layer is not None else ""

    def _misfit(self, layer: Any, weight: Weight) -> str:
        """Why a weight cannot be tied to this layer; empty where it can."""
        if not layer.built:
            return f"Tied: other must be built first, and {layer.name!r} is not"
        source = self._weight_of(layer, weight)
        if source is None:
            return self._no_weight(layer)
        theirs, ours = tuple(source.shape), tuple(weight.variable.shape)
        transposed = self.transpose if self.transpose is not None else theirs != ours
        if (theirs[::-1] if transposed else theirs) != ours:
            how = ", transposed" if transposed else ""
            return f"Tied: {weight.name} must have shape {ours}, and {self.layer_name}/{source.name} has {theirs}{how}"
        return ""

    def _no_weight(self, layer: Any) -> str:
        names = ", ".join(one.name for one in layer.weights)
        if not names:
            return f"Tied: other must be a layer with weights, and {layer.name!r} has none"
        return f"Tied: weight must be one of {layer.name}'s: {names}, got {self.weight!r}"

    def compute(self, base: Any, added: Mapping[str, AddedVariable], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """The other layer's present weight."""
        if self.source_layer is None and in_symbolic_scope():
            # Only the shape counts, as where a model is built from its configuration.
            return ops.zeros(tuple(weight.variable.shape), dtype=weight.variable.dtype)
        source = self.source_of(weight)
        transposed = self.transpose
        if transposed is None:
            transposed = tuple(source.shape) != tuple(weight.variable.shape)
        value = self._value(source)
        return ops.transpose(value) if transposed else value

    def source_of(self, weight: Weight) -> Any:
        """The other layer's variable.

        Raises:
            RequestError: The other layer is known by its name only.
        """
        if self.source_layer is None:
            raise RequestError(
                f"Tied: the layer {self.layer_name!r} is looked for when the model is called",
                hint="call the whole model once",
            )
        return self._weight_of(self.source_layer, weight)

    def _value(self, source: Any) -> Any:
        """The value that the other layer computes for the variable, or the variable's value where it computes none."""
        for layer, computed in _computed(self.source_layer):
            if computed.weight.variable is source:
                return layer.values()[id(source)]
        return source.value

    def _weight_of(self, layer: Any, weight: Weight) -> Any:
        # What wrappers add, such as factors, is not a weight of the layer to tie to.
        added = {id(one.variable) for _, found in _computed(layer) for _, step in found.steps for one in step.values()}
        weights = [one for one in layer.weights if id(one) not in added]
        if self.weight is None and len(weight.variable.shape) > 1:
            chosen = [one for one in weights if len(one.shape) > 1]
            return chosen[0] if len(chosen) == 1 else None
        name = self.weight or weight.variable.name
        return next((one for one in weights if one.name == name), None)

    def get_config(self) -> dict[str, Any]:
        """The settings, with the other layer's name."""
        return {"other": self.layer_name, "weight": self.weight, "transpose": self.transpose}


def _computed(layer: Any) -> Iterator[tuple[Any, ComputedWeight]]:
    """Every computed weight of a layer and of layers in it, with its layer; outer layers first."""
    for one in outermost(layer)._flatten_layers():  # noqa: SLF001
        yield from ((one, found) for found in getattr(one, "computed", ()) if isinstance(found, ComputedWeight))


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

"""A layer whose weights are computed from other variables, on every call."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError
from weightkit.layers.casting import as_held
from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrizations.parametrization import Computed
from weightkit.layers.parametrizations.tied import Tied
from weightkit.layers.saving import save_without
from weightkit.layers.selecting import Targets, by_selection, choose, weights_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.layers.parametrizations.parametrization import Parametrization, Weight


@keras.saving.register_keras_serializable(package="weightkit")
class Parametrized(keras.layers.Layer):  # type: ignore[misc]
    """Any layer, with weights of it computed by parametrisations.

    It is called, built and saved like the layer inside, whose name, types and masks it takes. Regularisers and
    constraints of a computed weight act on what is computed. Its own variables are those that the parametrisations
    add; the layer's own stay its own.

    Args:
        layer: The layer inside: built or not, and not part of a model.
        weights: Parametrisations by selection, as in ``{"query/kernel": LowRank(4)}``; several for one selection
            are a list, the first of which is applied first.
        targets: Where the weights lie, as a configuration tells it; they are looked for by default.
        name: Its name; the layer's by default.
        trainable: Whether it is trained; as the layer is, by default.
        by_name: Parametrisations by the name of a weight: ``kernel=WeightNorm()``.

    Raises:
        RequestError: Something given is no layer or no parametrisation; the layer is part of a model, quantised, or
            made in a RematScope on TensorFlow.

    Example:
        >>> import keras, weightkit.layers
        >>> from weightkit.layers import Parametrized, WeightNorm
        >>> layer = Parametrized(keras.layers.LSTM(3), recurrent_kernel=WeightNorm())
        >>> tuple(layer(keras.ops.ones((2, 4, 5))).shape)
        (2, 3)
    """

    def __init__(
        self,
        layer: Any,
        weights: Mapping[str, Any] | None = None,
        *,
        targets: Targets | None = None,
        name: str | None = None,
        trainable: bool | None = None,
        **by_name: Any,
    ) -> None:
        _require_wrappable(layer)
        super().__init__(
            name=name or layer.name,
            dtype=layer.dtype_policy,
            autocast=layer.autocast,
            trainable=layer.trainable if trainable is None else trainable,
        )
        self.steps = by_selection(weights, by_name)
        self.targets = None if targets is None else {key: dict(places) for key, places in targets.items()}
        self.layer = layer
        self.computed: list[Computed] = []
        if any(one.wants_seeds for one in self._parametrizations()):
            seeds = (one.seed for one in self._parametrizations() if isinstance(one, LowRank))
            self.seed_generator = keras.random.SeedGenerator(next((seed for seed in seeds if seed is not None), None))
        self._like_the_layer()
        if trainable is not None and layer.trainable != trainable:
            layer.trainable = trainable

    def _like_the_layer(self) -> None:
        """Keras looks at signatures to see what a layer is called and built with; they are the inner one's."""
        signature = self.layer._call_signature  # noqa: SLF001
        if "training" not in signature.parameters and not _takes_anything(signature):
            training = inspect.Parameter("training", inspect.Parameter.KEYWORD_ONLY, default=None)
            signature = signature.replace(parameters=[*signature.parameters.values(), training])
        self._call_signature = signature
        self.call_signature_parameters = list(signature.parameters)
        self._call_has_mask_arg = self.layer._call_has_mask_arg  # noqa: SLF001
        self._convert_input_args = self.layer._convert_input_args  # noqa: SLF001
        self._allow_non_tensor_positional_args = self.layer._allow_non_tensor_positional_args  # noqa: SLF001
        self.build.__signature__ = inspect.signature(self.layer.build)  # type: ignore[attr-defined]
        self.supports_masking = self.layer.supports_masking
        self.supports_jit = self.layer.supports_jit

    def _parametrizations(self) -> Iterator[Parametrization]:
        return (one for steps in self.steps.values() for one in steps)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As the layer inside is called."""
        if not self.built:
            for one in self._parametrizations():
                if isinstance(one, Tied):
                    one.look_upstream((args, kwargs))
        return super().__call__(*args, **kwargs)

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Build the layer inside, and add what computes its weights."""
        if not self.layer.built:
            self.layer.build(*args, **kwargs)
        if self.targets is None:
            self.targets = choose(self.layer, self.steps)
        for selection, weights in weights_of(self, self.layer, self.targets).items():
            self.computed += [self._parametrized(weight, self.steps[selection]) for weight in weights]
        self._freeze()

    def _parametrized(self, weight: Weight, parametrizations: list[Parametrization]) -> Computed:
        weight.seeds = getattr(self, "seed_generator", None)
        objection = next(filter(None, (one.objection(weight) for one in parametrizations)), "")
        if objection:
            raise RequestError(objection)
        steps = [(one, one.build(weight)) for one in parametrizations]
        variable = weight.variable
        computed = Computed(weight, steps, variable.constraint)
        variable.constraint = None
        if not all(one.keeps_base for one in parametrizations):
            save_without(weight.owner, variable)
        elif variable.regularizer is not None:
            carrier = next((v for v in self._carriers(computed) if v.trainable), variable)
            regularizer, variable.regularizer = variable.regularizer, None
            carrier.regularizer = functools.partial(_regularize, regularizer, computed)
        return computed

    @staticmethod
    def _carriers(computed: Computed) -> Iterator[Any]:
        """The variables one of which bears a weight's regulariser, so that it counts once, and not when frozen."""
        if not any(one.freezes_base for one, _ in computed.steps):
            yield computed.weight.variable
        yield from (one.variable for _, added in computed.steps for one in added.values())

    def _freeze(self) -> None:
        """Take the variables out of training that a parametrisation keeps as they are."""
        for computed in self.computed:
            if any(one.freezes_base for one, _ in computed.steps):
                computed.weight.variable.trainable = False

    @property
    def trainable(self) -> bool:
        """Whether the layer is trained; what a parametrisation freezes stays frozen."""
        return bool(self._trainable)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        keras.layers.Layer.trainable.fset(self, value)
        self._freeze()

    def call(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Compute the weights and call the layer inside with them, in the place of its own."""
        self._require_plain()
        if self.layer._call_has_training_arg:  # noqa: SLF001
            kwargs["training"] = training
        mapping = self._mapping(training=bool(training))
        with keras.StatelessScope(mapping, collect_losses=True) as scope:
            outputs = self.layer(*args, **kwargs)
        for loss in scope.losses:
            self.add_loss(loss * 1.0)  # the very same object would be counted twice on JAX
        for variable, value in mapping:
            now = scope.get_current_value(variable)
            if now is not value and not variable.trainable and self._is_held(variable):
                variable.assign(now)
        return outputs

    def _mapping(self, *, training: bool) -> list[tuple[Any, Any]]:
        """Every variable of the layer with the value it has in this call: an inner scope does not see an outer one."""
        with as_held():
            values = {id(one.weight.variable): one.value(training=training) for one in self.computed}
            ours = {id(one.weight.variable) for one in self.computed}
            mapping = [(one.weight.variable, values[id(one.weight.variable)]) for one in self.computed]
            rest = [(v, keras.ops.convert_to_tensor(v.value)) for v in self.layer.variables if id(v) not in ours]
        return mapping + rest

    def _is_held(self, variable: Any) -> bool:
        return all(variable is not one.weight.variable for one in self.computed)

    def values(self) -> dict[int, Any]:
        """What every computed weight is now, by the ``id`` of its variable; through wrappers inside as well."""
        with as_held():
            found = {id(one.weight.variable): one.value(training=False) for one in self.computed}
            pairs = [(one.weight.variable, found[id(one.weight.variable)]) for one in self.computed]
        inside = [one for one in self.layer._flatten_layers() if isinstance(one, Parametrized)]  # noqa: SLF001
        if inside:
            with keras.StatelessScope(pairs):
                for one in inside:
                    found.update(one.values())
        return found

    def begin(self, *, keep_masks: bool = False) -> None:
        """Let what was added begin again from the layer's weights as they are now; masks may stay as they are."""
        for computed in self.computed:
            for parametrization, added in computed.steps:
                if not (keep_masks and parametrization.is_fixed):
                    for one in added.values():
                        one.begin()

    def merge(self) -> None:
        """Put low-rank updates into the weights they adapt; the layer computes what it did.

        Raises:
            RequestError: There is none, or they are merged already.
        """
        for computed, one, added in self._low_rank():
            if computed.kept:
                raise RequestError(f"{self.name}: the factors are merged already", mend="unmerge() first")
            computed.kept[id(one)] = one.merge(added, computed.weight, computed.value(training=False))

    def unmerge(self) -> None:
        """Take merged updates out again: every weight is bit for bit what it was.

        Raises:
            RequestError: There is nothing merged, or the factors were trained since.
        """
        for computed, one, added in self._low_rank():
            if not computed.kept:
                raise RequestError(f"{self.name}: nothing is merged", mend="merge() first")
            one.unmerge(added, computed.weight, computed.kept[id(one)])
            computed.kept.clear()

    def _low_rank(self) -> list[tuple[Computed, LowRank, Any]]:
        found = [
            (computed, one, added)
            for computed in self.computed
            for one, added in computed.steps
            if isinstance(one, LowRank)
        ]
        if not found:
            raise RequestError(f"{self.name} has no low-rank factors", mend="it takes LowRank to merge")
        if any(len(computed.steps) > 1 for computed, _, _ in found):
            raise RequestError(f"{self.name}: the factors share their weight with other parametrisations", mend="bake")
        return found

    def _require_plain(self) -> None:
        if any(getattr(one, "quantization_mode", None) for one in self.layer._flatten_layers()):  # noqa: SLF001
            raise RequestError(f"{self.name}: its layer was quantised", mend="bake it before it is quantised")

    def compute_mask(self, *args: Any, **kwargs: Any) -> Any:
        """As the layer inside."""
        return self.layer.compute_mask(*args, **kwargs) if self.layer.supports_masking else None

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """As the layer inside."""
        return self.layer.compute_output_shape(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """As the layer inside."""
        if not self.layer._call_has_training_arg:  # noqa: SLF001
            kwargs.pop("training", None)
        return self.layer.compute_output_spec(*args, **kwargs)

    def get_build_config(self) -> Any:
        """As the layer inside; nothing for a tied one, which is built where the other layer is in sight."""
        is_tied = any(isinstance(one, Tied) for one in self._parametrizations())
        return None if is_tied else self.layer.get_build_config()

    def build_from_config(self, config: Any) -> None:
        """Build the layer inside from its configuration, then what is added."""
        if config and not self.built:
            with self._open_name_scope():
                if not self.layer.built:
                    self.layer.build_from_config(config)
            if self.layer.built:
                self.build()

    def get_config(self) -> dict[str, Any]:
        """The layer, its parametrisations by selection, and where their weights lie."""
        serialize = keras.saving.serialize_keras_object
        inner = serialize(self.layer)
        inner.pop("build_config", None)  # it is built within this layer, whose name its variables' paths begin with
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layer": inner,
            "weights": {key: [serialize(one) for one in steps] for key, steps in self.steps.items()},
            "targets": None if self.targets is None else {key: dict(places) for key, places in self.targets.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Parametrized:
        """Made again, unbuilt."""
        make = functools.partial(keras.saving.deserialize_keras_object, custom_objects=custom_objects)
        weights = {key: [make(one) for one in steps] for key, steps in config["weights"].items()}
        return cls(
            make(config["layer"]),
            weights,
            targets=config.get("targets"),
            name=config["name"],
            trainable=config.get("trainable", True),
        )


def _regularize(regularizer: Any, computed: Computed, _variable: Any) -> Any:
    with as_held():
        return regularizer(computed.value(training=False))


def _takes_anything(signature: inspect.Signature) -> bool:
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.parameters.values())


def _require_wrappable(layer: Any) -> None:
    if not isinstance(layer, keras.layers.Layer):
        raise RequestError(f"Parametrized: layer={layer!r} is no layer of Keras")
    if layer._inbound_nodes:  # noqa: SLF001
        raise RequestError(
            f"the layer {layer.name!r} is part of a model, whose weights would be computed in one place only",
            mend="use parametrize(model, where, ...), or wrap a new layer",
        )
    for one in layer._flatten_layers():  # noqa: SLF001
        if getattr(one, "quantization_mode", None):
            raise RequestError(f"the layer {one.name!r} is quantised: its weights are integers")
        if keras.backend.backend() == "tensorflow" and getattr(one, "_remat_mode", None) is not None:
            raise RequestError(
                f"the layer {one.name!r} was made in a RematScope, in which TensorFlow cannot compute weights",
                mend="make it outside the scope",
            )

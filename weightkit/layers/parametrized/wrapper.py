"""A layer that computes weights of the layer inside it from other variables, on every call."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import keras
from keras.src.backend.common.symbolic_scope import in_symbolic_scope

from weightkit.access.live import require_between_steps, variables_of
from weightkit.errors import RequestError
from weightkit.layers.making.precision import no_autocast
from weightkit.layers.parametrizations.held import Held
from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrizations.tied import Tied
from weightkit.layers.parametrized.call_signature import copy_call_signature
from weightkit.layers.parametrized.computing import apply_parametrizations
from weightkit.layers.parametrized.merging import merge, unmerge
from weightkit.layers.parametrized.recurrent_inside import RecurrentInside
from weightkit.layers.parametrized.saved_flags import SavedFlags
from weightkit.layers.parametrized.tied_layers import entered, find_tied_layers, ties, warn_of_ties_outside
from weightkit.layers.parametrized.unwrapped_scope import unwrapped_scope
from weightkit.layers.parametrized.weight_choice import Targets, by_selection, choose, copy_targets, weights_of
from weightkit.layers.parametrized.wrapping import every_variable, note_wrapper, require_wrappable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.layers.parametrizations.parametrization import ComputedWeight, Parametrization


@keras.saving.register_keras_serializable(package="weightkit")
class Parametrized(RecurrentInside, keras.layers.Layer):  # type: ignore[misc]
    """Any layer, with weights that parametrizations compute.

    It is called, built and saved like the layer inside, and has its name, dtype policy and masks. Regularizers and
    constraints of a computed weight apply to the computed value. The wrapper's own variables are those that the
    parametrizations add.

    Args:
        layer: The layer inside: built or not, not part of a model, and in no other wrapper. (A layer that it makes when
            it is built is not checked.)
        weights: Parametrizations by selection, as in ``{"query/kernel": LowRank(4)}``; for several, a list in the order
            in which they are applied.
        targets: The addresses of the weights, from a configuration; by default the selections find them.
        flags: The ``trainable`` flags of its variables and layers, from a configuration; by default as built.
        name: Its name; by default the layer's.
        trainable: Whether it is trained; by default as the layer is. The factors of a `LowRank` around a frozen layer
            are still trained, and the layer stays frozen.
        by_name: Parametrizations by the name of a weight: ``kernel=WeightNorm()``.

    Raises:
        RequestError: An argument is not a layer or a parametrization; the layer is part of a model, in another
            wrapper, quantized, or made in a RematScope on TensorFlow.

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
        flags: Mapping[str, Any] | None = None,
        name: str | None = None,
        trainable: bool | None = None,
        **by_name: Any,
    ) -> None:
        require_wrappable(layer)
        steps = by_selection(weights, by_name)
        adapts = any(one.freezes_base for several in steps.values() for one in several)
        super().__init__(
            name=name or layer.name,
            dtype=layer.dtype_policy,
            autocast=layer.autocast,
            trainable=layer.trainable or adapts if trainable is None else trainable,
        )
        self.steps = steps
        self.targets = copy_targets(targets)
        self.layer = layer
        self.computed: list[ComputedWeight] = []
        self._ties_are_found = False
        self._saved_flags = SavedFlags.from_config(flags)
        self._built_flags: SavedFlags | None = None
        if any(one.needs_seeds for one in self._parametrizations()):
            seeds = (one.seed for one in self._parametrizations() if isinstance(one, LowRank))
            self.seed_generator = keras.random.SeedGenerator(next((seed for seed in seeds if seed is not None), None))
        copy_call_signature(self, layer)
        # Only where it differs: Keras' setter would also reset the flags of single weights inside.
        if trainable is not None and layer.trainable != trainable:
            layer.trainable = trainable
        note_wrapper(layer, self)

    def _parametrizations(self) -> Iterator[Parametrization]:
        return (one for steps in self.steps.values() for one in steps)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it as the layer inside is called."""
        if not self.built:
            for one in self._parametrizations():
                if isinstance(one, Tied):
                    one.find_upstream((args, kwargs))
        return super().__call__(*args, **kwargs)

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Build the layer inside, and add the variables that compute its weights."""
        if not self.layer.built:
            with unwrapped_scope(self):
                self.layer.build(*args, **kwargs)
        if self.targets is None:
            self.targets = choose(self.layer, self.steps)
        for selection, weights in weights_of(self, self.layer, self.targets).items():
            self.computed += [apply_parametrizations(self.steps[selection], weight) for weight in weights]
        self._freeze()
        self._built_flags = SavedFlags.of(self)
        if self._saved_flags is not None:
            self._saved_flags.apply(self)

    def _freeze(self) -> None:
        """Freeze the base variables of parametrizations such as `LowRank`."""
        for variable in self.frozen_base_variables:
            variable.trainable = False

    @property
    def frozen_base_variables(self) -> list[Any]:
        """The layer's own variables that a parametrization freezes, such as the base weight of `LowRank`."""
        return [one.weight.variable for one in self.computed if any(step.freezes_base for step, _ in one.steps)]

    @property
    def trainable(self) -> bool:
        """Whether the layer is trained; what a parametrization freezes stays frozen."""
        return bool(self._trainable)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        # Keras' setter sets every flag inside, that of a frozen base weight too.
        keras.layers.Layer.trainable.fset(self, value)
        self._freeze()

    def call(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Compute the weights, and call the layer inside with them instead of its own."""
        self._require_plain()
        self._find_ties()
        if self.layer._call_has_training_arg:  # noqa: SLF001
            kwargs["training"] = training
        mapping = self._mapping(training=bool(training))
        with keras.StatelessScope(mapping, collect_losses=True) as scope:
            outputs = self.layer(*args, **kwargs)
        for loss in scope.losses:
            self.add_loss(loss * 1.0)  # JAX would count the same object twice
        for variable, value in mapping:
            now = scope.get_current_value(variable)
            # Only what the call itself updates, such as moving statistics and seeds.
            if now is not value and not variable.trainable and self._is_plain(variable):
                variable.assign(now)
        return outputs

    def _find_ties(self) -> None:
        """Find the layers of ties by their names, once, in the model that is called on real data."""
        if not self._ties_are_found and not in_symbolic_scope():
            if any(ties(self.computed)):
                model = entered(self)
                find_tied_layers(model)
                warn_of_ties_outside(self, model)
            self._ties_are_found = True

    @property
    def tied_variables(self) -> dict[str, Any]:
        """The variables of other layers that weights are tied to, by the weight's label; only those that are found."""
        found = ((tied, weight) for tied, weight in ties(self.computed) if tied.source_layer is not None)
        return {weight.label: tied.source_of(weight) for tied, weight in found}

    @property
    def held_entries(self) -> dict[str, tuple[int, int]]:
        """By the label of a weight with `Held`, how many of its entries are held, and how many it has."""
        steps = ((one, step, added) for one in self.computed for step, added in one.steps if isinstance(step, Held))
        return {
            one.weight.label: (step.count(added), math.prod(one.weight.variable.shape)) for one, step, added in steps
        }

    def _mapping(self, *, training: bool) -> list[tuple[Any, Any]]:
        """Every variable of the layer with its value in this call: a StatelessScope hides the scopes around it."""
        with no_autocast():
            mapping = [(one.weight.variable, one.value(training=training)) for one in self.computed]
            ours = {id(variable) for variable, _ in mapping}
            rest = [(v, keras.ops.convert_to_tensor(v.value)) for v in every_variable(self.layer) if id(v) not in ours]
        return mapping + rest

    def _is_plain(self, variable: Any) -> bool:
        return all(variable is not one.weight.variable for one in self.computed)

    def values(self) -> dict[int, Any]:
        """The present value of every computed weight, by ``id`` of its variable; those of wrappers inside included."""
        with no_autocast():
            found = {id(one.weight.variable): one.value(training=False) for one in self.computed}
        inside = [one for one in self.layer._flatten_layers() if isinstance(one, Parametrized)]  # noqa: SLF001
        if inside:
            with keras.StatelessScope(self._mapping(training=False)):
                for one in inside:
                    found.update(one.values())
        return found

    def reinitialize(self, *, keep_masks: bool = False) -> None:
        """Re-initialize the added variables from the layer's present weights.

        Args:
            keep_masks: Whether masks keep their values.

        Raises:
            RequestError: A step of a running ``fit`` uses them.
        """
        require_between_steps(variables_of(self), f"{self.name} must not be re-initialized")
        for computed in self.computed:
            computed.merge_record = {}
            for parametrization, added in computed.steps:
                if not (keep_masks and parametrization.is_fixed):
                    for one in added.values():
                        one.reinitialize()

    def merge(self) -> None:
        """Merge low-rank updates into the weights that they adapt; the output stays the same.

        After more training, merge again.

        Raises:
            RequestError: There are no updates, or they are merged already.
        """
        merge(self.name, self.computed)

    def unmerge(self) -> None:
        """Undo the last merge: every weight and factor gets its earlier values, bit for bit.

        Raises:
            RequestError: Nothing is merged, or factors or weights changed since, which would be lost.
        """
        unmerge(self.name, self.computed)

    def _require_plain(self) -> None:
        # Checked on each call: `model.quantize` may come after wrapping.
        if any(getattr(one, "quantization_mode", None) for one in self.layer._flatten_layers()):  # noqa: SLF001
            raise RequestError(f"{self.name}: the layer inside must not be quantized", hint="bake it, then quantize it")

    def compute_mask(self, *args: Any, **kwargs: Any) -> Any:
        """The mask of the layer inside."""
        return self.layer.compute_mask(*args, **kwargs) if self.layer.supports_masking else None

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The output shape of the layer inside."""
        return self.layer.compute_output_shape(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The output of the layer inside, as a symbolic tensor."""
        if not self.layer._call_has_training_arg:  # noqa: SLF001
            # The wrapper's signature has it for the parametrizations (`copy_call_signature`).
            kwargs.pop("training", None)
        return self.layer.compute_output_spec(*args, **kwargs)

    def get_build_config(self) -> Any:
        """The build configuration of the layer inside; None with `Tied`, which needs the other layer to be built."""
        is_tied = any(isinstance(one, Tied) for one in self._parametrizations())
        return None if is_tied else self.layer.get_build_config()

    def build_from_config(self, config: Any) -> None:
        """Build the layer inside from its configuration, then add variables."""
        if config and not self.built:
            # As in a call, the wrapper's name comes before the paths of the variables.
            with self._open_name_scope():
                if not self.layer.built:
                    with unwrapped_scope(self):
                        self.layer.build_from_config(config)
            if self.layer.built:
                self.build()

    def get_config(self) -> dict[str, Any]:
        """The layer, its parametrizations by selection, and the addresses of their weights."""
        serialize = keras.saving.serialize_keras_object
        inner = serialize(self.layer)
        inner.pop("build_config", None)  # building it in this layer puts this layer's name before its paths
        flags = SavedFlags.of(self) if self._built_flags is not None else self._saved_flags
        differing = {} if flags is None or flags == self._built_flags else {"flags": flags.to_config()}
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layer": inner,
            "weights": {key: [serialize(one) for one in steps] for key, steps in self.steps.items()},
            "targets": copy_targets(self.targets),
            **differing,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Parametrized:
        """Make it from its configuration, not built."""
        make = functools.partial(keras.saving.deserialize_keras_object, custom_objects=custom_objects)
        weights = {key: [make(one) for one in steps] for key, steps in config["weights"].items()}
        given = {key: config.get(key) for key in ("targets", "flags")}
        made = cls(make(config["layer"]), weights, **given, name=config["name"])
        if config.get("trainable", True):
            made._trainable = True  # the layer inside has its own flag
        else:
            made.trainable = False
        return made

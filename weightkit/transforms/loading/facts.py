"""What is known of a layer besides its weights: its configuration, and which Keras on which backend wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weightkit.transforms.loading.flattened import image_format
from weightkit.transforms.loading.keras1_names import is_keras_1

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weightkit.access import WeightRef, WeightStore
    from weightkit.transforms.loading.flattened import DataFormat, FlattenedMap

_LAST_WITH_THEANO = (2, 3)  # Keras 2.4 has TensorFlow alone


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One side of a pair of layers, the target's or the source's; whatever is not known is None or empty."""

    layer_class: str | None = None
    """Class of the innermost layer: ``LSTMCell``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Its configuration."""
    keras_version: str | None = None
    """Of the Keras that wrote the file, or runs the model."""
    backend: str | None = None
    """``theano``, ``tensorflow`` or ``cntk``, as the file or the user says."""
    data_format: DataFormat | None = None
    """Of the model's images; None takes what the layer's configuration says."""
    flattened: FlattenedMap | None = None
    """The feature map that is flattened right before this layer, if there is one and it is known."""

    @property
    def class_name(self) -> str:
        """The layer's class, and not its cell's; empty where it is not known."""
        name = self.layer_class or ""
        return name.removesuffix("Cell") if name in _CELLS else name

    @property
    def major(self) -> int | None:
        """The first number of its Keras version."""
        first = (self.keras_version or "").partition(".")[0]
        return int(first) if first.isdecimal() else None

    @property
    def channels(self) -> DataFormat | None:
        """The format of its images."""
        return image_format(self.config) or self.data_format

    def mirrors(self, weights: Sequence[WeightRef]) -> bool | None:
        """Whether its convolutions mirror their kernels, as Theano's do; None where nothing says."""
        if self.backend is not None:
            return self.backend == "theano"
        version = self.keras_version or ""
        if version.endswith("-tf") or _numbers(version) > _LAST_WITH_THEANO:
            return False
        # TensorFlow numbers the outputs of each operation; `vars` is of a format that no Keras with Theano wrote.
        if any(ref.structure.endswith(":0") or "/vars/" in f"/{ref.structure}" for ref in weights):
            return False
        return None if self.keras_version is not None or is_keras_1(weights) else False


def facts_of(
    store: WeightStore,
    weights: Sequence[WeightRef],
    *,
    backend: str | None = None,
    data_format: DataFormat | None = None,
    flattened: FlattenedMap | None = None,
) -> LayerFacts:
    """What a store knows of a layer.

    Args:
        store: The store, which holds the weights.
        weights: The weights of one layer; its configuration is that of the first that has one.
        backend: What the user says, for a file that does not say it.
        data_format: The same for the format of images.
        flattened: What `flattened_map` found for the layer.
    """
    found = (store.configured(ref) for ref in weights)
    configured = next((one for one in found if one is not None), None)
    class_name = next((ref.layer_class for ref in weights if ref.layer_class), None)
    return LayerFacts(
        layer_class=class_name if configured is None else configured.layer_class,
        config={} if configured is None else configured.config,
        keras_version=store.keras_version,
        backend=backend or store.backend,
        data_format=data_format,
        flattened=flattened,
    )


_CELLS = frozenset({"LSTMCell", "GRUCell", "SimpleRNNCell"})


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.partition("-")[0].split(".")[:2]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)

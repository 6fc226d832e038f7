"""What a model's configuration says of the layer that a weight belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, eq=False)
class Configured:
    """The class and configuration behind a weight."""

    layer_class: str
    """Class of the innermost layer: ``LSTMCell``."""
    config: Mapping[str, Any]
    """Its configuration; for a sublayer that Keras makes itself, that of the layer which passes its own on."""
    builtin: bool = True
    """False for a class that is not Keras' own."""
    keras_1: bool = False
    """Whether it is written as Keras 1 wrote configurations."""

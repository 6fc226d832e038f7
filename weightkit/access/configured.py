"""What a model's configuration says about a weight's layer."""

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
    """Its configuration; for a sublayer that Keras makes itself, that of the layer which passes its config on."""
    builtin: bool = True
    """False for a class that is not Keras' own."""
    keras_1: bool = False
    """Whether it is a configuration in Keras 1's form."""
    package: str = ""
    """The package under which the class is registered with Keras, if any."""

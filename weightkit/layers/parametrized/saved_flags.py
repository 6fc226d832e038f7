"""The ``trainable`` flags inside a wrapper, in its configuration: Keras 3.15 saves those of top-level layers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class SavedFlags:
    """The flags of everything in a wrapper, in the order in which Keras lists it."""

    variables: tuple[bool, ...]
    layers: tuple[bool, ...]
    """Of the layer inside and the layers in it: BatchNormalization reads its own."""

    @classmethod
    def of(cls, wrapper: Any) -> SavedFlags:
        """Read the flags of a built wrapper."""
        return cls(
            tuple(bool(variable.trainable) for variable in wrapper.variables),
            tuple(bool(layer.trainable) for layer in _inside(wrapper)),
        )

    @classmethod
    def from_config(cls, config: Any) -> SavedFlags | None:
        """Read them from a wrapper's configuration; None where they are as built.

        Raises:
            RequestError: They have another form.
        """
        if config is None:
            return None
        try:
            return cls(tuple(map(bool, config["variables"])), tuple(map(bool, config["layers"])))
        except (KeyError, TypeError) as error:
            raise RequestError(f"Parametrized: flags must be two lists of booleans, got {config!r}") from error

    def to_config(self) -> Mapping[str, list[bool]]:
        """Write them for JSON."""
        return {"variables": list(self.variables), "layers": list(self.layers)}

    def apply(self, wrapper: Any) -> None:
        """Set every flag of a built wrapper.

        Raises:
            RequestError: It has another number of variables or layers.
        """
        variables, layers = wrapper.variables, _inside(wrapper)
        if (len(variables), len(layers)) != (len(self.variables), len(self.layers)):
            raise RequestError(
                f"{wrapper.name}: flags must be those of {len(variables)} variables and {len(layers)} layers, "
                f"got {len(self.variables)} and {len(self.layers)}",
                hint="leave them to get_config()",
            )
        for layer, flag in zip(layers, self.layers, strict=True):
            # Keras' setter would set the flags of everything inside.
            layer._trainable = flag  # noqa: SLF001
        for variable, flag in zip(variables, self.variables, strict=True):
            variable.trainable = flag


def _inside(wrapper: Any) -> list[Any]:
    return list(wrapper.layer._flatten_layers())  # noqa: SLF001  # Keras 3.15 has no public accessor

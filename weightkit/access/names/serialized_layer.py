"""Layers in a configuration: ``{"class_name": …, "config": {…}}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weightkit.builtin import may_be_builtin


@dataclass(frozen=True, slots=True)
class Serialized:
    """A layer in a configuration."""

    class_name: str
    config: Mapping[str, Any]
    builtin: bool
    package: str = ""
    """The package under which it is registered with Keras, if any."""

    @property
    def name(self) -> str | None:
        """The layer's name, if the configuration has it."""
        name = self.config.get("name")
        return name if isinstance(name, str) and name else None


def serialized(value: Any) -> Serialized | None:
    """Read ``{"class_name": …, "config": {…}}``; None for anything else."""
    if not isinstance(value, Mapping):
        return None
    class_name, config = value.get("class_name"), value.get("config")
    if not isinstance(class_name, str) or not isinstance(config, Mapping):
        return None
    registered = value.get("registered_name")
    package = registered.rpartition(">")[0] if isinstance(registered, str) else ""
    return Serialized(class_name, config, builtin=may_be_builtin(value.get("module"), registered), package=package)


def serialized_list(value: Any) -> list[Serialized]:
    """The layers of a list in a configuration; other items are left out."""
    found = (serialized(item) for item in value) if isinstance(value, list) else ()
    return [layer for layer in found if layer is not None]

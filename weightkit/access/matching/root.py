"""What a whole store is, as a layer of a model that holds it."""

from __future__ import annotations

from typing import NamedTuple

from weightkit.access.names.automatic_names import automatic


class Root(NamedTuple):
    """A layer or model that was opened alone, or a layer that the user names; nothing is known of a file."""

    name: str | None = None
    layer_class: str | None = None
    address: str = ""
    """Where it is in its store; empty for all of it."""

    @property
    def given(self) -> str | None:
        """Its name, if a user gave it."""
        return self.name if self.name is not None and automatic(self.name, self.layer_class) is None else None

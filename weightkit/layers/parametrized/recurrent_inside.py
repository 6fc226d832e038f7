"""The attributes that Keras uses of a recurrent layer, for a wrapper around one."""

from __future__ import annotations

from typing import Any

from weightkit.errors import RequestError


class RecurrentInside:
    """The part of a wrapper that is about recurrent layers inside it."""

    layer: Any
    name: Any

    @property
    def go_backwards(self) -> bool:
        """Refuse ``keras.layers.Bidirectional``, which reads this attribute to reverse a layer.

        Raises:
            RequestError: The layer inside is recurrent.
            AttributeError: It is not.
        """
        if not hasattr(self.layer, "go_backwards"):
            raise AttributeError("go_backwards")
        raise RequestError(
            f"{self.name}: Bidirectional cannot reverse a wrapped layer",
            hint="put the wrapper outside: Parametrized(Bidirectional(layer), ...)",
        )

    def reset_state(self) -> None:
        """Reset the states of recurrent layers inside, as Keras' own ``reset_state`` does."""
        for one in self.layer._flatten_layers():  # noqa: SLF001
            if getattr(one, "stateful", False) and hasattr(one, "reset_state"):
                one.reset_state()

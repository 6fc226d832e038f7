"""What Keras asks of a recurrent layer, where one is inside a wrapper."""

from __future__ import annotations

from typing import Any

from weightkit.errors import RequestError


class RecurrentInside:
    """The part of a wrapper that answers for the recurrent layers in it."""

    layer: Any
    name: Any

    @property
    def go_backwards(self) -> bool:
        """What ``keras.layers.Bidirectional`` asks a layer for, to turn it round: not this one.

        Raises:
            RequestError: The layer inside is a recurrent one.
            AttributeError: It is another.
        """
        if not hasattr(self.layer, "go_backwards"):
            raise AttributeError("go_backwards")
        raise RequestError(
            f"{self.name}: Bidirectional cannot turn a wrapped layer round",
            hint="put the wrapper outside: Parametrized(Bidirectional(layer), ...)",
        )

    def reset_state(self) -> None:
        """Let the recurrent layers inside begin again, as Keras' own ``reset_state`` does."""
        for one in self.layer._flatten_layers():  # noqa: SLF001
            if getattr(one, "stateful", False) and hasattr(one, "reset_state"):
                one.reset_state()

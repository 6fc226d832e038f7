"""One history of all stages."""

from __future__ import annotations

from typing import Any

import keras


class StagedHistory(keras.callbacks.History):  # type: ignore[misc]  # Keras has no types
    """Keras' History of several ``fit``, joined: epochs count on from stage to stage."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.stages: list[str] = []
        """By epoch, the name of its stage."""
        self.stage = ""
        """The name of the stage that runs."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Keep the epochs of the stages before, which Keras' own History forgets."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add an epoch."""
        super().on_epoch_end(epoch, logs)
        self.stages.append(self.stage)

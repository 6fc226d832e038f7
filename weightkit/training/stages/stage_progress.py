"""Keras' progress bar, with the name of the stage."""

from __future__ import annotations

import sys
from typing import Any

import keras

from weightkit.escape import escape_cell
from weightkit.text import cut

_WIDTH = 79
"""Columns of the line: it fits a terminal of 80."""


class StageProgress(keras.callbacks.ProgbarLogger):  # type: ignore[misc]  # Keras has no types
    """Prints ``Epoch 3/12 - stage 2/3: block5`` where Keras prints ``Epoch 3/12``.

    Args:
        stage: The stage: ``stage 2/3: block5``.
        total: How many epochs all stages have.
    """

    async_safe = True
    """Keras 3.15 calls its own progress bar beside the steps, and one that is passed in only where it says this."""

    def __init__(self, stage: str, total: int) -> None:
        super().__init__()
        self._stage, self._total = stage, total

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Print the line; where Keras prints to a log, its own."""
        interactive = keras.config.is_interactive_logging_enabled()
        if interactive:
            self.epochs = 1  # Keras prints its own line for more
        super().on_epoch_begin(epoch, logs)
        if interactive:
            line = f"Epoch {epoch + 1}/{self._total} - {escape_cell(self._stage)}"
            _print(line if len(line) <= _WIDTH else cut(line, _WIDTH - 1))


def _print(line: str) -> None:
    """Print a line, with codes for characters that the terminal does not have."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()

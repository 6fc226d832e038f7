"""The warning that every weight of a model is frozen, at the line of the user's that froze the last one."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path

NOTHING_TRAINED = "no weight of the model is trained"
_SKIPPED = (str(Path(__file__).parents[2]), contextlib.__file__)
"""Files whose lines are not the user's: weightkit's own, and what runs its context managers."""


class NothingTrainedWarning(UserWarning):
    """Every weight of the model is frozen."""


def warn_nothing_trained() -> None:
    """Warn at the first line on the call stack that is not weightkit's.

    Raises:
        NothingTrainedWarning: A filter turns the warning into an error.
    """
    level, frame = 1, sys._getframe()  # noqa: SLF001  # `skip_file_prefixes` of `warnings.warn` is Python 3.12's
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_SKIPPED):
        level, frame = level + 1, frame.f_back
    warnings.warn(NOTHING_TRAINED, NothingTrainedWarning, stacklevel=level)

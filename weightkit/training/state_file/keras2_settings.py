"""An optimizer's configuration of Keras 2 in the terms of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_RENAMED = {"lr": "learning_rate", "schedule_decay": "decay"}
_IGNORED = {"name", "is_legacy_optimizer", "jit_compile"}


def settings_of(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings in a serialized optimizer of Keras 2, by the names of Keras 3."""
    told = config.get("config") if config else None
    items = told.items() if isinstance(told, Mapping) else ()
    return {str(_RENAMED.get(key, key)): value for key, value in items if key not in _IGNORED}


def in_keras3(settings: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration to compare with the live one, which has what Keras 2 has no word for.

    Args:
        settings: Those of the file.
        live: The serialized live optimizer.
    """
    here = live.get("config", {})
    known = {key: _compared(value, here.get(key)) for key, value in settings.items() if key in here or value}
    return {**live, "config": {**here, **known}}


def _compared(there: Any, here: Any) -> Any:
    """A value of the file; the live one where they are equal but for rounding to float32, which Keras 2 did."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        return {**here, **{key: _compared(value, here.get(key)) for key, value in there.items()}}
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (there, here))
    return here if numbers and np.float32(there) == np.float32(here) else there

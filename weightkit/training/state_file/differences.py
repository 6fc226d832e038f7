"""How the serialized configurations of two optimizers differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from weightkit.training.optimizer.grouping import without_root

if TYPE_CHECKING:
    from collections.abc import Iterator

_IGNORED = {"name", "module", "registered_name", "build_config", "shared_object_id", "proportions"}
"""Keys that say nothing of the settings: names are automatic, classes are compared elsewhere, and rates are state."""


def differences(saved: str, present: str) -> tuple[str, ...]:
    """The differences between two configurations in JSON, a sentence each; none where either is unknown.

    A learning rate that is a number is state, which the file has; schedules are compared.

    >>> differences('{"config": {"beta_1": 0.9, "name": "a"}}', '{"config": {"beta_1": 0.8, "name": "b"}}')
    ('beta_1 is 0.9 in the file and 0.8 here',)
    """
    if not saved or not present:
        return ()
    try:
        config = json.loads(saved)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        return ("the optimizer's configuration in the file is not valid JSON",)
    return tuple(_compared(config, json.loads(present), ""))


def _compared(there: Any, here: Any, path: str) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        there, here = ({without_root(key): value for key, value in one.items()} for one in (there, here))
        for key in sorted(there.keys() | here.keys()):
            if key in _IGNORED or _is_state(key, there.get(key), here.get(key)):
                continue
            below = path if key == "config" else f"{path}.{key}" if path else key
            yield from _compared(there.get(key), here.get(key), below)
    elif there != here:
        yield f"{path or 'the configuration'} is {there!r} in the file and {here!r} here"


def _is_state(key: str, *values: Any) -> bool:
    return key == "learning_rate" and all(isinstance(value, int | float) for value in values)

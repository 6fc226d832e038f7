"""In what two optimizers differ, in words, from what Keras serializes of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOLD_ELSEWHERE = {"name", "module", "registered_name", "build_config", "shared_object_id"}
"""What means nothing: names are automatic, and the class is named by itself."""


def differences(there: str, here: str) -> tuple[str, ...]:
    """What differs between two configurations as JSON, a sentence each; nothing where either is not known.

    A learning rate that is a number is state, and comes with the file; schedules are compared.

    >>> differences('{"config": {"beta_1": 0.9, "name": "a"}}', '{"config": {"beta_1": 0.8, "name": "b"}}')
    ('beta_1 is 0.9 in the file and 0.8 here',)
    """
    if not there or not here:
        return ()
    try:
        kept = json.loads(there)
    except (ValueError, RecursionError):
        kept = None
    if not isinstance(kept, dict):
        return ("the file does not tell its optimizer's configuration",)
    return tuple(_compared(kept, json.loads(here), ""))


def _compared(there: Any, here: Any, path: str) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(there.keys() | here.keys()):
            if key in _TOLD_ELSEWHERE or _is_state(key, there.get(key), here.get(key)):
                continue
            below = path if key == "config" else f"{path}.{key}" if path else key
            yield from _compared(there.get(key), here.get(key), below)
    elif there != here:
        yield f"{path or 'the configuration'} is {there!r} in the file and {here!r} here"


def _is_state(key: str, *values: Any) -> bool:
    return key == "learning_rate" and all(isinstance(value, int | float) for value in values)

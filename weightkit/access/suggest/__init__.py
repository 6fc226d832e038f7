"""A mapping between the layers of two models, proposed where names and structure do not settle it.

Importing this loads nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from weightkit.text import no_attribute

if TYPE_CHECKING:
    from weightkit.access.suggest.proposals import Certainty, Proposal, Suggestion, shown
    from weightkit.access.suggest.target_suggest import suggest

_HOMES = {
    "Certainty": "weightkit.access.suggest.proposals",
    "Proposal": "weightkit.access.suggest.proposals",
    "Suggestion": "weightkit.access.suggest.proposals",
    "shown": "weightkit.access.suggest.proposals",
    "suggest": "weightkit.access.suggest.target_suggest",
}

__all__ = ["Certainty", "Proposal", "Suggestion", "shown", "suggest"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise no_attribute(__name__, name, __all__)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

"""The floor on which everything stands: weights by address, in files and in memory, read and edited as a whole.

These are all the names that other parts of weightkit use. Importing this loads nothing: each name is loaded when it
is first used, so that the reading process can start before NumPy is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from weightkit.text import no_attribute

if TYPE_CHECKING:
    from weightkit.access.changes import Changes
    from weightkit.access.draw_keys import draw_addresses
    from weightkit.access.edits.arithmetic import is_floating, losses, rounded
    from weightkit.access.edits.edit import edit, plan
    from weightkit.access.edits.perform import Options, perform
    from weightkit.access.edits.plan import Plan, Report
    from weightkit.access.edits.tasks import share
    from weightkit.access.edits.tiles import spans
    from weightkit.access.edits.transform import Transform
    from weightkit.access.files.backup import Backup
    from weightkit.access.files.restore import find_backups, put_back
    from weightkit.access.hdf5.file_store import FileStore
    from weightkit.access.matching.result import By, Match
    from weightkit.access.names.initial_values import Initial
    from weightkit.access.open import open_weights
    from weightkit.access.ref import Kind, Source, WeightRef
    from weightkit.access.select.combine import Where, combine
    from weightkit.access.select.roles import role_of
    from weightkit.access.select.selecting import selected
    from weightkit.access.select.selectors import Selector
    from weightkit.access.store import ALL, Outcome, WeightStore
    from weightkit.access.target_match import match
    from weightkit.access.targets import Target, both_opened, opened

_HOMES = {
    "ALL": "weightkit.access.store",
    "Backup": "weightkit.access.files.backup",
    "By": "weightkit.access.matching.result",
    "Changes": "weightkit.access.changes",
    "FileStore": "weightkit.access.hdf5.file_store",
    "Initial": "weightkit.access.names.initial_values",
    "Kind": "weightkit.access.ref",
    "Match": "weightkit.access.matching.result",
    "Options": "weightkit.access.edits.perform",
    "Outcome": "weightkit.access.store",
    "Plan": "weightkit.access.edits.plan",
    "Report": "weightkit.access.edits.plan",
    "Selector": "weightkit.access.select.selectors",
    "Source": "weightkit.access.ref",
    "Target": "weightkit.access.targets",
    "Transform": "weightkit.access.edits.transform",
    "WeightRef": "weightkit.access.ref",
    "WeightStore": "weightkit.access.store",
    "Where": "weightkit.access.select.combine",
    "both_opened": "weightkit.access.targets",
    "combine": "weightkit.access.select.combine",
    "draw_addresses": "weightkit.access.draw_keys",
    "edit": "weightkit.access.edits.edit",
    "find_backups": "weightkit.access.files.restore",
    "is_floating": "weightkit.access.edits.arithmetic",
    "losses": "weightkit.access.edits.arithmetic",
    "match": "weightkit.access.target_match",
    "open_weights": "weightkit.access.open",
    "opened": "weightkit.access.targets",
    "perform": "weightkit.access.edits.perform",
    "plan": "weightkit.access.edits.edit",
    "put_back": "weightkit.access.files.restore",
    "role_of": "weightkit.access.select.roles",
    "rounded": "weightkit.access.edits.arithmetic",
    "selected": "weightkit.access.select.selecting",
    "share": "weightkit.access.edits.tasks",
    "spans": "weightkit.access.edits.tiles",
}

__all__ = [
    "ALL",
    "Backup",
    "By",
    "Changes",
    "FileStore",
    "Initial",
    "Kind",
    "Match",
    "Options",
    "Outcome",
    "Plan",
    "Report",
    "Selector",
    "Source",
    "Target",
    "Transform",
    "WeightRef",
    "WeightStore",
    "Where",
    "both_opened",
    "combine",
    "draw_addresses",
    "edit",
    "find_backups",
    "is_floating",
    "losses",
    "match",
    "open_weights",
    "opened",
    "perform",
    "plan",
    "put_back",
    "role_of",
    "rounded",
    "selected",
    "share",
    "spans",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise no_attribute(__name__, name, __all__)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

"""What the parts that import Keras need besides `weightkit.access`: variables, and files of what training keeps.

Importing this loads nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from weightkit.text import no_attribute

if TYPE_CHECKING:
    from weightkit.access.edits.counterparts import counterparts
    from weightkit.access.formats.optimizer_file import OptimizerFile
    from weightkit.access.formats.optimizer_state import Kept, Manifest
    from weightkit.access.formats.saved_optimizer import SavedOptimizer
    from weightkit.access.hdf5.writing.new_file import write_file
    from weightkit.access.live.handles import as_numpy, handle_of, owned
    from weightkit.access.live.live_refs import ref_of_variable
    from weightkit.access.live.live_store import LiveStore
    from weightkit.access.live.loops.guards import require_between_steps, require_no_loop, require_readable
    from weightkit.access.live.loops.keras_loops import variables_of
    from weightkit.access.live.opening import open_live, open_unread
    from weightkit.access.live.undo import undone_on_error
    from weightkit.access.live.unsaved import Unsaved

_HOMES = {
    "Kept": "weightkit.access.formats.optimizer_state",
    "LiveStore": "weightkit.access.live.live_store",
    "Manifest": "weightkit.access.formats.optimizer_state",
    "OptimizerFile": "weightkit.access.formats.optimizer_file",
    "Unsaved": "weightkit.access.live.unsaved",
    "SavedOptimizer": "weightkit.access.formats.saved_optimizer",
    "as_numpy": "weightkit.access.live.handles",
    "counterparts": "weightkit.access.edits.counterparts",
    "handle_of": "weightkit.access.live.handles",
    "open_live": "weightkit.access.live.opening",
    "open_unread": "weightkit.access.live.opening",
    "owned": "weightkit.access.live.handles",
    "ref_of_variable": "weightkit.access.live.live_refs",
    "require_between_steps": "weightkit.access.live.loops.guards",
    "require_no_loop": "weightkit.access.live.loops.guards",
    "require_readable": "weightkit.access.live.loops.guards",
    "undone_on_error": "weightkit.access.live.undo",
    "variables_of": "weightkit.access.live.loops.keras_loops",
    "write_file": "weightkit.access.hdf5.writing.new_file",
}

__all__ = [
    "Kept",
    "LiveStore",
    "Manifest",
    "OptimizerFile",
    "SavedOptimizer",
    "Unsaved",
    "as_numpy",
    "counterparts",
    "handle_of",
    "open_live",
    "open_unread",
    "owned",
    "ref_of_variable",
    "require_between_steps",
    "require_no_loop",
    "require_readable",
    "undone_on_error",
    "variables_of",
    "write_file",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise no_attribute(__name__, name, __all__)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

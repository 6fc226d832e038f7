"""The target of surgery: a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access import FileStore
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.access import WeightStore


def require_file(store: WeightStore) -> FileStore:
    """The store as a file, whose objects can be added and removed.

    Raises:
        RequestError: It is not a file.
    """
    if not isinstance(store, FileStore):
        raise RequestError(f"target must be a weight file, got {store.format}", hint="give a path", file=store.label)
    return store

"""What surgery can be done on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access import FileStore
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.access import WeightStore


def require_file(store: WeightStore) -> FileStore:
    """The store as a file, whose objects can come and go.

    Raises:
        RequestError: It is none.
    """
    if not isinstance(store, FileStore):
        raise RequestError("only files are operated on", hint="give a weight file", file=store.label)
    return store

"""Comments of objects, read past h5py.

h5py 3.14's ``h5o.get_comment`` gives what is at some place in memory instead of the comment.
Only the reading process imports this module.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Any

from h5py import h5o

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMENT = 1 << 0x0D  # among the kinds of messages in a header


def copy_comment(old: Any, new: Any) -> None:
    """Give an object the comment of another, where that has one."""
    get = _library()
    if get is None or not h5o.get_info(old).hdr.mesg.present & _COMMENT:
        return
    length = get(old.id, None, 0)
    if length > 0:
        comment = ctypes.create_string_buffer(length + 1)
        get(old.id, comment, length + 1)
        h5o.set_comment(new, comment.value)


@functools.cache
def _library() -> Callable[..., int] | None:
    """The library's own function, in the copy of it that h5py uses; None where it cannot be found."""
    try:
        get = ctypes.CDLL(h5o.__file__).H5Oget_comment
    except (OSError, AttributeError):
        return None
    get.argtypes, get.restype = [ctypes.c_int64, ctypes.c_char_p, ctypes.c_size_t], ctypes.c_ssize_t
    return get

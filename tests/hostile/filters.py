"""Filters that are not known, and known ones with wrong options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from h5py import h5d, h5p, h5s, h5t

from tests.hostile.case import (
    DAMAGED,
    UNSAFE,
    UNSUPPORTED,
    WEIGHTS,
    contained,
    le,
    overwrite,
    refused,
    variables,
)
from tests.hostile.sizes import HERE

if TYPE_CHECKING:
    from pathlib import Path


FILTER = "only deflate, shuffle and fletcher32 are run"


def _filtered(path: Path, **options: Any) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, data=np.arange(300, dtype="i4"), chunks=(100,), **options)


def _foreign_filters() -> None:
    options: dict[str, dict[str, Any]] = {"lzf": {"compression": "lzf"}, "scaleoffset": {"scaleoffset": 0}}
    for name, option in options.items():

        def plain(path: Path, option: dict[str, Any] = option) -> None:
            _filtered(path, **option)

        refused(f"filter_{name}.weights.h5", f"the filter {name} is refused", FILTER, UNSUPPORTED)(plain)
    for code in (0, 4, 5, 256, 32001, 32004, 32015, 65535):

        def make(path: Path, code: int = code) -> None:
            _filtered(path, compression="gzip")
            overwrite(path, path.read_bytes().index(b"deflate\0") - 8, le(code, 2))

        refused(f"filter_{code}.weights.h5", f"the filter {code} is refused", FILTER, UNSUPPORTED, DAMAGED)(make)


def _filter_options() -> None:
    odd: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
        "deflate": ({"compression": "gzip"}, (0, 10, 99, 0xFFFFFFFF)),
        "shuffle": ({"shuffle": True}, (0, 1, 3, 1 << 16, 0xFFFFFFFF)),
    }
    for name, (options, numbers) in odd.items():
        for number in numbers:

            def make(path: Path, name: str = name, options: Any = options, number: int = number) -> None:
                _filtered(path, **options)
                overwrite(path, path.read_bytes().index(name.encode() + b"\0") + 8, le(number, 4))

            contained(
                f"{name}_option_{number}.weights.h5", f"{name} with the option {number} is contained", FILTER, DAMAGED,
                UNSUPPORTED, show=(0, 3), scale=(0, 2, 3), strip=(0, 3),
            )(make)  # fmt: skip


_foreign_filters()
_filter_options()


@refused("filters_33.weights.h5", "33 filters in one pipeline are refused", FILTER, DAMAGED, UNSUPPORTED)
def _too_many(path: Path) -> None:
    _filtered(path, compression="gzip")
    overwrite(path, path.read_bytes().index(b"deflate\0") - 15, b"\x21")


@contained(
    "deflate_thirty_times.weights.h5", "deflate thirty times over is contained", "each step is bounded", DAMAGED,
    UNSUPPORTED, UNSAFE, show=(0, 3), scale=(0, 3), strip=(0, 3),
)  # fmt: skip
def _thirty_times(path: Path) -> None:
    with variables(path) as file:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_chunk((100,))
        for _ in range(30):
            creation.set_deflate(1)
        h5d.create(file[WEIGHTS].id, b"2", h5t.IEEE_F32LE, h5s.create_simple((300,)), creation)
        file[HERE][:] = 1

"""Copying ranges between open files, with and without the kernel's help."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from weightkit.access.files import copying
from weightkit.access.files.copying import copy_range, write_all
from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any, NoReturn

CONTENT = os.urandom(3 << 20)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "source").write_bytes(CONTENT)
    with (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("w+b") as target:
        yield source.fileno(), target.fileno()


def cannot(*_: object) -> NoReturn:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.mark.parametrize("kernel", [True, False])
def test_a_range_goes_to_its_own_place_and_nothing_else_is_written(
    files: tuple[int, int], monkeypatch: pytest.MonkeyPatch, kernel: bool
) -> None:
    if not kernel:
        monkeypatch.setattr(os, "copy_file_range", cannot)
    source, target = files
    copy_range(source, target, 1000, 2 << 20)
    assert os.fstat(target).st_size == 2 << 20
    assert os.pread(target, 3 << 20, 0) == bytes(1000) + CONTENT[1000 : 2 << 20]


@pytest.mark.parametrize("kernel", [True, False])
def test_a_source_that_ends_early_is_an_error_and_not_a_loop(
    files: tuple[int, int], monkeypatch: pytest.MonkeyPatch, kernel: bool
) -> None:
    if not kernel:
        monkeypatch.setattr(os, "copy_file_range", cannot)
    with pytest.raises(MachineError, match=f"ended at byte {3 << 20}"):
        copy_range(*files, 0, (3 << 20) + 1)


def test_an_error_that_is_no_lack_of_skill_is_raised(files: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="No space"):
        copy_range(*files, 0, 10)


def test_short_writes_are_gone_on_with(files: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, content, offset: whole(fd, content[:7], offset))
    write_all(files[1], memoryview(CONTENT[:100]), 5)
    assert os.pread(files[1], 200, 0) == bytes(5) + CONTENT[:100]


def test_the_disk_is_asked_to_begin_with_what_was_copied(
    files: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(copying, "STEP", 1 << 20)
    monkeypatch.setattr(os, "posix_fadvise", lambda *given: asked.append(given), raising=False)
    copy_range(*files, 0, (2 << 20) + 5, shift=3)
    assert [given[1:3] for given in asked] == [(3, 1 << 20), ((1 << 20) + 3, 1 << 20)]  # the rest is small
    assert os.pread(files[1], 3 << 20, 3) == CONTENT[: (2 << 20) + 5]


def test_a_disk_that_takes_no_hints_is_written_to_all_the_same(
    files: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "STEP", 1 << 20)
    monkeypatch.setattr(os, "posix_fadvise", cannot, raising=False)
    copy_range(*files, 0, 2 << 20)
    assert os.pread(files[1], 3 << 20, 0) == CONTENT[: 2 << 20]
    monkeypatch.delattr(os, "posix_fadvise")
    copy_range(*files, 0, 3 << 20)
    assert os.pread(files[1], 4 << 20, 0) == CONTENT

"""Hidden files: which file they belong to, and that they are locked before an edit can take them for leftovers."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Any

import pytest

from weightkit.access.files.leftovers import clear_leftovers
from weightkit.access.files.temporary_file import NEW, OLD, Temporary, hidden_name, hidden_names, lock_alone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["m.h5", "x" * 196, "x" * 197, "x" * 255, "模" * 85, "a\udcff(b)[c]*.h5", "\n"])
@pytest.mark.parametrize("suffix", [NEW, OLD])
def test_a_hidden_name_fits_and_is_known_as_its_target_s_alone(tmp_path: Path, name: str, suffix: str) -> None:
    hidden = hidden_name(tmp_path / name, suffix)
    hidden.touch()
    assert hidden.parent == tmp_path
    assert hidden_names(tmp_path / name).fullmatch(hidden.name)[1] == suffix
    for other in (f"{name}x", name[:-1], f"x{name}", name.swapcase(), f"{name[:-1]}?"):
        if other and other != name:
            assert not hidden_names(tmp_path / other).fullmatch(hidden.name)


def test_a_temporary_is_locked_and_gone_when_it_is_discarded(tmp_path: Path) -> None:
    temporary = Temporary.beside(tmp_path / "m.h5", 0o600)
    with temporary.path.open() as other:
        assert lock_alone(other.fileno()) is False
    temporary.discard()
    temporary.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fcntl.flock
    calls = []

    def flock(fd: int, operation: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            clear_leftovers(tmp_path / "m.h5")
        whole(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    temporary = Temporary.beside(tmp_path / "m.h5", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == [temporary.path.name]
    temporary.discard()


def test_where_there_are_no_locks_a_temporary_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: Any) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", flock)
    temporary = Temporary.beside(tmp_path / "m.h5", 0o600)
    assert lock_alone(temporary.fd) is None
    temporary.discard()
    assert list(tmp_path.iterdir()) == []

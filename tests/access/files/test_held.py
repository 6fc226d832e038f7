"""What an open store holds is given back once, and never under a read."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import Folder, write_legacy

from weightkit import open_weights
from weightkit.access.files.held import Held
from weightkit.access.files.openfile import OpenFile
from weightkit.access.store import Destination
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.access.hdf5.file_store import FileStore


class Owner:
    """Something that holds a file."""


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_in_use_is_given_back_by_its_last_user(tmp_path: Path, elsewhere: bool) -> None:
    (tmp_path / "m.h5").write_bytes(b"content")
    owner, source = Owner(), OpenFile(tmp_path / "m.h5")
    held, descriptor = Held(owner, "m.h5", source), source.fd
    with held.in_use():
        with held.in_use():
            if elsewhere:
                other = threading.Thread(target=held.close)
                other.start()
                other.join()
            else:
                held.close()
            with pytest.raises(RequestError, match="the store is closed"):
                held.in_use().__enter__()
        assert is_open(descriptor)
    assert not is_open(descriptor)
    held.close()


def test_a_file_that_is_not_in_use_is_given_back_at_once(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(b"content")
    owner, source = Owner(), OpenFile(tmp_path / "m.h5")
    held, descriptor = Held(owner, "m.h5", source), source.fd
    with held.in_use():
        pass
    assert is_open(descriptor)
    held.close()
    assert not is_open(descriptor)


def edit_and_close(store: FileStore, destination: Destination) -> None:
    (ref,) = store
    with store.editing([ref], destination) as sink:
        sink.write(ref, np.zeros(6, "f4"))
        store.close()


def test_an_edit_of_a_store_that_is_closed_meanwhile_is_never_put_in_place(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "m.h5", {"d": {"w": np.ones(6, "f4")}})
    before = Folder.of(tmp_path)
    for out in (None, tmp_path / "out.h5"):
        store = open_weights(path, editable=True)
        with pytest.raises(RequestError, match="the store is closed"):
            edit_and_close(store, Destination(out))
        assert Folder.of(tmp_path) == before
    with open_weights(path, editable=True):  # and its lock is given back
        pass

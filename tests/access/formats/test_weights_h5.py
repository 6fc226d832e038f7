"""Version-3 files: what is one, and which names they store."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import GOLDEN, write_variables

from weightkit import Kind, open_weights
from weightkit.access.formats import weights_h5
from weightkit.access.hdf5.index import Dataset, Group, Index
from weightkit.errors import UnsupportedFileError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

KERNEL = np.arange(6, dtype="f4").reshape(2, 3)


def index_of(*paths: list[str]) -> Any:
    """An index of datasets at these paths, and of the groups around them; ``a/`` is an empty group."""
    groups, datasets = {"": Group("", 96, ())}, {}
    for number, path in enumerate(paths):
        parts = path.split("/")[:-1]
        for level in range(1, len(parts) + 1):
            group = "/".join(parts[:level])
            groups[group] = Group(group, 1000 + number * 100 + level, ())
        if not path.endswith("/"):
            datasets[path] = Dataset(path, 5000 + number, (), (1,), "<f4", "contiguous", (), None, 0)
    return Index(10_000, groups, datasets)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["layers/dense/vars/0"], True),
        (["_layer_checkpoint_dependencies/dense/vars/0"], True),
        (["vars/0"], True),
        (["dense1/vars/0", "dense2/vars/0"], True),
        (["layers/dense/vars/"], True),
        (["layers/dense/kernel"], False),
        (["dense/vars/kernel"], False),
        (["dense/vars/"], False),
        (["dense/variables/0"], False),
        (["vars"], False),
        ([], False),
    ],
)
def test_a_version_3_file_is_known_by_its_groups_of_variables(paths: list[str], expected: Any) -> None:
    assert weights_h5.recognizes(SimpleNamespace(index=index_of(*paths))) is expected


def test_the_names_that_keras_stores_on_the_variables_groups_are_read(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "m.weights.h5", {"layers/dense/vars/0": KERNEL, "layers/dense/vars/1": KERNEL[0]})
    with h5py.File(path, "r+") as file:
        file["layers/dense/vars"].attrs["name"] = "my_dense"
    with open_weights(path) as store:
        assert {ref.layer for ref in store} == {"my_dense"}


def test_an_optimizer_s_variables_are_its_own(tmp_path: Path) -> None:
    path = write_variables(
        tmp_path / "m.weights.h5", {"layers/dense/vars/0": KERNEL, "optimizer/vars/0": np.int64(3), "vars/0": KERNEL}
    )
    with open_weights(path) as store:
        kinds = {ref.structure: ref.kind for ref in store}
    assert [name for name, kind in kinds.items() if kind is Kind.OPTIMIZER] == ["optimizer/vars/0"]
    assert len(kinds) == 3


def test_other_hdf5_says_what_it_holds(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "m.h5", {"images": KERNEL, "labels": KERNEL})
    with pytest.raises(UnsupportedFileError, match="no Keras weights: it holds images, labels"):
        open_weights(path)
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(UnsupportedFileError, match="no Keras weights: it is empty"):
        open_weights(tmp_path / "empty.h5")


@pytest.mark.parametrize("content", [b"text", b'{"weight_map": {}}', b"\x89HDF", b"\x89PNG\r\n\x1a\n" + bytes(600)])
def test_what_is_no_hdf5_is_refused_by_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(UnsupportedFileError, match=r"neither HDF5|JSON text"):
        open_weights(path)


@pytest.mark.parametrize("name", ["model", "model.keras", "model.h5", "model.txt"])
def test_what_a_file_is_its_name_does_not_tell(tmp_path: Path, name: str) -> None:
    path = write_variables(tmp_path / name, {"layers/dense/vars/0": KERNEL})
    with open_weights(path) as store:
        assert store.format == "Keras weights, version 3"


NEW = [path for path in GOLDEN if path.name.endswith((".weights.h5", ".keras"))]


@pytest.mark.parametrize("path", NEW, ids=lambda path: path.name)
def test_a_golden_file_is_read_as_the_kind_of_file_it_is(path: Path) -> None:
    with open_weights(path) as store:
        assert store.format == (".keras archive" if path.suffix == ".keras" else "Keras weights, version 3")
        assert (store.config is not None) is (path.suffix == ".keras")

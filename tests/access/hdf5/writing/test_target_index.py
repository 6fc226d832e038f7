"""The planned index of a new file: less what is dropped, changed attributes, and nothing that cannot be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import Folder, half, halve, plain_datasets, write_legacy, write_variables

from weightkit import open_weights
from weightkit.access.changes import Changes
from weightkit.access.store import Destination
from weightkit.errors import UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
NOTHING = Changes(dropped=frozenset({"what is not there"}))
"""Changes that change nothing, so that a file is rebuilt and must stay the same."""


def rebuild(path: Path, output: Path, changes: Changes = NOTHING) -> Any:
    with open_weights(path, editable=True) as store, store.editing([], Destination(output), changes):
        pass
    return output


def references(file: h5py.File) -> None:
    file["references"] = np.array([file["layers"].ref], h5py.ref_dtype)


def regions(file: h5py.File) -> None:
    file.create_dataset("regions", (1,), h5py.regionref_dtype)


def lists(file: h5py.File) -> None:
    file.create_dataset("lists", (2,), h5py.vlen_dtype("i4"))[0] = [1, 2]


def structure_of_text(file: h5py.File) -> None:
    file["structure"] = np.array([("a", 1)], [("t", h5py.string_dtype()), ("n", "i4")])


def array_of_references(file: h5py.File) -> None:
    file.create_dataset("array", (1,), np.dtype([("r", h5py.ref_dtype, (2,))]))


def reference_attribute(file: h5py.File) -> None:
    file["layers"].attrs["to"] = file["layers"].ref


def list_attribute(file: h5py.File) -> None:
    kind = h5py.h5t.vlen_create(h5py.h5t.STD_I32LE)
    h5py.h5a.create(file["layers"].id, b"ragged", kind, h5py.h5s.create_simple((2,)))


def dimension_scale(file: h5py.File) -> None:
    file["scale"] = np.arange(4)
    file["scale"].make_scale("s")
    file["layers/a/vars/0"].dims[1].attach_scale(file["scale"])


REFUSED = [
    (references, "references: its type is reference, which cannot be copied"),
    (regions, "regions: its type is reference, which cannot be copied"),
    (lists, "lists: its type is list of variable length, which cannot be copied"),
    (structure_of_text, "structure: its type is compound with references, which cannot be copied"),
    (array_of_references, "array: its type is compound with references, which cannot be copied"),
    (reference_attribute, "layers: its attribute to refers to other places"),
    (list_attribute, "layers: its attribute ragged refers to other places"),
    (dimension_scale, "its attribute (DIMENSION_LIST|REFERENCE_LIST) refers to other places"),
]


@pytest.mark.parametrize(("plant", "reason"), REFUSED, ids=[plant.__name__ for plant, _ in REFUSED])
def test_what_points_to_other_places_is_refused_in_words_and_still_patched(
    tmp_path: Path, plant: Callable[[h5py.File], None], reason: str
) -> None:
    path = write_variables(tmp_path / "model.h5", {"layers/a/vars/0": KERNEL})
    with h5py.File(path, "r+") as file:
        plant(file)
    before = Folder.of(tmp_path)
    with pytest.raises(UnsupportedFileError, match=reason):
        rebuild(path, tmp_path / "out")
    assert Folder.of(tmp_path) == before
    halve(path, Destination(tmp_path / "out"))
    with h5py.File(tmp_path / "out") as file:
        assert file["layers/a/vars/0"][()].tolist() == half(KERNEL).tolist()


def test_what_points_to_other_places_is_no_obstacle_where_it_goes(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "model.h5", {"layers/a/vars/0": KERNEL})
    with h5py.File(path, "r+") as file:
        references(file)
    rebuild(path, tmp_path / "out", Changes(dropped=frozenset({"references"})))
    assert list(plain_datasets(tmp_path / "out")) == ["layers/a/vars/0"]


def test_hard_links_stay_one_dataset_whichever_name_is_met_first(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", track_order=True) as file:
        file["z"] = KERNEL
        file.create_dataset("layers/a/vars/0", data=KERNEL, chunks=(2, 2))
        file["early"] = file["layers/a"]
        file["layers/a/vars/1"] = file["z"]
        file["a"] = file["layers/a/vars/0"]
    dtype = np.dtype("<f2")
    with open_weights(path, editable=True) as store:
        refs = list(store)
        assert len(refs) == 2
        with store.editing(refs, Destination(tmp_path / "out"), Changes(types=dict.fromkeys(refs, dtype))) as sink:
            for ref in refs:
                sink.write(ref, store.read(ref).astype(dtype))
    with h5py.File(tmp_path / "out") as file:
        assert file["z"] == file["layers/a/vars/1"]
        assert file["a"] == file["layers/a/vars/0"] == file["early/vars/0"]
        assert list(file) == ["z", "layers", "early", "a"]
        for name in ("z", "a"):
            assert file[name].dtype == dtype
            assert file[name][()].tolist() == KERNEL.tolist()


@pytest.mark.parametrize("options", [{}, {"chunks": (2, 2), "compression": 3}])
def test_a_dataset_that_loses_its_first_name_lives_on_by_its_others(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("gone/0", data=KERNEL, **options)
        file["layers/a/vars/0"] = file["gone/0"]
        file["layers/a/vars/1"] = file["gone/0"]
    rebuild(path, tmp_path / "out", Changes(dropped=frozenset({"gone"})))
    with h5py.File(tmp_path / "out") as file:
        assert list(file) == ["layers"]
        assert file["layers/a/vars/0"] == file["layers/a/vars/1"]
        assert file["layers/a/vars/0"][()].tolist() == KERNEL.tolist()


def test_a_group_that_would_lose_its_first_name_alone_is_refused_in_words(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "model.h5", {"layers/a/vars/0": KERNEL})
    with h5py.File(path, "r+") as file:
        file["other"] = file["layers/a"]
    before = Folder.of(tmp_path)
    with pytest.raises(UnsupportedFileError, match="other: it is another name of the group layers/a, which is dropped"):
        rebuild(path, tmp_path / "out", Changes(dropped=frozenset({"layers/a"})))
    assert Folder.of(tmp_path) == before


def test_what_is_dropped_is_gone_with_all_below_it_and_its_space(tmp_path: Path) -> None:
    large = np.random.default_rng(7).normal(size=(100, 100))
    names = ("layers/a/vars/0", "layers/a/vars/1", "optimizer/vars/0", "optimizer/deep/er/vars/0")
    path = write_variables(tmp_path / "model.h5", dict.fromkeys(names, large))
    output = rebuild(path, tmp_path / "out", Changes(dropped=frozenset({"optimizer", "layers/a/vars/1"})))
    assert list(plain_datasets(output)) == ["layers/a/vars/0"]
    assert plain_datasets(output)["layers/a/vars/0"].tolist() == large.tolist()
    assert output.stat().st_size < path.stat().st_size / 4 + 4000


def test_attributes_are_set_changed_and_removed_in_their_manner(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "model.h5", {"d": {"kernel": KERNEL, "bias": np.zeros(4, "f4")}})
    with h5py.File(path, "r+") as file:
        file.attrs["long"] = "of any length"
        file.attrs["list"] = ["a", "b"]
    changed = {
        "": {"long": "ü" * 70_000, "list": ["c"], "backend": None, "keras_version": "3", "new": "text", "none": None},
        "d": {"weight_names": []},
        "d/d/kernel:0": {"note": ["x", "yz"]},
    }
    output = rebuild(path, tmp_path / "out", Changes(attributes=changed))
    with h5py.File(path) as old, h5py.File(output) as new:
        found = dict(new.attrs)
        assert found.pop("layer_names").tolist() == old.attrs["layer_names"].tolist() == ["d"]
        assert found.pop("list").tolist() == ["c"]
        assert found == {"long": "ü" * 70_000, "keras_version": "3", "new": "text"}
        assert new["d"].attrs["weight_names"].shape == (0,)
        assert new["d/d/kernel:0"].attrs["note"].tolist() == ["x", "yz"]


def test_two_thousand_datasets_are_built_anew(tmp_path: Path) -> None:
    values = {f"layers/{number}/vars/0": np.full(3, number, "f4") for number in range(2000)}
    path = write_variables(tmp_path / "wide.h5", values)
    output = rebuild(path, tmp_path / "out", Changes(dropped=frozenset({"layers/7"})))
    found = plain_datasets(output)
    assert sorted(found) == sorted(values.keys() - {"layers/7/vars/0"})
    assert all(found[name].tolist() == values[name].tolist() for name in found)

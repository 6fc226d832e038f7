"""--verify: whatever differs between what was planned and what was written is found before anything is replaced."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from support import DATA, Folder, plain_datasets, write_archive, write_legacy, write_variables

from weightkit import Scale, edit, open_weights
from weightkit.access.edits import verify
from weightkit.access.edits.choose import plan_edit
from weightkit.access.files import commit
from weightkit.access.hdf5.writing import placed_sink
from weightkit.access.ref import Kind, WeightRef
from weightkit.access.store import Destination, WeightStore
from weightkit.errors import DamagedFileError, MachineError, RequestError
from weightkit.surgery.cast import Cast
from weightkit.surgery.drop import Drop
from weightkit.surgery.strip import Strip

WEIGHTS = {"layers/a/vars/0": np.arange(12, dtype="f4"), "layers/b/vars/0": np.arange(5, dtype="f4")}
NOT_LARGE = 80_000  # more than one tile, and below the size that gets two threads


@pytest.fixture
def path(tmp_path):
    return write_variables(tmp_path / "m.weights.h5", WEIGHTS)


def compress(folder):
    with h5py.File(folder / "m.weights.h5", "w") as file:
        values = np.random.default_rng(3).standard_normal((300, 300)).astype("f4")
        file.create_dataset("layers/a/vars/0", data=values, chunks=(70, 64), compression="gzip", shuffle=True)
        file.create_dataset("layers/b/vars/0", data=values[0], chunks=(64,), fletcher32=True)
    return folder / "m.weights.h5"


def golden(name):
    return lambda folder: shutil.copyfile(DATA / name, folder / name)


SOURCES = {
    "legacy": golden("tfkeras215_nested.h5"),
    "weights": golden("keras315_float16.weights.h5"),
    "archive": golden("keras315_nested.keras"),
    "compressed": compress,
    "several_tiles": lambda folder: write_legacy(folder / "m.h5", {"d": {"kernel": np.ones(NOT_LARGE, "f4")}}),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("where", ["**", "role:bias"])
def test_a_sound_edit_is_verified_and_the_same_as_one_that_is_not(tmp_path, source, where):
    path = SOURCES[source](tmp_path)
    if where == "role:bias" and source not in {"legacy", "archive"}:
        where = "**"
    exclude = "class:Normalization" if source == "archive" else None
    report = edit(path, Scale(0.5), where, exclude, output=tmp_path / "verified", verify=True)
    edit(path, Scale(0.5), where, exclude, output=tmp_path / "plain")
    first, second = (plain_datasets(tmp_path / name) for name in ("verified", "plain"))
    assert {name: values.tobytes() for name, values in first.items()} == {
        name: values.tobytes() for name, values in second.items()
    }
    with open_weights(path) as store:
        found = report.verification
        assert found.changed == len(report.plan.chosen)
        assert found.changed + found.untouched + found.structure_only == len(store)
    assert report.to_dict()["verified"] == found.to_dict()


@pytest.mark.parametrize("verb", ["cast", "drop", "strip"])
@pytest.mark.parametrize("name", ["keras20_optimizer.h5", "keras315_nested.keras"])
def test_rebuilt_files_are_verified_too(tmp_path, verb, name):
    plans = {
        "cast": lambda store: plan_edit(store, Cast("float16")),
        "drop": lambda store: plan_edit(store, Drop(), "role:bias"),
        "strip": lambda store: plan_edit(store, Strip()),
    }
    path = golden(name)(tmp_path)
    with open_weights(path, editable=True) as store:
        plan = plans[verb](store)
        found = plan.apply(store, Destination(tmp_path / "out"), verify=True).verification
        gone = 0 if plan.sets_values else len(plan.chosen)
        assert found.changed + found.untouched + found.structure_only + gone == len(store)
        assert found.changed == (len(plan.chosen) if plan.sets_values else 0)


def spoil(monkeypatch, damage):
    """Have ``damage`` done to the new file when it is complete, just before it is looked at."""
    whole = verify.verified

    def spoiled(plan, store, descriptor):
        damage(descriptor)
        return whole(plan, store, descriptor)

    monkeypatch.setattr(verify, "verified", spoiled)


def flip(values, tail=0):
    """Flip the last bit of one value, wherever it lies in the file."""

    def damage(descriptor):
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        place = content.index(values.tobytes()) + tail
        os.pwrite(descriptor, bytes([content[place] ^ 1]), place)

    return damage


def refuses(path, match, where="layers/a", **options):
    before = Folder.of(path.parent)
    with pytest.raises(MachineError, match=match):
        edit(path, Scale(0.5), where, verify=True, **options)
    assert Folder.of(path.parent) == before


def test_one_bit_of_an_untouched_weight_is_found(path, monkeypatch):
    spoil(monkeypatch, flip(WEIGHTS["layers/b/vars/0"]))
    refuses(path, r"1 weights are wrong in the new file: layers/b/vars/0 — nothing was changed")


def test_one_bit_of_a_changed_weight_is_found(path, monkeypatch):
    spoil(monkeypatch, flip(WEIGHTS["layers/a/vars/0"] * np.float32(0.5), tail=47))
    refuses(path, "in the new file: layers/a/vars/0")


def test_without_verify_such_a_bit_goes_unseen(path, monkeypatch):
    """What this guards against: the structure is checked always, the values only when that is asked for."""
    spoil(monkeypatch, flip(WEIGHTS["layers/b/vars/0"]))
    whole = commit.Replacement.commit
    damage = flip(WEIGHTS["layers/b/vars/0"])
    monkeypatch.setattr(commit.Replacement, "commit", lambda self: (damage(self.fd), whole(self))[1])
    assert edit(path, Scale(0.5), "layers/a").verification is None


def test_a_wrong_value_that_was_written_is_found(path, monkeypatch):
    whole = placed_sink.PlacedSink.write
    wrong = lambda self, ref, values, span: whole(self, ref, values + np.float32(1), span)  # noqa: E731
    monkeypatch.setattr(placed_sink.PlacedSink, "write", wrong)
    refuses(path, "in the new file: layers/a/vars/0")


def test_a_wrong_value_in_a_compressed_dataset_is_found(tmp_path, monkeypatch):
    path = compress(tmp_path)
    whole = placed_sink.PlacedSink.write
    wrong = lambda self, ref, values, span: whole(self, ref, values + np.float32(1), span)  # noqa: E731
    monkeypatch.setattr(placed_sink.PlacedSink, "write", wrong)
    refuses(path, "in the new file: layers/a/vars/0")


def test_an_archive_whose_checksum_is_wrong_is_found(tmp_path, monkeypatch):
    path = write_archive(tmp_path / "m.keras", WEIGHTS)

    def damage(descriptor):
        """Flip a bit of the weights' checksum in both places: the weights are right, the archive is not."""
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        for place in (content.rindex(b"PK\3\4") + 14, content.rindex(b"PK\1\2") + 16):
            os.pwrite(descriptor, bytes([content[place] ^ 1]), place)

    spoil(monkeypatch, damage)
    refuses(path, "cannot be read back: model.weights.h5: its checksum must be", where="layers/a")


def test_a_new_file_that_cannot_be_read_back_is_found(path, monkeypatch):
    spoil(monkeypatch, lambda descriptor: os.ftruncate(descriptor, 100))
    refuses(path, "cannot be read back")


def test_a_new_file_that_holds_other_weights_is_found(path, tmp_path, monkeypatch):
    other = write_variables(tmp_path / "other", {"layers/a/vars/0": WEIGHTS["layers/a/vars/0"]})

    def damage(descriptor):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, other.read_bytes(), 0)

    spoil(monkeypatch, damage)
    refuses(path, "2 weights are wrong in the new file")


def test_a_weight_too_many_is_found(path, tmp_path, monkeypatch):
    halved = WEIGHTS | {"layers/a/vars/0": WEIGHTS["layers/a/vars/0"] * np.float32(0.5)}
    other = write_variables(tmp_path / "other", halved | {"layers/c/vars/0": np.ones(2, "f4")})

    def damage(descriptor):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, other.read_bytes(), 0)

    spoil(monkeypatch, damage)
    refuses(path, "1 weights are wrong in the new file: layers/c/vars/0")


class InMemory(WeightStore):
    """A store whose edits make no new file."""

    label, format, ordered, makes_files = "a model", "in the test", True, False

    def __iter__(self):
        return iter([WeightRef("w", "", 0, "w", (2,), np.dtype("f4"), Kind.PARAMETER, None, True, None)])

    def values(self, ref, span):
        return pytest.fail("nothing may be read before this is refused")

    editing = values


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_store_without_a_new_file_is_refused_before_anything_is_read(dry_run):
    with pytest.raises(RequestError, match="a model: there is no new file to verify — leave verify out"):
        edit(InMemory(), Scale(0.5), verify=True, dry_run=dry_run)
    with pytest.raises(RequestError, match="there is no new file to verify"):
        plan_edit(InMemory(), Scale(0.5)).apply(InMemory(), verify=True)


def test_verifying_leaves_no_descriptor_open(path):
    edit(path, Scale(0.5), "layers/a", verify=True)
    before = sorted(Path("/dev/fd").iterdir())
    edit(path, Scale(0.5), "layers/a", verify=True)
    assert sorted(Path("/dev/fd").iterdir()) == before


def test_the_plan_of_an_edit_is_computed_from_the_source_alone(path):
    with open_weights(path, editable=True) as store:
        plan = plan_edit(store, Scale(0.5), "layers/a")
        assert plan.apply(store, verify=True).verification.to_dict() == {
            "untouched": 1,
            "changed": 1,
            "structure_only": 0,
        }


@pytest.fixture
def noted(tmp_path):
    """Texts of variable length, which are stored elsewhere than in their dataset."""
    path = write_variables(tmp_path / "noted.weights.h5", WEIGHTS)
    with h5py.File(path, "r+") as file:
        for name, options in {"plain": {}, "chunked": {"chunks": (1,)}}.items():
            file.create_dataset(f"layers/notes/{name}", data=["one", "", "three " * 900], **options)
    return path


def test_text_of_variable_length_is_compared_as_text_wherever_it_is_in_the_file(tmp_path, noted):
    report = edit(noted, Cast("float16"), "layers/a/**", output=tmp_path / "new.weights.h5", verify=True)
    assert report.verification.to_dict() == {"untouched": 3, "changed": 1, "structure_only": 0}
    with h5py.File(tmp_path / "new.weights.h5") as file:
        assert [text.decode() for text in file["layers/notes/chunked"]] == ["one", "", "three " * 900]


@pytest.mark.parametrize("name", ["plain", "chunked"])
def test_other_text_is_noticed(tmp_path, noted, name, monkeypatch):
    before = Folder.of(tmp_path)
    write = placed_sink.PlacedSink.write

    def spoil(sink, *given):
        write(sink, *given)
        descriptor = next(iter(sink._places.values())).fd
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        place = content.index(b"one", content.index(b"one") + 3 if name == "chunked" else 0)
        os.pwrite(descriptor, b"two", place)

    monkeypatch.setattr(placed_sink.PlacedSink, "write", spoil)
    with pytest.raises((MachineError, DamagedFileError)):
        edit(noted, Scale(0.5), "layers/a/**", verify=True)
    assert Folder.of(tmp_path) == before

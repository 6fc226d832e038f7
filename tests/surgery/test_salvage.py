"""salvage: what is whole in a damaged file is written bit for bit, all else is listed, and nothing is invented."""

from __future__ import annotations

import hashlib
import math
import shutil
import zipfile

import h5py
import numpy as np
import pytest
from support import DATA, GOLDEN, REAL, plain_hdf5, plain_members, write_legacy

from weightkit import open_weights, salvage
from weightkit.errors import DamagedFileError, RefusedError, RequestError, WeightkitError

LEGACY, OBJECTS = DATA / "keras20_optimizer.h5", DATA / "keras315_subclassed.weights.h5"
NESTED = DATA / "keras315_nested.keras"


def contents(path):
    """Shape and bytes of every dataset, by path, as h5py reads them."""
    found = {}
    with plain_hdf5(path) as file:

        def take(name, thing):
            if isinstance(thing, h5py.Dataset):
                found[name] = (thing.shape, np.asarray(thing[()]).tobytes())

        file.visititems(take)
    return found


def spans(path):
    """Where the header and the values of every dataset are in an HDF5 file: the end of each."""
    found = []
    with h5py.File(path) as file:

        def take(_, thing):
            if isinstance(thing, h5py.Dataset) and thing.id.get_offset():
                header = h5py.h5o.get_info(thing.id).addr + 512
                found.append(max(header, thing.id.get_offset() + thing.nbytes))

        file.visititems(take)
    return found


def cut(path, folder, percent):
    broken = folder / f"broken{path.suffix}"
    content = path.read_bytes()
    broken.write_bytes(content[: len(content) * percent // 100])
    return broken


def whole(result):
    return [weight for weight in result.weights if weight.state == "whole"]


def require_honest(result, original):
    """Each weight that is called whole has the bytes of the intact file, and the digest of these."""
    known = set(original.values())
    by_digest = {hashlib.blake2b(raw, digest_size=16).hexdigest(): raw for _, raw in known}
    for weight in whole(result):
        assert (weight.shape, by_digest[weight.digest]) in known, weight
        if not weight.structure.startswith("unnamed/"):
            assert original[weight.structure] == (weight.shape, by_digest[weight.digest])
    for weight in result.weights:
        assert (weight.state == "whole") == (not weight.why)
        assert 0 <= weight.present <= weight.nbytes


@pytest.mark.parametrize("percent", [99, 90, 50])
@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_what_is_whole_in_a_truncated_file_is_written_bit_for_bit(path, percent, tmp_path):
    original, broken, out = contents(path), cut(path, tmp_path, percent), tmp_path / "out"
    before = broken.read_bytes()
    try:
        result = salvage(broken, output=out)
    except DamagedFileError:
        assert percent == 50
        assert not out.exists()
        return
    require_honest(result, original)
    written = contents(out)
    assert written.keys() == {weight.structure for weight in whole(result)}
    for weight in whole(result):
        shape, raw = written[weight.structure]
        assert (shape, hashlib.blake2b(raw, digest_size=16).hexdigest()) == (weight.shape, weight.digest)
    if not zipfile.is_zipfile(path):
        assert len(whole(result)) >= sum(end <= len(before) for end in spans(path))
    with open_weights(out) as store:
        assert len(store) == len(written)
    assert broken.read_bytes() == before


@pytest.mark.parametrize("percent", range(5, 100, 5))
@pytest.mark.parametrize("path", [LEGACY, OBJECTS, NESTED], ids=lambda path: path.name)
def test_a_file_cut_anywhere_is_told_honestly(path, percent, tmp_path):
    broken = cut(path, tmp_path, percent)
    try:
        result = salvage(broken, dry_run=True)
    except DamagedFileError:
        assert percent < 70
        return
    require_honest(result, contents(path))
    assert [entry.name for entry in tmp_path.iterdir()] == [broken.name]


def test_a_weight_that_is_cut_is_partial_and_says_how_much_is_there(tmp_path):
    values = np.random.default_rng(0).normal(size=(64, 64))
    path = write_legacy(tmp_path / "m.h5", {"a": {"kernel": values[:4]}, "b": {"kernel": values}})
    with h5py.File(path) as file:
        start = file["b/b/kernel:0"].id.get_offset()
    path.write_bytes(path.read_bytes()[: start + 1000])
    result = salvage(path, output=tmp_path / "out.h5")
    states = {weight.structure: (weight.state, weight.present) for weight in result.weights}
    assert states["b/b/kernel:0"] == ("partial", 1000)
    assert contents(tmp_path / "out.h5") == {"a/a/kernel:0": ((4, 64), values[:4].tobytes())}


def test_lists_of_names_hold_what_the_new_file_holds_in_their_own_order(tmp_path):
    broken = cut(LEGACY, tmp_path, 90)
    salvage(broken, output=tmp_path / "out.h5")
    with h5py.File(LEGACY) as old, h5py.File(tmp_path / "out.h5") as new:
        assert new.attrs["model_config"] == old.attrs["model_config"]
        layers = [name.decode() for name in new["model_weights"].attrs["layer_names"]]
        assert layers == [
            name.decode() for name in old["model_weights"].attrs["layer_names"] if name.decode() in layers
        ]
        for name in layers:
            group = new["model_weights"][name]
            before = [text.decode() for text in old["model_weights"][name].attrs["weight_names"]]
            listed = [text.decode() for text in group.attrs["weight_names"]] if before else []
            assert listed == [text for text in before if text in group]


def test_layers_of_keras_3_are_named_by_the_list_although_the_table_of_their_groups_is_lost(tmp_path):
    path, names = tmp_path / "m.h5", [f"d{number}" for number in range(3)]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(names, "S")
        for name in names:
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"sequential/{name}/kernel"], "S")
            group.create_dataset(f"sequential/{name}/kernel", data=np.random.default_rng(0).normal(size=5))
    original, content = contents(path), bytearray(path.read_bytes())
    with h5py.File(path) as file:
        entry = content.find(h5py.h5o.get_info(file["d0"].id).addr.to_bytes(8, "little"))
    place = content.rfind(b"SNOD", 0, entry)
    content[place : place + 4] = b"SNOX"
    path.write_bytes(content)
    result = salvage(path, output=tmp_path / "out.h5")
    require_honest(result, original)
    assert contents(tmp_path / "out.h5") == original


def hole(path, start, stop):
    content = bytearray(path.read_bytes())
    content[start:stop] = bytes(stop - start)
    path.write_bytes(content)


def test_a_weight_that_a_hole_of_zeros_reaches_into_is_not_whole(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 32, 32))
    layers = {name: {"kernel": each} for name, each in zip("abc", values, strict=True)}
    path = write_legacy(tmp_path / "m.h5", layers)
    original = contents(path)
    with h5py.File(path) as file:
        start = file["b/b/kernel:0"].id.get_offset()
    hole(path, start + 4096, start + 4096 + 8192)
    with pytest.raises(RefusedError):
        open_weights(path)
    result = salvage(path, output=tmp_path / "out.h5")
    require_honest(result, original)
    assert "a/a/kernel:0" in contents(tmp_path / "out.h5")


@pytest.mark.parametrize("length", [8, 48])
def test_a_file_without_its_first_bytes_is_searched(length, tmp_path):
    path = shutil.copyfile(LEGACY, tmp_path / "m.h5")
    hole(path, 0, length)
    result = salvage(path, output=tmp_path / "out.h5")
    require_honest(result, contents(LEGACY))
    assert len(whole(result)) == len(contents(LEGACY))


def weights_in(archive):
    """First byte and length of the weights in an archive."""
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo("model.weights.h5")
    head = archive.read_bytes()[info.header_offset :]
    start = info.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    return start, info.file_size


def without_directory(folder):
    path = folder / "m.keras"
    with zipfile.ZipFile(NESTED) as file:
        path.write_bytes(NESTED.read_bytes()[: file.start_dir])
    return path


def test_an_archive_without_its_directory_is_complete(tmp_path):
    path, out = without_directory(tmp_path), tmp_path / "out.keras"
    result = salvage(path, output=out)
    assert contents(out) == contents(NESTED)
    old, new = plain_members(NESTED), plain_members(out)
    assert new["config.json"] == old["config.json"]
    assert new["metadata.json"] == old["metadata.json"]
    assert "the archive's checksum of its weights is right" in result.notes
    with zipfile.ZipFile(out) as file:
        assert file.testzip() is None


def test_an_archive_gives_its_weights_alone_where_the_name_asks_for_that(tmp_path):
    out = tmp_path / "out.weights.h5"
    salvage(without_directory(tmp_path), output=out)
    with h5py.File(out) as file:
        assert len(file) > 0
    assert contents(out) == contents(NESTED)


def test_a_lost_configuration_is_said_and_no_archive_is_written_without_it(tmp_path):
    path = without_directory(tmp_path)
    content = path.read_bytes()
    place = content.index(b'"class_name"')
    path.write_bytes(content[:place] + b"'" + content[place + 1 :])
    with pytest.raises(RequestError, match="configuration is lost"):
        salvage(path, output=tmp_path / "out.keras")
    result = salvage(path, output=tmp_path / "out.weights.h5")
    assert "config.json is lost or damaged" in result.notes


def test_a_wrong_checksum_of_an_archive_is_said(tmp_path):
    path = shutil.copyfile(NESTED, tmp_path / "m.keras")
    start, _ = weights_in(path)
    with plain_hdf5(NESTED) as file:
        kernels = []
        file.visititems(lambda _, thing: kernels.append(thing) if isinstance(thing, h5py.Dataset) else None)
        place = start + max(kernels, key=lambda kernel: kernel.nbytes).id.get_offset()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="checksum") as caught, open_weights(path) as store:
        store.read(next(iter(store)))
    assert "weightkit salvage" in caught.value.hint
    result = salvage(path, output=tmp_path / "out.keras")
    assert any("checksum of its weights is wrong" in note for note in result.notes)
    changed = [name for name, value in contents(tmp_path / "out.keras").items() if value != contents(NESTED)[name]]
    assert len(changed) == 1  # the byte at its place, and no other


def test_deflated_weights_are_inflated_as_far_as_they_go(tmp_path):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(NESTED) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in old.namelist():
            file.writestr(name, old.read(name))
    with zipfile.ZipFile(path) as file:
        start = file.start_dir
    path.write_bytes(path.read_bytes()[: start * 9 // 10])
    result = salvage(path, output=tmp_path / "out")
    require_honest(result, contents(NESTED))
    assert len(whole(result)) >= 5


def chunked(path, **options):
    values = np.random.default_rng(0).normal(size=(64, 16)).astype("f4")
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(["a", "b"], "S")
        for name in "ab":
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array(["kernel:0"], "S")
            group.create_dataset("kernel:0", data=values, chunks=(8, 16), **options)
        return [file["b/kernel:0"].id.get_chunk_info(number) for number in range(8)]


FILTERS = [{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}]


@pytest.mark.parametrize("options", FILTERS[1:])
def test_a_chunk_that_does_not_decode_costs_its_own_weight_alone(options, tmp_path):
    path = tmp_path / "m.h5"
    places = chunked(path, **options)
    hole(path, places[3].byte_offset, places[3].byte_offset + 20)
    result = salvage(path, output=tmp_path / "out.h5")
    assert [(weight.structure, weight.state) for weight in result.weights] == [
        ("a/kernel:0", "whole"), ("b/kernel:0", "lost"),
    ]  # fmt: skip
    with h5py.File(path) as old, h5py.File(tmp_path / "out.h5") as new:
        assert np.array_equal(new["a/kernel:0"], old["a/kernel:0"])
        assert "kernel:0" not in new["b"]


@pytest.mark.parametrize("options", FILTERS)
def test_chunks_of_a_truncated_file_are_decoded(options, tmp_path):
    path = tmp_path / "m.h5"
    places = chunked(path, **options)
    original = contents(path)
    path.write_bytes(path.read_bytes()[: max(place.byte_offset for place in places) + 5])
    result = salvage(path, output=tmp_path / "out.h5")
    require_honest(result, original)
    found = {weight.structure: weight for weight in result.weights}
    assert found["a/kernel:0"].state == "whole"
    assert (found["b/kernel:0"].state, found["b/kernel:0"].present) == ("partial", 7 * 8 * 16 * 4)


def test_headers_of_the_newer_kind_are_read_by_their_checksums(tmp_path):
    path, values = tmp_path / "m.h5", np.arange(600.0).reshape(2, 300)
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["layer_names"] = np.array(["a", "b"], "S")
        for name, each in zip("ab", values, strict=True):
            file.create_group(name).attrs["weight_names"] = np.array(["w"], "S")
            file[name]["w"] = each
        place = h5py.h5o.get_info(file["a/w"].id).addr
    original = path.read_bytes()
    path.write_bytes(original[:-100])
    result = salvage(path, dry_run=True)
    assert {weight.structure: weight.state for weight in result.weights} == {"a/w": "whole", "b/w": "partial"}
    content = bytearray(original[:-100])
    content[content.index(b"\x20\x3f\0\x08\0\0\0", place)] ^= 1  # the order of the bytes of a float64
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="no weight in it is whole"):
        salvage(path, dry_run=True)


def test_two_weights_that_claim_the_same_bytes_are_both_refused(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 8))
    path = write_legacy(tmp_path / "m.h5", {name: {"w": each} for name, each in zip("abc", values, strict=True)})
    with h5py.File(path) as file:
        first, second = (file[f"{name}/{name}/w:0"].id.get_offset() for name in "ab")
    content = path.read_bytes().replace(
        second.to_bytes(8, "little") + b"\x40\0\0\0", first.to_bytes(8, "little") + b"\x40\0\0\0"
    )
    path.write_bytes(content)
    states = {weight.structure: weight.state for weight in salvage(path, dry_run=True).weights}
    assert states == {"a/a/w:0": "lost", "b/b/w:0": "lost", "c/c/w:0": "whole"}


@pytest.mark.parametrize("path", [LEGACY, OBJECTS, NESTED], ids=lambda path: path.name)
def test_a_sound_file_is_copied_byte_for_byte(path, tmp_path):
    out = tmp_path / f"out{''.join(path.suffixes)}"
    result = salvage(path, output=out)
    assert result.is_whole
    assert out.read_bytes() == path.read_bytes()
    require_honest(result, contents(path))


def test_the_output_must_be_another_file_and_must_not_exist(tmp_path):
    broken = cut(LEGACY, tmp_path, 90)
    before = broken.read_bytes()
    with pytest.raises(RequestError, match="no output"):
        salvage(broken)
    with pytest.raises(RequestError, match="output is the input"):
        salvage(broken, output=broken, overwrite=True)
    other = tmp_path / "other.h5"
    other.write_bytes(b"mine")
    with pytest.raises(RequestError, match="exists"):
        salvage(broken, output=other)
    with pytest.raises(RequestError, match=r"Keras expect"):
        salvage(broken, output=tmp_path / "out.weights.h5")
    assert (broken.read_bytes(), other.read_bytes()) == (before, b"mine")
    salvage(broken, output=other, overwrite=True)
    assert contents(other)


FOREIGN = {
    "page": b"<!DOCTYPE html><html><body>Not found</body></html>",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "noise": bytes(range(256)) * 64,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_file_of_weights_is_named_and_not_sent_here(name, tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes(FOREIGN[name])
    with pytest.raises(RefusedError) as opened:
        open_weights(path)
    with pytest.raises(RefusedError) as caught:
        salvage(path, dry_run=True)
    assert caught.value.problem == opened.value.problem
    assert "salvage" not in opened.value.hint + caught.value.hint


def test_an_unsafe_file_is_not_sent_here(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"a": {"w": np.ones(3)}})
    with h5py.File(path, "a") as file:
        file["b"] = h5py.SoftLink("/a")
    with pytest.raises(RefusedError) as caught:
        open_weights(path)
    assert "salvage" not in caught.value.hint
    with pytest.raises(RefusedError, match="soft link"):
        salvage(path, dry_run=True)


@pytest.mark.parametrize("percent", range(10, 100, 10))
@pytest.mark.parametrize("path", [LEGACY, OBJECTS, NESTED], ids=lambda path: path.name)
def test_the_error_of_a_damaged_file_gives_the_command_where_it_helps_and_only_there(path, percent, tmp_path):
    broken = cut(path, tmp_path, percent)
    with pytest.raises(WeightkitError) as caught:
        open_weights(broken)
    advised = caught.value.hint.endswith(f"`weightkit salvage {broken} -o OUT`")
    try:
        salvage(broken, output=tmp_path / "out")
    except DamagedFileError:
        assert not advised
    else:
        assert advised


@pytest.mark.parametrize("seed", range(6))
def test_changed_bytes_crash_nothing_and_invent_nothing(seed, tmp_path):
    """A value that is called whole is at a place of the file where a weight was; few seconds for 240 files."""
    random = np.random.default_rng(seed)
    path, kinds = tmp_path / "m.h5", [LEGACY, OBJECTS, DATA / "keras315_bfloat16.h5", DATA / "keras1_layers.h5"]
    odd = 0
    for number in range(40):
        golden = kinds[number % len(kinds)]
        content = bytearray(golden.read_bytes())
        for place in random.integers(len(content), size=random.choice([1, 3, 20])):
            content[place] = random.integers(256)
        path.write_bytes(content)
        held = {bytes(content[start : start + count]) for start, count in places(golden)}
        digests = {hashlib.blake2b(raw, digest_size=16).hexdigest() for raw in held}
        try:
            result = salvage(path, dry_run=True)
        except WeightkitError:
            continue
        odd += sum(weight.digest not in digests for weight in whole(result) if weight.nbytes and weight.digest)
    # HDF5 has no checksum of where values are: an address that was changed to that of a gap cannot be told.
    assert odd <= 1


def places(path):
    found = []
    with h5py.File(path) as file:
        file.visititems(
            lambda _, thing: (
                found.append((thing.id.get_offset(), math.prod(thing.shape) * thing.dtype.itemsize))
                if isinstance(thing, h5py.Dataset) and thing.id.get_offset()
                else None
            )
        )
    return found

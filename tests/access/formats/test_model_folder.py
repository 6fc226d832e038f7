"""A folder that Keras saved unzipped is read like its archive, and so is a zip of such a folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from support import DATA, Folder, plain_datasets, run_weightkit, unprivileged

from weightkit import Scale, diff, edit, open_weights, scale, strip
from weightkit.access.hdf5.limits import Limits
from weightkit.errors import MachineError, RequestError, UnsafeFileError, UnsupportedFileError

ARCHIVE = DATA / "keras315_nested.keras"
WEIGHTS = "model.weights.h5"


def unzipped(folder: Path, archive: Path = ARCHIVE) -> Path:
    """What `model.save(folder, zipped=False)` writes: the archive's members as files."""
    with zipfile.ZipFile(archive) as plain:
        plain.extractall(folder / "model")
    return folder / "model"


def zip_of_a_folder(path: Path, name: str = "my model/") -> Path:
    with zipfile.ZipFile(ARCHIVE) as old, zipfile.ZipFile(path, "w") as new:
        new.mkdir(name.rstrip("/"))
        for member in old.namelist():
            new.writestr(name + member, old.read(member), zipfile.ZIP_DEFLATED if "json" in member else None)
        new.writestr("__MACOSX/._x", b"")
    return path


@pytest.mark.parametrize("archive", ["keras315_nested.keras", "keras315_lora.keras", "keras315_preprocessing.keras"])
def test_an_unzipped_folder_has_the_weights_and_the_names_of_its_archive(tmp_path: Path, archive: str) -> None:
    folder = unzipped(tmp_path, DATA / archive)
    for given in (folder, str(folder), f"{folder}/"):
        with open_weights(given) as store, open_weights(DATA / archive) as other:
            assert list(store) == list(other)
            assert store.config == other.config
            assert store.keras_version == other.keras_version
            assert store.format == "weights of an unzipped .keras model"
            assert all(np.array_equal(store.read(ref), other.read(ref)) for ref in store)
    assert diff(folder, DATA / archive).equal
    assert run_weightkit("show", folder, "--stats").returncode == 0


def test_a_folder_is_not_edited_in_place_and_the_file_in_it_is(tmp_path: Path) -> None:
    folder = unzipped(tmp_path)
    before = Folder.of(folder)
    with pytest.raises(RequestError, match="a folder is not edited as a whole") as caught:
        scale(folder, 0.5)
    assert caught.value.hint == f"edit {folder / WEIGHTS}, or write elsewhere with -o OUT"
    assert run_weightkit("scale", folder, "--factor", "2").returncode == 2
    assert Folder.of(folder) == before
    old = plain_datasets(folder / WEIGHTS)
    scale(folder / WEIGHTS, 2.0, where="**", exclude="kind:optimizer", backup=False)
    with open_weights(folder) as store:
        (kernel,) = store.select("encoder/shared/kernel") if "encoder/shared/kernel" in store else list(store)[:1]
        assert np.array_equal(store.read(kernel), old[kernel.structure] * 2)


def test_a_folder_is_written_elsewhere_as_weights_alone(tmp_path: Path) -> None:
    folder, out = unzipped(tmp_path), tmp_path / "out.weights.h5"
    before = Folder.of(folder)
    edit(folder, Scale(2.0), where="kind:parameter", output=out)
    strip(folder, output=tmp_path / "stripped.weights.h5")
    old, new = plain_datasets(folder / WEIGHTS), plain_datasets(out)
    assert new.keys() == old.keys()
    stripped = plain_datasets(tmp_path / "stripped.weights.h5").keys()
    assert stripped == {path for path in old if not path.startswith("optimizer/")} != old.keys()
    with open_weights(folder) as store:
        for ref in store.select("kind:parameter"):
            assert np.array_equal(new[ref.structure], old[ref.structure] * 2)
    with pytest.raises(RequestError, match=r"makes Keras expect a \.keras archive"):
        scale(folder, 2.0, output=tmp_path / "out.keras")
    assert Folder.of(folder) == before


def test_texts_of_a_folder_are_bounded_and_may_be_missing_or_wrong(tmp_path: Path) -> None:
    folder = unzipped(tmp_path)
    with pytest.raises(UnsafeFileError, match="it has more than 10 bytes") as caught:
        open_weights(folder, limits=Limits(text_member=10))
    assert Path(caught.value.file).parent == folder
    (folder / "config.json").write_text("[" * 100_000)
    (folder / "metadata.json").unlink()
    with open_weights(folder) as store:
        assert (store.config, store.keras_version) == (None, None)
    (folder / WEIGHTS).write_bytes(b"no")
    with pytest.raises(UnsupportedFileError, match="neither HDF5") as refused:
        open_weights(folder)
    assert refused.value.file == str(folder / WEIGHTS)


@pytest.mark.skipif(os.geteuid() != 0, reason="without root there is nobody else to be")
def test_what_cannot_be_looked_at_is_said_in_words(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as public:
        folder = unzipped(Path(public))
        folder.chmod(0o700)
        Path(public).chmod(0o755)
        with unprivileged():
            with pytest.raises(UnsupportedFileError, match="it is a folder, not a weight file"):
                open_weights(folder)
            with pytest.raises(MachineError):
                open_weights(folder / WEIGHTS)
    for length in (249, 250, 300):
        with pytest.raises((RequestError, MachineError)):
            open_weights(tmp_path / ("n" * length))


def test_a_zip_of_a_folder_is_read_and_said_to_be_none_for_keras(tmp_path: Path) -> None:
    path = zip_of_a_folder(tmp_path / "model.keras")
    with open_weights(path) as store, open_weights(ARCHIVE) as other:
        assert list(store) == list(other)
        assert (store.config, store.keras_version) == (other.config, other.keras_version)
        assert (store.format, other.format) == ("zip of a model's folder", ".keras archive")
        assert any("in a folder (my model/), so Keras' load_model does not open it" in note for note in store.notes)
        assert not any("folder" in note for note in other.notes)
    assert diff(path, ARCHIVE).equal
    assert "zip the files, not the folder" in run_weightkit("show", path).stderr


def test_an_edit_of_a_zip_of_a_folder_changes_its_own_members_alone(tmp_path: Path) -> None:
    path = zip_of_a_folder(tmp_path / "model.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", b"another one")
    edit(path, Scale(2.0), where="kind:parameter")
    strip(path)
    with zipfile.ZipFile(ARCHIVE) as old, zipfile.ZipFile(path) as new:
        assert new.testzip() is None
        assert new.read("config.json") == b"another one"
        kept = json.loads(old.read("config.json"))
        del kept["compile_config"]
        assert json.loads(new.read("my model/config.json")) == kept
        new.extract(f"my model/{WEIGHTS}", tmp_path)
    before, after = plain_datasets(ARCHIVE), plain_datasets(tmp_path / "my model" / WEIGHTS)
    with open_weights(ARCHIVE) as store:
        for ref in store.select("kind:parameter"):
            assert np.array_equal(after[ref.structure], before[ref.structure] * 2)


def test_two_folders_in_a_zip_or_one_without_a_configuration_are_none(tmp_path: Path) -> None:
    path = zip_of_a_folder(tmp_path / "two.keras")
    with zipfile.ZipFile(path, "a") as archive:
        for member in ("config.json", WEIGHTS):
            archive.writestr(f"other/{member}", b"{}")
    with pytest.raises(UnsupportedFileError, match="it is a zip archive, which holds my model/model"):
        open_weights(path)
    shutil.copy(ARCHIVE, tmp_path / "both.keras")
    with zipfile.ZipFile(tmp_path / "both.keras", "a") as archive:
        for member in ("config.json", WEIGHTS):
            archive.writestr(f"other/{member}", b"{}")
    with open_weights(tmp_path / "both.keras") as store, open_weights(ARCHIVE) as plain:
        assert list(store) == list(plain)


def test_lora_weights_of_keras_hub_are_read_and_edited(tmp_path: Path) -> None:
    """Laid out as `Backbone.save_lora_weights` does."""
    path = tmp_path / "backbone.lora.h5"
    values = {
        f"lora/{layer}/vars/{name}": np.arange(8, dtype="f4").reshape(shape) + layer
        for layer in (3, 12)
        for name, shape in (("lora_kernel_a", (4, 2)), ("lora_kernel_b", (2, 4)))
    }
    with h5py.File(path, "w") as file:
        for name, array in values.items():
            file[name] = array
        file["lora/vars/rank"] = np.int64(2)
        file[f"lora/{'9' * 4000}/vars/lora_kernel_a"] = np.ones(0, "f4")
    with open_weights(path) as store:
        assert store.format == "KerasHub LoRA weights"
        paths = [ref.path for ref in store]
        assert paths[:2] == ["lora/3/lora_kernel_a", "lora/3/lora_kernel_b"]
        assert paths[2:4] == ["lora/12/lora_kernel_a", "lora/12/lora_kernel_b"]
        assert {str(ref.kind) for ref in store if "kernel" in ref.path} == {"parameter"}
        assert all(np.array_equal(store.read(structure), array) for structure, array in values.items())
        assert store.read("lora/rank") == 2
    scale(path, 2.0, output=tmp_path / "out.lora.h5")
    new = plain_datasets(tmp_path / "out.lora.h5")
    assert all(np.array_equal(new[structure], array * 2) for structure, array in values.items())
    assert new["lora/vars/rank"] == 2
    with pytest.raises(RequestError, match=r"give a name that ends in \.lora\.h5"):
        scale(path, 2.0, output=tmp_path / "out.h5")

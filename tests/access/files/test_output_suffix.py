"""A file of one format is never written under a name that Keras takes for another one."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import pytest
from support import DATA, Folder, run_weightkit

from weightkit import Cast, Drop, Scale, edit, open_weights, plan
from weightkit.access.files.output_suffix import require_suffix
from weightkit.access.formats.optimizer_file import OptimizerFile
from weightkit.access.store import Destination
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable


def optimizer_state(folder: Path) -> Path:
    path = folder / "state.h5"
    with h5py.File(path, "w") as file:
        file.attrs["schema"], file.attrs["ordered"] = "weightkit.optimizer/1", "true"
        file.create_group("optimizer").attrs.update({"class": "SGD", "config": ""})
        file["optimizer/learning_rate"] = 0.5
        file.create_group("weights")
    return path


def zipped_folder(folder: Path) -> Path:
    """A zip of the folder of a model, which Keras does not open, and so has no suffix of Keras."""
    path = folder / "wrapped.zip"
    with zipfile.ZipFile(DATA / "keras315_nested.keras") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(f"model/{name}", old.read(name))
    return path


def golden(name: str) -> Callable[[Path], Path]:
    return lambda folder: Path(shutil.copy(DATA / name, folder))


FORMS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "legacy model": (golden("keras23_nested.h5"), (".h5", ".hdf5")),
    "legacy weights": (golden("keras1_layers.weights_only.h5"), (".h5", ".hdf5")),
    "weights of Keras 3": (golden("keras315_subclassed.weights.h5"), (".weights.h5",)),
    "weights of Keras 2.12": (golden("tfkeras212_three_dense.weights.h5"), (".weights.h5",)),
    "archive": (golden("keras315_nested.keras"), (".keras",)),
    "zipped folder": (zipped_folder, (".zip",)),
    "optimizer state": (optimizer_state, (".h5", ".hdf5")),
}
PROMISING = (".keras", ".weights.h5", ".weights.json", ".h5", ".hdf5")


@pytest.mark.parametrize("form", FORMS)
def test_a_name_that_promises_another_format_is_refused_before_anything_is_written(tmp_path: Path, form: str) -> None:
    """By every way to write: the suffix named is one that Keras opens."""
    make, right = FORMS[form]
    path = make(tmp_path)
    before = Folder.of(tmp_path)
    for suffix in (each for each in PROMISING if each not in right):
        out = tmp_path / f"out{suffix}"
        with open_weights(path) as store:
            kept = list(store)
        first = kept[0].structure
        ways: list[Callable[[Path], object]] = [
            lambda out: edit(path, Scale(1), "**", output=out),
            lambda out: edit(path, Scale(1), "**", output=str(out), dry_run=True),
            lambda out, first=first: edit(path, Drop(), lambda ref: ref.structure == first, output=out),
            lambda out: plan(path, Scale(1), "**").apply(path, Destination(out, overwrite=True)),
        ]
        for way in ways if form != "optimizer state" else ():  # it has no weights to choose
            with pytest.raises(RequestError, match=rf"ends in \{suffix} makes Keras expect") as caught:
                way(out)
            assert caught.value.hint.endswith(f"ends in {right[0]}")
            assert caught.value.file == str(out)
        with (
            open_weights(path) as store,
            pytest.raises(RequestError, match="makes Keras expect"),
            store.editing(kept, Destination(out)),
        ):
            pass
    assert Folder.of(tmp_path) == before


@pytest.mark.parametrize("form", FORMS)
def test_names_that_promise_this_format_or_none_are_written(tmp_path: Path, form: str) -> None:
    make, right = FORMS[form]
    path = make(tmp_path)
    for suffix in {*right, "", ".bin", ".zip", ".H5", ".keras.new", ".bak"}:
        out = tmp_path / f"out{suffix}"
        with open_weights(path) as store, store.editing([], Destination(out)):
            pass
        with open_weights(out) as new, open_weights(path) as old:
            assert new.format == old.format


@pytest.mark.parametrize("name", ["weights.h5", "dir.weights.h5/a.h5", "a.weights.hdf5"])
def test_a_name_is_read_as_keras_reads_it(name: str) -> None:
    """By its end alone, the dot included: `weights.h5` is legacy HDF5."""
    require_suffix(name, "legacy HDF5", (".h5", ".hdf5"))
    with pytest.raises(RequestError, match="makes Keras expect legacy HDF5"):
        require_suffix(name, "weights", (".weights.h5",))


def test_in_place_a_file_keeps_the_name_that_it_has(tmp_path: Path) -> None:
    path = Path(shutil.copy(DATA / "keras23_nested.h5", tmp_path / "named.keras"))
    edit(path, Cast("float16"), "role:kernel")
    with open_weights(path) as store:
        assert store.format == "legacy HDF5 model"


def test_the_command_line_names_the_suffix(tmp_path: Path) -> None:
    path = shutil.copy(DATA / "keras23_nested.h5", tmp_path / "model.h5")
    done = run_weightkit("scale", path, "--factor", "2", "-o", "out.keras", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "weightkit: out.keras: the output's format is legacy HDF5 model, and a name that ends in .keras makes Keras "
        "expect a .keras archive — give a name that ends in .h5\n"
    )


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".weights.json", ".lora.h5"])
def test_an_optimizer_s_state_takes_no_model_s_place(tmp_path: Path, suffix: str) -> None:
    """Its writer replaces what is there: a model of that name would be lost."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"a model")
    file = OptimizerFile({}, {"class": "SGD", "config": ""}, ordered=True)
    with pytest.raises(RequestError, match=r"the output's format is optimizer state, and .* ends in .h5"):
        file.write(path)
    assert path.read_bytes() == b"a model"
    assert file.write(tmp_path / "state.h5") == tmp_path / "state.h5"

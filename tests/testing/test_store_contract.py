"""The contract of stores, kept by every format of ours and by one of somebody else's."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import write_archive, write_legacy, write_variables

from weightkit import Scale, edit, open_weights
from weightkit.access.edits.choose import plan_edit
from weightkit.access.ref import Kind, Source, WeightRef
from weightkit.access.store import ALL, IN_PLACE, Outcome, Sink, WeightStore
from weightkit.testing import StoreContract


def datasets(content):
    """Values of every dataset of an HDF5 file's bytes by its path, read with plain h5py."""
    found = {}

    def keep(name, thing):
        if isinstance(thing, h5py.Dataset):
            value = np.asarray(thing[()])
            found[name] = value.view(ml_dtypes.bfloat16) if thing.dtype == np.dtype("V2") else value

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(keep)
    return found


def by_position(values):
    """Weights as version-3 files hold them: a Dense a layer."""
    places = {"first": "layers/dense", "second": "layers/dense_1"}
    numbers = {"kernel": 0, "bias": 1}
    return {
        f"{places[layer]}/vars/{numbers[name]}": value
        for (layer, name), value in ((path.split("/"), value) for path, value in values.items())
    }


class FileContract(StoreContract):
    """What files have in common: they are looked at as plain files."""

    def make_store(self, folder, values):
        self.path = self.write(folder, values)
        return open_weights(self.path, editable=True)

    def write(self, folder, values):
        raise NotImplementedError

    def values_of(self, store):
        return datasets(self.path.read_bytes())


class TestLegacy(FileContract):
    def write(self, folder, values):
        layers = {}
        for path, value in values.items():
            layer, name = path.split("/")
            layers.setdefault(layer, {})[name] = value
        return write_legacy(folder / "model.h5", layers)


class TestLegacyOfSeveralTypes(TestLegacy):
    VALUES = {  # noqa: RUF012
        "half/kernel": np.linspace(0, 1, 6).astype(np.float16).reshape(2, 3),
        "brain/kernel": np.linspace(0, 1, 6).astype(ml_dtypes.bfloat16).reshape(3, 2),
        "double/kernel": np.linspace(0, 1, 6).reshape(2, 3),
        "swapped/kernel": np.arange(6, dtype=">f4"),
    }

    def test_types_differ(self, store):
        assert len({ref.dtype for ref in store}) == 4


class TestWeightsH5(FileContract):
    def write(self, folder, values):
        return write_variables(folder / "model.weights.h5", by_position(values))


class TestChunkedWeightsH5(FileContract):
    def write(self, folder, values):
        path = folder / "model.weights.h5"
        with h5py.File(path, "w") as file:
            for name, value in by_position(values).items():
                file.create_dataset(name, data=value, chunks=value.shape, compression="gzip")
        return path


class TestArchive(FileContract):
    def write(self, folder, values):
        return write_archive(folder / "model.keras", by_position(values))

    def values_of(self, store):
        with zipfile.ZipFile(self.path) as archive:
            return datasets(archive.read("model.weights.h5"))


class ToyStore(WeightStore):
    """A format of somebody else's, in one class: a JSON file of lists."""

    label, format, ordered = "toy.json", "toy JSON", True

    def __init__(self, path):
        self.path = path

    def _values(self):
        return {
            name: np.asarray(value["values"], value["dtype"])
            for name, value in json.loads(self.path.read_text()).items()
        }

    def __iter__(self):
        for index, (path, values) in enumerate(self._values().items()):
            layer, name = path.split("/")
            yield WeightRef(
                path, layer, index, name, values.shape, values.dtype, Kind.PARAMETER, None, None, Source.FILE
            )

    def values(self, ref, span):
        values = self._values()[ref.structure]
        return values if span == ALL else values.reshape(-1)[span]

    @contextlib.contextmanager
    def editing(self, changing, destination=IN_PLACE, changes=None):
        sink = ToySink(self._values(), changing)
        yield sink
        sink.require_complete()
        write_toy(self.path, sink.values)
        sink.outcome = Outcome(destination.output or self.path)


class ToySink(Sink):
    def __init__(self, values, changing):
        self.values, self._missing = values, {ref.structure: ref.size for ref in changing}

    def write(self, ref, values, span=ALL):
        self.values[ref.structure].reshape(-1)[span] = values.reshape(-1)
        self._missing[ref.structure] -= values.size

    def require_complete(self):
        if any(self._missing.values()):
            raise ValueError("elements were not written")


def write_toy(path, values):
    content = {name: {"dtype": value.dtype.name, "values": value.tolist()} for name, value in values.items()}
    path.write_text(json.dumps(content))


class TestToy(StoreContract):
    def make_store(self, folder, values):
        write_toy(folder / "toy.json", values)
        return ToyStore(folder / "toy.json")

    def values_of(self, store):
        content = json.loads(store.path.read_text())
        return {name: np.array(value["values"], value["dtype"]) for name, value in content.items()}


def test_a_plan_works_on_a_format_of_somebody_elses(tmp_path):
    write_toy(tmp_path / "toy.json", StoreContract.VALUES)
    store = ToyStore(tmp_path / "toy.json")
    plan_edit(store, Scale(0.5), "first").apply(store)
    after = ToyStore(tmp_path / "toy.json")._values()
    for name, value in StoreContract.VALUES.items():
        wanted = value * np.float32(0.5) if name.startswith("first") else value
        assert after[name].tobytes() == wanted.tobytes()


def test_a_plan_made_on_a_file_does_the_same_to_a_format_of_somebody_elses(tmp_path):
    layers = {"first": {"kernel": StoreContract.VALUES["first/kernel"]}}
    path = write_legacy(tmp_path / "model.h5", layers)
    write_toy(tmp_path / "toy.json", {"first/kernel": StoreContract.VALUES["first/kernel"]})
    store = ToyStore(tmp_path / "toy.json")
    with open_weights(path) as file:
        plan_edit(file, Scale(0.1), "**").apply(store)
    edit(path, Scale(0.1), "**")
    (of_file,) = datasets(path.read_bytes()).values()
    assert store._values()["first/kernel"].tobytes() == of_file.tobytes()


class Broken(ToyStore):
    """A store with a fault, to see that the contract finds it."""

    def __init__(self, path, fault):
        super().__init__(path)
        self.fault = fault

    @contextlib.contextmanager
    def editing(self, changing, destination=IN_PLACE, changes=None):
        sink = ToySink(self._values(), changing)
        try:
            yield sink
            if self.fault != "complete":
                sink.require_complete()
        finally:
            if self.fault != "lost":
                write_toy(self.path, sink.values)
            sink.outcome = Outcome()


@pytest.mark.parametrize(
    ("fault", "fact"),
    [
        ("kept", "test_an_edit_that_fails_changes_nothing"),
        ("complete", "test_an_edit_that_is_not_complete_changes_nothing"),
        ("lost", "test_an_edit_sets_its_weights_and_no_others"),
    ],
)
def test_the_contract_finds_faults(tmp_path, fault, fact):
    write_toy(tmp_path / "toy.json", StoreContract.VALUES)
    arguments = [ValueError] if fault == "kept" else []
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(TestToy(), fact)(Broken(tmp_path / "toy.json", fault), *arguments)

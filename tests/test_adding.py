"""What somebody else adds, each in one class or function: a transform, a format, a command.

A layer and a parametrization need Keras: see ``tests/layers/test_adding.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np
import pytest
from support import write_legacy

import weightkit
from weightkit.access import Kind, Source, Transform, WeightRef, open_weights
from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.formats import table
from weightkit.access.hdf5.contents import Contents
from weightkit.cli import app, options, output
from weightkit.cli.main import run

VALUES = np.array([[-3.0, 0.5], [1.0, 2.0]], np.float32)


@dataclass(frozen=True)
class Clip(Transform):
    """A transform: no element is further from zero than ``limit``."""

    limit: float

    def __call__(self, ref, values, span=slice(None)):
        return np.clip(values, -self.limit, self.limit)


def test_a_transform_is_one_class_with_one_method(tmp_path):
    path = write_legacy(tmp_path / "model.h5", {"dense": {"kernel": VALUES}})
    planned = weightkit.plan(path, Clip(1.0))
    assert planned.summary().startswith("Clip(limit=1.0) changes 1 of 1 weights")
    weightkit.edit(path, Clip(1.0), verify=True)
    with open_weights(path) as store:
        assert store["dense/kernel"].tobytes() == np.clip(VALUES, -1, 1).tobytes()


class Flat:
    """A format: every dataset at the top of a file that says so is a parameter."""

    def recognizes(self, file):
        return file.index.attributes("").get("schema") == "flat/1"

    def contents(self, file):
        weights = {self._ref(path, dataset): dataset for path, dataset in file.index.datasets.items()}
        return Contents("flat weights", None, weights, ordered=False, config=None, layout=FlatLayout())

    def _ref(self, path, dataset):
        dtype = dataset.numpy_dtype
        return WeightRef(path, "", 0, path, dataset.shape, dtype, Kind.PARAMETER, None, None, Source.FILE)


class FlatLayout:
    """What else changes with datasets of a flat file: nothing."""

    def without(self, datasets):
        return Changes(dropped=frozenset(dataset.path for dataset in datasets))

    def stripped(self):
        return NO_CHANGES

    def retyped(self, dataset, dtype):
        return NO_CHANGES

    def advice(self, changes):
        return ()


def test_a_format_is_one_object_and_one_line_in_the_table(tmp_path, monkeypatch):
    path = tmp_path / "flat.h5"
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = "flat/1"
        file["a"], file["b"] = VALUES, VALUES[0]
    with pytest.raises(weightkit.WeightkitError, match="no Keras weights"):
        open_weights(path)
    monkeypatch.setattr(table, "FORMATS", (*table.FORMATS, Flat()))
    weightkit.scale(path, 2.0, verify=True)
    weightkit.drop(path, "b")
    with open_weights(path) as store:
        assert store.format == "flat weights"
        assert store["a"].tobytes() == (VALUES * 2).tobytes()
        assert "b" not in store


def count(file: options.File, *, json: options.Json = False) -> output.Result:  # noqa: ARG001
    """Count the weights of a file."""
    with open_weights(file) as store:
        return output.Result(
            record={"weights": len(store)}, heading=(f"{len(store)} weights",), lines=((str(len(store)),),)
        )


def test_a_command_is_one_function_and_one_line(tmp_path, monkeypatch, capsys):
    path = write_legacy(tmp_path / "model.h5", {"dense": {"kernel": VALUES, "bias": VALUES[0]}})
    monkeypatch.setattr(app.app, "registered_commands", list(app.app.registered_commands))
    app.app.command("count")(count)
    assert run(["count", str(path)]) == 0
    assert capsys.readouterr().out == "2\n"
    assert run(["count", str(tmp_path / "none.h5")]) == 2
    assert "there is no such file" in capsys.readouterr().err

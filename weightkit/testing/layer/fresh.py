"""New processes that load what all subjects of a test session have saved: one for each backend.

They are started when the first test asks for them, with the files of every subject that the session has chosen.
"""

from __future__ import annotations

import enum
import importlib.util
import inspect
import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from weightkit.testing.layer import backends
from weightkit.testing.layer.subject import LayerSubject, as_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_BACKENDS = ("tensorflow", "jax", "torch")
_WAYS = {5: ("keras", "weights"), 6: ("keras", "weights"), 20: ("exported",), 21: ("replicas",)}
"""What a process does for each point of the contract that needs it."""


class Fresh(enum.Enum):
    """The backend of a new process: the current one, or another one."""

    HERE = "here"
    ELSEWHERE = "elsewhere"


class Session:
    """The files of a session's subjects, and the processes that load them in the ways that its tests need."""

    def __init__(self, folder: Path, ways: Mapping[type[LayerSubject], set[str]]) -> None:
        self._folder = folder
        self._expected = {subject: _save(subject(), folder / _name(subject), ways[subject]) for subject in ways}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._facts: dict[str, Any] = {}
        here = backends.backend()
        # Both at once: they work while this process runs the tests that need neither.
        for backend in (here, _another(here)):
            self._start(backend)

    def _start(self, backend: str) -> None:
        environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        # pytest puts test folders on the path, where the modules of layers may be.
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-m", "weightkit.testing.layer.loader", str(self._folder), backends.backend()]
        # A file: nobody reads a pipe meanwhile, and a full one would stop the process.
        with (self._folder / f"{backend}.log").open("wb") as log:
            self._processes[backend] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def facts(self, subject: type[LayerSubject], where: Fresh) -> dict[str, Any]:
        """The results of a process for one subject, and the expected ones."""
        here = backends.backend()
        backend = here if where is Fresh.HERE else _another(here)
        if backend not in self._facts:
            code = self._processes[backend].wait()
            log = (self._folder / f"{backend}.log").read_text(encoding="utf-8", errors="replace")
            # The traceback is at the end, after the backend's messages.
            assert code == 0, log[-3000:]
            found = (self._folder / f"{backend}.facts").read_bytes()
            self._facts[backend] = pickle.loads(found)  # noqa: S301  # our own process wrote it a moment ago
        return {**self._facts[backend][_name(subject)], "expected": self._expected[subject]}


_SESSION = pytest.StashKey[Session]()


def facts_of(request: pytest.FixtureRequest, subject: LayerSubject, where: Fresh) -> dict[str, Any]:
    """The facts about one subject; the first call of a session starts the processes."""
    stash = request.session.stash
    if _SESSION not in stash:
        factory = request.getfixturevalue("tmp_path_factory")
        stash[_SESSION] = Session(factory.mktemp("fresh"), _asked(request.session.items))
    return stash[_SESSION].facts(type(subject), where)


def _asked(items: Sequence[Any]) -> dict[type[LayerSubject], set[str]]:
    """What the selected tests of a session need, by subject; nothing for a class without such tests."""
    asked: dict[type[LayerSubject], set[str]] = {}
    for item in items:
        ways = _WAYS.get(getattr(getattr(item, "function", None), "point", 0), ())
        if ways:
            asked.setdefault(item.cls, set()).update(ways)
    return asked


def _name(subject: type[LayerSubject]) -> str:
    return f"{subject.__module__}.{subject.__qualname__}".replace("/", ".")


def _another(backend: str) -> str:
    """The next installed backend of the three.

    Raises:
        AssertionError: There is none: point 6 cannot be tested.
    """
    start = _BACKENDS.index(backend)
    others = [*_BACKENDS[start + 1 :], *_BACKENDS[:start]]
    found = [one for one in others if importlib.util.find_spec(one)]
    assert found, f"a file must be read on another backend than {backend}: install one of {', '.join(others)}"
    return found[0]


def _save(subject: LayerSubject, folder: Path, ways: set[str]) -> np.ndarray:
    """Write everything that a process needs; returns the model's output."""
    folder.mkdir()
    layer = subject.built()
    model, inputs = subject.model(layer), subject.make_inputs(subject.shape, seed=9)
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    (folder / "model.json").write_text(model.to_json(), encoding="utf-8")
    np.savez(folder / "inputs.npz", *as_list(inputs))
    source = inspect.getsourcefile(type(layer))
    imports: list[Any] = list(subject.imports) or [(type(layer).__module__, str(source))]
    record = {"imports": imports, "many": subject.takes_many, "ways": sorted(ways)}
    (folder / "subject.json").write_text(json.dumps(record), encoding="utf-8")
    if backends.backend() == "tensorflow" and "exported" in ways:
        model.export(folder / "exported", verbose=False)
    return backends.array(model(inputs, training=False))

"""What tests of several folders are given."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import full
import pytest
import reader_thread
from durations import Durations

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
KERAS_ROOMS = (TESTS / "layers", TESTS / "training")
"""Tests of what imports Keras itself: they run under ``--backend``, in a process for each backend, and nothing else
does, since the other tests look at what a process without Keras loads."""
ON_EVERY_BACKEND = (*KERAS_ROOMS, TESTS / "test_doctests.py")
ISOLATED = (TESTS / "faults", TESTS / "hostile")
"""What breaks the HDF5 reader on purpose: it runs in a process of its own there."""


def pytest_addoption(parser):
    parser.addoption("--backend", choices=["tensorflow", "jax", "torch"], help="run the tests of Keras' rooms on it")
    parser.addoption("--full", action="store_true", help="run the complete matrices, not the pairwise sample")
    parser.addoption("--durations-to", metavar="FILE", help="write what each test took to a file")
    parser.addoption("--unmarked", action="store_true", help="run tests without every_backend on JAX and PyTorch too")


def pytest_configure(config):
    full.enabled = config.getoption("--full")
    full.on_every_backend = full.enabled or config.getoption("--unmarked")
    if path := config.getoption("--durations-to"):
        config.pluginmanager.register(Durations(path))
    backend = config.getoption("--backend")
    if backend:
        os.environ["KERAS_BACKEND"] = backend
        importlib.import_module(backend)  # one that is asked for and missing is a failure
        # Keras 3.15's variables have no `copy` in `__array__`, which NumPy 2 asks for wherever Keras itself reads one.
        config.addinivalue_line(
            "filterwarnings", "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
        )


def pytest_runtest_setup(item):
    isolated = item.get_closest_marker("own_process") or any(map(item.path.is_relative_to, ISOLATED))
    reader_thread.use(thread=not isolated)


def pytest_collection_modifyitems(config, items):
    """On JAX and PyTorch, run only what differs by backend, unless asked for the rest; and no room with another."""
    backend = config.getoption("--backend")
    all_of_them = backend in {None, "tensorflow"} or full.on_every_backend

    def is_chosen(item):
        return runs_here(item.path, backend) and (all_of_them or item.get_closest_marker("every_backend"))

    config.hook.pytest_deselected(items=[item for item in items if not is_chosen(item)])
    items[:] = filter(is_chosen, items)


def runs_here(path, backend):
    """Whether a file or folder is of the tests that a run with or without a backend is about."""
    rooms = ON_EVERY_BACKEND if backend else KERAS_ROOMS
    return any(path.is_relative_to(room) for room in rooms) == bool(backend)


def pytest_ignore_collect(collection_path, config):
    if collection_path == TESTS:
        return None
    return None if runs_here(collection_path, config.getoption("--backend")) else True


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory) -> str:
    """A Python that has weightkit and its dependencies, but neither Keras nor a backend."""
    given = os.environ.get("WEIGHTKIT_BARE_PYTHON")
    if given:
        return given
    folder = tmp_path_factory.mktemp("bare") / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT)]
    subprocess.run(install, check=True)
    return python


# Where the suite runs in the background of a script, SIGINT is ignored, and below nohup SIGHUP; and so they would be in
# all that tests start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

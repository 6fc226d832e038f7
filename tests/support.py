"""What several tests share: plain oracles, files to try, and the command line as users run it."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import io
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import h5py
import ml_dtypes
import numpy as np

from weightkit import open_weights
from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.store import IN_PLACE, Destination, Outcome
from weightkit.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def _own_copy(folder: Path) -> Path:
    """A copy of a folder for this process alone, beside others that test: an edit locks the file that it reads."""
    copy = Path(tempfile.mkdtemp(prefix="golden-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)  # some tests run as nobody
    return Path(shutil.copytree(folder, copy / folder.name))


DATA = _own_copy(Path(__file__).parent / "data")
GOLDEN = sorted(path for path in DATA.iterdir() if path.suffix in {".h5", ".keras"})
ERAS = sorted(path for path in (DATA / "eras").iterdir() if path.is_file())
"""One model of each kind as each Keras saves it: too many for every test, and for some the same again."""
REAL = sorted(
    path
    for path in Path(os.environ.get("WEIGHTKIT_REAL_MODELS", os.devnull)).glob("*")
    if path.is_file() and path.suffix != ".md"
)


@contextlib.contextmanager
def plain_hdf5(path: Path) -> Iterator[h5py.File]:
    """The HDF5 file at ``path``, or the one inside a ``.keras`` archive, opened with plain h5py."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            yield file
    else:
        with h5py.File(path) as file:
            yield file


def plain_datasets(path: Path) -> dict[str, np.ndarray]:
    """Values of every dataset by its full HDF5 path, read with plain h5py; 2-byte opaque is bfloat16."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str, thing: object) -> None:
        if isinstance(thing, h5py.Dataset):
            values = thing[()]
            found[name] = np.asarray(values).view(ml_dtypes.bfloat16) if thing.dtype == np.dtype("V2") else values

    with plain_hdf5(path) as file:
        file.visititems(keep)
    return found


def plain_layout(path: Path) -> list[tuple[str, object]]:
    """Every object in the order of its links, with its attributes, read with plain h5py; no values."""
    found: list[tuple[str, object]] = []

    def describe(thing: h5py.Group | h5py.Dataset) -> object:
        attributes = [(name, np.asarray(thing.attrs[name]).tolist()) for name in thing.attrs]
        return (attributes, (thing.shape, thing.dtype.str, thing.id.get_offset()) if hasattr(thing, "shape") else ())

    with plain_hdf5(path) as file:
        found.append(("", describe(file)))
        file.visititems(lambda name, thing: found.append((name, describe(thing))))
    return found


def run_weightkit(
    *arguments: object, python: str = sys.executable, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run the command line: in this process, or by another Python or with other options of subprocess in its own."""
    if python == sys.executable and not options.keys() - {"cwd", "env"}:
        return _run_here([*map(str, arguments)], **options)
    return subprocess.run(
        [python, "-m", "weightkit", *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def _run_here(
    arguments: list[str], cwd: object = ".", env: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """As a process would; starting one takes a second."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", newline="") for _ in range(2)]
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, dict(env), clear=True),
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
    ):
        code = run(arguments)
    for stream in streams:
        stream.flush()
    return subprocess.CompletedProcess(arguments, code, *(stream.buffer.getvalue().decode() for stream in streams))


def on_a_terminal(*arguments: object, width: int = 80, **environment: str) -> str:
    """What a user sees: the command run on a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "LINES"}}
    with subprocess.Popen(
        [sys.executable, "-m", "weightkit", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=inherited | {"TERM": "xterm-256color"} | environment,
    ) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # Linux tells the end of a terminal by an I/O error
            while chunk := os.read(ours, 1 << 16):
                seen += chunk
        os.close(ours)
    assert process.returncode == 0, seen
    return seen.decode().replace("\r\n", "\n")


HEAVY = ["numpy", "h5py", "ml_dtypes", "rich", "keras", "tensorflow", "jax", "torch"]
if version("typer").startswith("0.28."):  # the later ones load it themselves, on every run
    HEAVY.append("pydantic")


def modules_loaded_by(code: str, *arguments: object, **options: object) -> set[str]:
    """Which of the ``HEAVY`` packages a fresh interpreter has loaded after running ``code``, however it ended."""
    wrapped = (
        "import json, os, sys\n"
        f"try:\n    exec({code!r})\nexcept SystemExit:\n    pass\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.stdout.flush()\n"
        "print('\\n' + json.dumps(loaded))\n"
    )
    command = [sys.executable, "-c", wrapped, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, **options)
    return set(json.loads(done.stdout.splitlines()[-1]))


def write_legacy(path: Path, layers: Mapping[str, Mapping[str, np.ndarray]]) -> Path:
    """Weights alone in the legacy format, written with plain h5py: for each layer, values by weight name."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer, weights in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in weights]
            for name, values in weights.items():
                array = np.asarray(values)
                stored = array.view("V2") if array.dtype == ml_dtypes.bfloat16 else array
                group.create_dataset(f"{layer}/{name}:0", data=stored)
    return path


def write_files_to_load(folder: Path) -> None:
    """The files that the examples of ``weightkit load`` name."""
    kernel = {"kernel": np.eye(2, dtype="f4")}
    write_legacy(folder / "old.h5", {"model_1/a": kernel, "predictions": kernel})
    write_legacy(folder / "new.h5", {"encoder/a": kernel, "logits": kernel})
    write_legacy(folder / "encoder.h5", {"a": kernel})
    for rows in (5000, 6000):
        write_legacy(folder / f"words{rows}.h5", {"embedding": {"embeddings": np.ones((rows, 2), "f4")}})


def half(values: np.ndarray) -> np.ndarray:
    """``values * 0.5`` as an edit must give it: in their own type, narrow ones in float32 and rounded once."""
    if values.dtype.itemsize == 2:
        return (values.astype(np.float32) * np.float32(0.5)).astype(values.dtype)
    return (values * values.dtype.type(0.5)).astype(values.dtype)  # NumPy gives the machine's own byte order


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Folder:
    """Everything in a folder: names, kinds, bytes, times; two are equal where nothing happened between them."""

    entries: tuple[tuple[str, int, int, int, str], ...]

    @classmethod
    def of(cls, path: Path) -> Folder:
        """What lies there now, below it too."""
        found = []
        for entry in sorted(path.rglob("*")):
            status = entry.lstat()
            content = digest(entry) if entry.is_file() and os.access(entry, os.R_OK) else ""
            found.append((str(entry), status.st_mode, status.st_ino, status.st_mtime_ns, content))
        return cls(tuple(found))


def write_variables(path: Path, variables: Mapping[str, np.ndarray], **options: object) -> Path:
    """A version-3 file written with plain h5py: values by paths such as ``layers/dense/vars/0``."""
    with h5py.File(path, "w", **options) as file:
        for name, values in variables.items():
            file.create_dataset(name, data=values)
    return path


def write_archive(path: Path, variables: Mapping[str, np.ndarray], **others: bytes) -> Path:
    """A ``.keras`` archive as Keras packs it: deflated text, the weights stored; ``others`` replace or add members."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for name, values in variables.items():
            file.create_dataset(name, data=values)
    members = {"metadata.json": b'{"keras_version": "3.15.1"}', "config.json": b"{}"} | others
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def halve(path: Path, destination: Destination = IN_PLACE) -> Outcome | None:
    """Multiply every floating-point weight of a file by 0.5 through the store alone."""
    with open_weights(path, editable=True) as store:
        changing = [ref for ref in store if is_floating(ref.dtype)]
        with store.editing(changing, destination) as sink:
            for ref in changing:
                sink.write(ref, half(store.read(ref)))
        return sink.outcome


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """As a user who owns nothing here, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@dataclass(frozen=True)
class Thing:
    """An HDF5 object as plain h5py sees it: everything but where it lies."""

    attributes: dict[str, tuple[str, object]]
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    content: bytes = b""
    storage: tuple[object, ...] = ()
    """Chunks and filters."""


def plain_things(path: Path) -> dict[str, Thing]:
    """Every object of a file under each of its names, read with plain h5py; the root's name is empty."""
    found: dict[str, Thing] = {}

    def walk(thing: h5py.Group | h5py.Dataset, name: str) -> None:
        attributes = {key: (value.dtype.str, value.tolist()) for key, value in _attributes(thing)}
        if isinstance(thing, h5py.Dataset):
            storage = (thing.chunks, thing.compression, thing.compression_opts, thing.shuffle, thing.fletcher32)
            content = np.asarray(thing[()]).tobytes() if thing.shape is not None else b""
            found[name] = Thing(attributes, thing.shape, thing.dtype.str, content, storage)
        else:
            found[name] = Thing(attributes)
            for child in thing:
                walk(thing[child], f"{name}/{child}" if name else child)

    with plain_hdf5(path) as file:
        walk(file, "")
    return found


def _attributes(thing: h5py.Group | h5py.Dataset) -> Iterator[tuple[str, np.ndarray]]:
    return ((name, np.asarray(thing.attrs[name])) for name in thing.attrs)


def plain_members(path: Path) -> dict[str, bytes]:
    """Every member of an archive but its weights, by name; none where it is no archive."""
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist() if name != "model.weights.h5"}


def place_of(structure: str, things: Mapping[str, object]) -> str:
    """The HDF5 path of a weight: addresses in legacy whole models leave out the group of the weights."""
    return structure if structure in things else f"model_weights/{structure}"

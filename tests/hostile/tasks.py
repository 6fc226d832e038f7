"""What the worker does in its forked children: command lines as users run them, and flipped files."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import os
import resource
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import typer.main

from weightkit import open_weights
from weightkit.access import open as opening
from weightkit.access.edits.choose import plan_edit
from weightkit.access.hdf5.limits import DEFAULT_LIMITS, Limits
from weightkit.access.hdf5.scanner import Scanner
from weightkit.access.store import Destination
from weightkit.cli.main import run
from weightkit.errors import WeightkitError
from weightkit.transforms.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIMITS = replace(DEFAULT_LIMITS, silence=8.0)
_ASKED = 2000  # files, after which a reading process is replaced: its processor time is bounded
_READ = 16 << 20  # bytes of a weight up to which it is read


class Lasting(Scanner):
    """A reading process that serves one file after the other, as long as it lives and keeps in step."""

    living: ClassVar[Lasting | None] = None
    deaths: ClassVar[Counter[str]] = Counter()

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.asked = 0
        self.in_step = True

    @classmethod
    def get(cls, limits: Limits) -> Lasting:
        """The living one, or a new one."""
        old = cls.living
        if old is None or old._process.poll() is not None or not old.in_step or old.asked > _ASKED:
            if old is not None:
                Scanner.close(old)
            cls.living = cls(limits)
        assert cls.living
        return cls.living

    def close(self) -> None:
        """Live on, and have the descriptors that were sent closed: a lock lasts as long as any of them."""
        if not self.in_step or self._process.poll() is not None:
            super().close()
            return
        with contextlib.suppress(WeightkitError):
            list(super().ask({"do": "nothing"}))

    def ask(
        self, request: dict[str, Any], *descriptors: int, on_record: Callable[[bytes], None] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Ask, and note whether the answer was read to its end."""
        self.asked += 1
        self.in_step = False
        try:
            yield from super().ask(request, *descriptors, on_record=on_record)
        except WeightkitError as error:
            end = error.problem
            if "HDF5 library crashed" in end or "HDF5 library hung" in end:
                Lasting.deaths[end.partition("(")[2].rstrip(")") or "hung"] += 1
            self.in_step = "takes more than" not in end
            raise
        self.in_step = True


def commands(job: dict[str, Any]) -> dict[str, Any]:
    """Run command lines one after the other, in a folder; a missing output ends what depends on it."""
    os.chdir(job["folder"])
    os.environ["TMPDIR"] = tempfile.tempdir = job["temporary"]
    if job["shared"]:
        _share()
    return {name: _command(arguments) for name, arguments in job["commands"].items() if _ready(arguments)}


def _share() -> None:
    """One reading process and one parser for all that follows."""
    opening.Scanner = Lasting.get  # type: ignore[assignment, attr-defined]
    if not hasattr(typer.main.get_command, "cache_info"):
        typer.main.get_command = functools.cache(typer.main.get_command)


def _ready(arguments: list[str]) -> bool:
    return Path(arguments[-1]).exists() or Path(arguments[-1]).is_symlink()


def _command(arguments: list[str]) -> dict[str, Any]:
    out, err, start = io.StringIO(), io.StringIO(), time.monotonic()
    _forget_peak()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: Any = run(arguments)
        except BaseException as error:  # noqa: BLE001  # that is what is looked for
            code = f"raised {error!r}"
    return {
        "exit": code,
        "stdout": out.getvalue(),
        "stderr": err.getvalue(),
        "seconds": time.monotonic() - start,
        "peak": _peak(),
    }


def _forget_peak() -> None:
    """Begin to measure memory anew, where the system can (Linux); what the last command left is swept up first."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """The most memory that was in use, in bytes."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def flips(job: dict[str, Any]) -> dict[str, Any]:
    """Spoil a file in many ways, one after the other; open, read and plan each, and edit some."""
    _share()
    folder, original = Path(job["temporary"]), Path(job["file"])
    tempfile.tempdir = str(folder)
    raw = original.read_bytes()
    counts: Counter[str] = Counter()
    deviations = []
    for number in range(job["first"], job["last"]):
        spoiled = spoil(raw, job["seed"], number)
        path = folder / f"spoiled{original.suffix}"
        path.write_bytes(spoiled)
        try:
            counts.update(_tried(path, folder / "edited" if number % job["every"] == 0 else None))
        except BaseException as error:  # noqa: BLE001  # that is what is looked for
            counts["DEVIATION"] += 1
            deviations.append({"number": number, "what": _last_lines(error)})
    if Lasting.living:
        Scanner.close(Lasting.living)
    return {
        "counts": counts,
        "deaths": Lasting.deaths,
        "deviations": deviations,
        "left": sorted(left.name for left in folder.iterdir()),
    }


def spoil(raw: bytes, seed: int, number: int) -> bytes:
    """The file number so-and-so of a seed; of an archive, half the time the weights in it, packed anew."""
    random = np.random.default_rng([seed, number])
    if not raw.startswith(b"PK") or random.integers(2):
        return _spoiled(raw, random)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {info: archive.read(info) for info in archive.infolist()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for info, content in members.items():
            archive.writestr(info, _spoiled(content, random) if info.filename == "model.weights.h5" else content)
    return target.getvalue()


def _spoiled(raw: bytes, random: np.random.Generator) -> bytes:
    """Some bits flipped, some bytes overwritten, or the end cut off."""
    content = bytearray(raw)
    kind, place = random.integers(10), int(random.integers(len(raw)))
    if kind == 0:
        return bytes(content[:place])
    if kind <= 2:
        length = int(random.integers(1, 17))
        new = random.bytes(length) if random.integers(2) else bytes([random.choice([0, 1, 0x7F, 0x80, 0xFF])]) * length
        content[place : place + length] = new[: len(content) - place]
        return bytes(content)
    for _ in range(int(random.choice([1, 1, 1, 2, 4, 16]))):
        content[int(random.integers(len(raw)))] ^= 1 << int(random.integers(8))
    return bytes(content)


def _tried(path: Path, edited: Path | None) -> list[str]:
    """What became of one file, in words to be counted; it is edited where a place for the result is given."""
    said = ["not opened"]
    try:
        with open_weights(path, editable=True, limits=_LIMITS) as store:
            said = ["opened"]
            before = _structure(store)
            said += _read_all(store)
            plan = plan_edit(store, Scale(0.5), ["kind:parameter", "kind:unknown"])
            if edited is None:
                return said
            plan.apply(store, Destination(edited, overwrite=True), allow_nonfinite=True)
    except WeightkitError as error:
        return [*said, f"{said[0]}: {type(error).__name__}"]
    with open_weights(edited, limits=_LIMITS) as store:
        after = _structure(store)
    edited.unlink()
    assert before == after, "the edited file has another structure"
    return [*said, "edited"]


def _structure(store: Any) -> list[tuple[str, tuple[int, ...], str]]:
    return [(ref.structure, ref.shape, str(ref.dtype)) for ref in store]


def _read_all(store: Any) -> list[str]:
    refused = 0
    for ref in store:
        try:
            if ref.nbytes <= _READ:
                store.read(ref)
        except WeightkitError:
            refused += 1
    return ["opened, and a weight could not be read"] if refused else []


def _last_lines(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-1500:]


def who(_: dict[str, Any]) -> dict[str, Any]:
    """As whom the files are opened."""
    may_write = os.access("/etc/passwd", os.W_OK) or os.access("/root", os.W_OK)
    return {"user": list(os.getresuid()), "groups": os.getgroups(), "may write": may_write}


TASKS = {"commands": commands, "flips": flips, "who": who}

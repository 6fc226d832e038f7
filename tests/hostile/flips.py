"""Files with flipped bits, overwritten bytes and missing ends, by the ten thousand."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.hostile.worker import remove, throw_away

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.hostile.worker import Worker

_BATCH = 250  # files between two reports of a worker
_SECONDS = 600


@dataclass(slots=True)
class Tally:
    """What became of the spoiled copies of one file."""

    file: Path
    seconds: float = 0
    counts: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    """Ends of reading processes, by their signal: each one became an error."""
    deviations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        total = self.counts["opened"] + self.counts["not opened"]
        lines = [f"{self.file.name}: {total} in {self.seconds:.0f} s, {total / max(self.seconds, 1e-9):.0f} a second"]
        lines += [f"  {count:7} {name}" for name, count in sorted(self.counts.items())]
        lines += [f"  {count:7} reading processes ended: {name}" for name, count in sorted(self.deaths.items())]
        return "\n".join([*lines, *(f"  DEVIATION {text}" for text in self.deviations[:5])])


def flip(path: Path, count: int, seed: int, *, every: int = 1, crew: Sequence[Worker]) -> Tally:
    """Try ``count`` spoiled copies of a file and edit each ``every``-th; number and seed say which they are.

    The workers of the crew share the work, and serve whatever comes next.
    """
    tally, start = Tally(path), time.monotonic()
    batches = [(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH)]
    with tempfile.TemporaryDirectory(prefix="flips-", dir=_fast()) as name:
        place = Path(name)
        place.chmod(0o755)
        copy = place / path.name
        shutil.copy(path, copy)
        copy.chmod(0o644)
        with ThreadPoolExecutor(len(crew)) as pool:
            for answer in pool.map(lambda worker: _lane(worker, copy, batches, {"seed": seed, "every": every}), crew):
                for part in answer:
                    _add(tally, part)
    tally.seconds = time.monotonic() - start
    return tally


def _lane(worker: Worker, path: Path, batches: list[tuple[int, int]], common: dict[str, int]) -> list[dict[str, Any]]:
    found = []
    while batches:
        try:
            first, last = batches.pop(0)
        except IndexError:
            break
        folder = Path(tempfile.mkdtemp(dir=path.parent))
        folder.chmod(0o755)
        throw_away(folder / "work")
        job = {"task": "flips", "file": str(path), "temporary": str(folder / "work"), "first": first, "last": last}
        answer = worker.ask(job | common | {"seconds": _SECONDS})
        found.append(answer | {"batch": f"{first} to {last}"})
        remove([folder])
    return found


def _add(tally: Tally, part: dict[str, Any]) -> None:
    if "died" in part:
        tally.deviations.append(f"the parent died in {part['batch']}: {part['died']}")
        return
    tally.counts.update(part["counts"])
    tally.deaths.update(part["deaths"])
    tally.deviations += [f"number {one['number']}: {one['what']}" for one in part["deviations"]]
    left = [name for name in part["left"] if not name.startswith("spoiled")]
    tally.deviations += [f"left behind in {part['batch']}: {name}" for name in left]


def _fast() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a fresh folder is made in it

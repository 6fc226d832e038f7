"""Measure weightkit beside its peers and the machine's limit, all in one run, interleaved; medians and ratios.

Run it with the project's environment: ``.venv/bin/python scripts/bench [JOB ...]``. Jobs:

  slope    scale from 256 MiB to 2 GiB against ``cp --reflink=never`` and ``sync``: cost of each further byte;
           at 2 GiB against a plain h5py loop too: copy, then multiply in place
  fixed    scale of a 16 MiB file against ``python -c "import h5py, typer"``
  keras    scale at 512 MiB against Keras' file editor and against load, scale, save (needs Keras)
  start    --help against a bare two-command typer application; show of 1 MB against ``import h5py``
  live     scale of a model in memory against get_weights, set_weights; load_weights into 500 layers, and of 1 GiB,
           against Keras' (needs Keras with TensorFlow)
  freeze   freezing one layer of 500 against Keras' own compile and one pass over the slots (needs Keras)
  alternate  a GAN whose halves are frozen in turn against two models compiled by hand, on each backend (needs Keras
           with TensorFlow, JAX and PyTorch)
  layers   parametrized layers against the same by hand, baked against plain (needs Keras with TensorFlow)
  memory   peak resident memory of parent and child above a bare interpreter's
  rebuild  scale and strip of compressed files against ``h5repack`` with the same filters
  strip    strip of a 1 GiB file with optimizer state against ``cp`` and ``sync`` of what remains; peak memory
  restore  putting a backup of 1 GiB back against ``import h5py, typer``: no byte is copied
  growth   scale from 16 MiB to 8 GiB (2 GiB with --quick): seconds, peak memory
  many     show and scale of 10,000 and 100,000 small weights: seconds, peak memory
  diff     diff of two 1 GiB files, equal and different, against h5diff (hdf5-tools), and its peak memory

Every copy is synced to the disk within its time. Machines are noisy: compare ratios of one run, not runs.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
from diff import DiffJobs
from layers import LayerJobs
from live import LiveJobs
from surgery import SurgeryJobs
from tools import WEIGHTKIT, dense_file, measured, program, report, side_by_side, timed
from training import TrainingJobs

import weightkit

if TYPE_CHECKING:
    from collections.abc import Callable


class Bench(SurgeryJobs, DiffJobs, LayerJobs, LiveJobs, TrainingJobs):
    """Every job."""

    def slope(self) -> None:
        """Seconds for each further GiB."""
        small, large = dense_file(self.folder / "small.h5", 4), dense_file(self.folder / "large.h5", 32)
        seconds = side_by_side(
            self.runs,
            ours_small=lambda: self.command("scale", small, "--factor", "0.5"),
            cp_small=lambda: self.copy(small),
            ours_large=lambda: self.command("scale", large, "--factor", "0.5"),
            cp_large=lambda: self.copy(large),
            plain_large=lambda: self.program("plain_loop", str(large), str(self.out)),
        )
        gib = (large.stat().st_size - small.stat().st_size) / (1 << 30)
        ours = (seconds["ours_large"] - seconds["ours_small"]) / gib
        cp = (seconds["cp_large"] - seconds["cp_small"]) / gib
        report("slope: seconds for each GiB from 256 MiB to 2 GiB", ours, cp, "cp", 1.0)
        report("whole: 2 GiB", seconds["ours_large"], seconds["cp_large"], "cp", None)
        report("plain: 2 GiB", seconds["ours_large"], seconds["plain_large"], "h5py loop", 1.0)
        small.unlink()
        large.unlink()

    def fixed(self) -> None:
        """What a small file costs."""
        source = dense_file(self.folder / "fixed.h5", 1, 1024)
        seconds = side_by_side(
            self.runs + 4,
            ours=lambda: self.command("scale", source, "--factor", "0.5"),
            imports=lambda: timed([sys.executable, "-c", "import h5py, typer"]),
        )
        report("fixed: scale of 16 MiB", seconds["ours"], seconds["imports"], "import h5py, typer", 3.0)

    def keras(self) -> None:
        """What Keras' own ways cost."""
        source, layers = dense_file(self.folder / "half.weights.h5", 8), "8"
        out = self.folder / "keras.weights.h5"
        seconds = side_by_side(
            max(1, self.runs // 2),
            ours=lambda: self.command("scale", source, "--factor", "0.5"),
            cp=lambda: self.copy(source),
            editor=lambda: self.program("keras_file_editor", str(source), str(out)),
            load=lambda: self.program("keras_load_scale_save", str(source), str(out), layers),
        )
        report("512 MiB", seconds["ours"], seconds["cp"], "cp", None)
        report("keras: 512 MiB", seconds["ours"], seconds["editor"], "KerasFileEditor", 1 / 8)
        report("keras: 512 MiB", seconds["ours"], seconds["load"], "load, scale, save", 1 / 8)
        source.unlink()
        out.unlink()

    def start(self) -> None:
        """What it costs to begin."""
        small = dense_file(self.folder / "mb.h5", 1, 256, 1024)
        seconds = side_by_side(
            self.runs * 2 + 5,
            help=lambda: timed([*WEIGHTKIT, "--help"]),
            bare=lambda: timed([*program("bare_typer"), "--help"]),
            show=lambda: timed([*WEIGHTKIT, "show", str(small)]),
            h5py=lambda: timed([sys.executable, "-c", "import h5py"]),
        )
        report("start: weightkit --help", seconds["help"], seconds["bare"], "bare typer", 1.2)
        report("start: show of 1 MB", seconds["show"], seconds["h5py"], "import h5py", 3.0)

    def memory(self) -> None:
        """Peak resident memory, parent and child each."""
        shapes: dict[str, Callable[[Path], Path]] = {
            "2 GiB": lambda path: dense_file(path, 32),
            "one row of 268 MB": lambda path: _one(path, (1, 16384, 4096)),
            "10,000 weights": lambda path: dense_file(path, 5000, 8, 8),
        }
        for what, make in shapes.items():
            source = make(self.folder / "memory.h5")
            self.out.unlink(missing_ok=True)
            found = measured("scale", source, "--factor", "0.5", "-o", self.out, "--where", "layers/**/[01]")
            print(f"memory: {what:<20} {found}; wanted at most 80")
            source.unlink()


def _one(path: Path, shape: tuple[int, ...]) -> Path:
    with h5py.File(path, "w") as file:
        file["layers/einsum_dense/vars/0"] = np.zeros(shape, np.float32)
    return path


def main() -> None:
    """Run the jobs that were asked for."""
    jobs = [
        "slope", "fixed", "keras", "start", "live", "layers", "memory", "rebuild", "strip", "restore", "growth",
        "many", "diff",
    ]  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", default=jobs, help=f"any of {', '.join(jobs)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer runs, nothing over 2 GiB")
    parser.add_argument("--folder", type=Path, help="where to work; the system's temporary folder by default")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="weightkit-bench-", dir=given.folder))
    try:
        bench = Bench(folder, quick=given.quick)
        for job in given.jobs:
            getattr(bench, job)()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    os.environ.pop("PYTHONPROFILEIMPORTTIME", None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(Path(weightkit.__file__).parent, quiet=1)  # as an installer does, for us and for the peers
    main()

"""The jobs of ``scripts/bench`` that rewrite files, edit many weights, or large files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import h5py
import numpy as np
from tools import (
    MIB,
    WEIGHTKIT,
    Jobs,
    copied,
    dense_file,
    measured,
    report,
    side_by_side,
    timed,
)

if TYPE_CHECKING:
    from pathlib import Path

FILTERS = {"shuffle": True, "compression": 4}
SAME_FILTERS = ["-f", "SHUF", "-f", "GZIP=4"]


def trained_file(path: Path, layers: int, *, slots: int = 2, **options: object) -> Path:
    """A version-3 file of Dense layers of 16 MiB, and an optimizer with some slots for each weight."""
    draw = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for number in range(layers):
            key = f"dense_{number}" if number else "dense"
            kernel = draw.standard_normal((2048, 2048), dtype=np.float32)
            file.create_dataset(f"layers/{key}/vars/0", data=kernel, **options)
            for slot in range(slots):
                file.create_dataset(f"optimizer/vars/{2 + number * slots + slot}", data=kernel, **options)
        file["optimizer/vars/0"] = np.int64(1)
        file["optimizer/vars/1"] = np.float32(0.001)
    return path


class SurgeryJobs(Jobs):
    """Rewritten files, large files, many weights."""

    def rebuild(self) -> None:
        """Compressed files: every value changed, and some dropped."""
        source = trained_file(self.folder / "compressed.h5", 6, slots=0, **FILTERS, chunks=(256, 2048))
        runs = max(1, self.runs // 2)
        seconds = side_by_side(
            runs,
            ours=lambda: self.command("scale", source, "--factor", "0.5", "--where", "layers/**"),
            repack=lambda: self.repack(source, *SAME_FILTERS),
        )
        report("rebuild: scale of 96 MiB, compressed", seconds["ours"], seconds["repack"], "h5repack", 1.2)
        source = trained_file(self.folder / "compressed.h5", 6, **FILTERS, chunks=(256, 2048))
        seconds = side_by_side(runs, ours=lambda: self.command("strip", source), repack=lambda: self.repack(source))
        report("rebuild: strip of 288 MiB, compressed", seconds["ours"], seconds["repack"], "h5repack (as it is)", None)
        source.unlink()

    def strip(self) -> None:
        """Two thirds of a file go; and what each further GiB that remains costs, start-up left aside."""
        found = [self._stripped(layers) for layers in (21, 63)]
        (small, ours, cp), (large, ours_large, cp_large) = found
        gib = (large - small) / (1 << 30)
        report("strip: seconds for each GiB that remains", (ours_large - ours) / gib, (cp_large - cp) / gib, "cp", 1.2)

    def _stripped(self, layers: int) -> tuple[int, float, float]:
        """Bytes that remain, our seconds, those of ``cp``."""
        source, rest = trained_file(self.folder / "trained.h5", layers), self.folder / "rest"
        subprocess.run([*WEIGHTKIT, "strip", str(source), "-o", str(rest)], check=True, capture_output=True)
        seconds = side_by_side(self.runs, ours=lambda: self.command("strip", source), cp=lambda: self.copy(rest))
        kept = rest.stat().st_size
        size = f"{source.stat().st_size / MIB:.0f} MiB to {kept / MIB:.0f}"
        report(f"strip: {size}", seconds["ours"], seconds["cp"], "cp of the rest", 1.2)
        self.out.unlink(missing_ok=True)
        print(f"strip: memory {measured('strip', source, '-o', self.out)}; wanted at most 100")
        source.unlink()
        rest.unlink()
        return kept, seconds["ours"], seconds["cp"]

    def restore(self) -> None:
        """Change names, whatever the size."""
        source = dense_file(self.folder / "restored.h5", 16)
        subprocess.run([*WEIGHTKIT, "scale", str(source), "--factor", "0.5"], check=True, capture_output=True)
        seconds = side_by_side(
            self.runs,
            ours=lambda: timed([*WEIGHTKIT, "restore", str(source)]),
            imports=lambda: timed([sys.executable, "-c", "import h5py, typer"]),
        )
        report("restore: 1 GiB", seconds["ours"], seconds["imports"], "import h5py, typer", None)
        for path in self.folder.glob("restored.h5*"):
            path.unlink()

    def growth(self) -> None:
        """The same edit on larger and larger files."""
        for mib in (16, 64, 256, 1024, 2048) if self.quick else (16, 64, 256, 1024, 2048, 4096, 8192):
            source = dense_file(self.folder / "grown.h5", max(1, mib // 64), *((1024, 4096) if mib < 64 else ()))
            self.out.unlink(missing_ok=True)
            found = measured("scale", source, "--factor", "0.5", "-o", self.out, "--force")
            self.out.unlink()
            print(f"growth: {mib:5d} MiB   cp {copied(source, self.out):6.2f} s   ours {found}")
            source.unlink()

    def many(self) -> None:
        """Files of many small weights."""
        for weights in (10_000, 100_000):
            source = dense_file(self.folder / "many.h5", weights // 2, 8, 8)
            print(f"many: show of {weights:6d} weights    {measured('show', source)}; wanted at most 60 s and 1 GB")
            self.out.unlink(missing_ok=True)
            found = measured("scale", source, "--factor", "0.5", "-o", self.out, "--where", "layers/**/[01]")
            print(f"many: scale of {weights:6d} weights   {found}; wanted at most 60 s and 1 GB")
            source.unlink()

    def repack(self, source: Path, *filters: str) -> float:
        """Seconds for ``h5repack`` and ``sync``."""
        tool = shutil.which("h5repack")
        if tool is None:
            sys.exit("h5repack is missing: install the package that has it, hdf5-tools in Debian")
        self.out.unlink(missing_ok=True)
        return timed([tool, *filters, str(source), str(self.out)]) + timed(["sync"])

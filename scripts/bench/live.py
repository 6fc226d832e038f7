"""The jobs of ``scripts/bench`` on models in memory, against Keras' own ways."""

from __future__ import annotations

import statistics
import subprocess

from tools import Jobs, program, report, side_by_side

_MOST = 120
"""Megabytes that loading 1 GiB may take beside the model."""


class LiveJobs(Jobs):
    """Models in memory, opening and undo included."""

    def live(self) -> None:
        """What an edit in memory costs, opening and undo included."""
        for what, count, units in (("134 million parameters", 8, 4096), ("500 layers of 8 units", 500, 8)):
            command = [*program("edit_model"), str(count), str(units), str(self.runs * 2 + 1)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            theirs, ours = map(float, done.stdout.split()[-2:])
            report(f"live: {what}", ours, theirs, "get_weights, set_weights", 1 / 2)
        path = self.folder / "model.weights.h5"
        command = [*program("load_weights"), str(path), "500", str(self.runs)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs, ours = map(float, done.stdout.split()[-2:])
        report("live: load_weights of 500 layers", ours, theirs, "Keras' load_weights", 0.38)
        path.unlink()
        self._load_large()

    def _load_large(self) -> None:
        """Loading 1 GiB, each run in a process of its own; old values wait in a file, and Keras has no undo."""
        path = self.folder / "large.weights.h5"
        memory: dict[str, list[float]] = {"keras": [], "weightkit": []}

        def load(who: str) -> float:
            command = [*program("load_large"), who, str(path), "16", "4096"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, peak = map(float, done.stdout.split()[-2:])
            memory[who].append(peak)
            return seconds

        load("keras")  # writes the file
        seconds = side_by_side(3, theirs=lambda: load("keras"), ours=lambda: load("weightkit"))
        report("live: load_weights of 1 GiB", seconds["ours"], seconds["theirs"], "Keras' load_weights", 1.1)
        theirs, ours = (statistics.median(memory[who]) for who in memory)
        verdict = "ok" if ours <= _MOST else "MISSED"
        what = "live: peak memory above the model, 1 GiB"
        print(
            f"{what:<52} ours {ours:7.0f} MB   Keras' {theirs:7.0f} MB; wanted at most {_MOST}: {verdict}", flush=True
        )
        path.unlink()

"""The jobs of ``scripts/bench`` on models in memory, against Keras' own ways."""

from __future__ import annotations

import subprocess

from tools import Jobs, program, report


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
        report("live: load_weights of 500 layers", ours, theirs, "Keras' load_weights", 1.0)
        path.unlink()

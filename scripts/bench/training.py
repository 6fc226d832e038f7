"""The job of ``scripts/bench`` on freezing, against Keras' own ``compile``."""

from __future__ import annotations

import subprocess

from tools import Jobs, program, report


class TrainingJobs(Jobs):
    """Freezing a model that is compiled."""

    def freeze(self) -> None:
        """What a freeze of one layer of 500 costs, beside a compile and build of Keras' and a pass over the slots."""
        command = [*program("freeze_layer"), "500", str(self.runs)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs, ours = map(float, done.stdout.split()[-2:])
        report("freeze: 1 of 500 layers", ours, theirs, "Keras' compile and build, and a pass over the slots", 1.5)

"""The jobs of ``scripts/bench`` on freezing, against Keras' own ``compile``."""

from __future__ import annotations

import os
import subprocess

from tools import Jobs, program, report

BACKENDS = ("tensorflow", "jax", "torch")


class TrainingJobs(Jobs):
    """Freezing a model that is compiled."""

    def freeze(self) -> None:
        """What a freeze of one layer of 500 costs, beside a compile and build of Keras' and a pass over the slots."""
        command = [*program("freeze_layer"), "500", str(self.runs)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs, ours = map(float, done.stdout.split()[-2:])
        report("freeze: 1 of 500 layers", ours, theirs, "Keras' compile and build, and a pass over the slots", 1.5)

    def alternate(self) -> None:
        """A round of a GAN, one step of each half, with ``frozen``, beside two models that were compiled by hand."""
        for backend in BACKENDS:
            theirs, ours, entry, _ = self._alternate(backend, "both")
            report(f"alternate: {backend}", ours, theirs, "two models compiled by hand", 1.1)
            peaks = {only: self._alternate(backend, only)[-1] for only in ("ours", "theirs")}
            print(
                f"alternate: {backend}: a block without a step {entry:.2f} ms; "
                f"peak {peaks['ours']:.0f} MB, by hand {peaks['theirs']:.0f} MB"
            )

    def _alternate(self, backend: str, only: str) -> list[float]:
        command = [*program("alternate"), str(3 * self.runs if only == "both" else 1), only]
        environment = os.environ | {"KERAS_BACKEND": backend}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return [float(number) for number in done.stdout.split()[-4:]]

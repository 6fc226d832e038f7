"""The job of ``scripts/bench`` on parametrized layers, against the same computation written by hand in a layer.

A 1024-wide Dense and a 3x3 convolution of 128 channels, compiled as a graph: the least seconds of a step of ``fit`` and
of a batch of ``predict``, in turns in one process, which fails if anything is traced again; peak memory in a process
each.
"""

from __future__ import annotations

import subprocess

from tools import Jobs, program, report

EQUAL = 1.05  # what is wanted is 1.0; the job measures one plain model against another too, which says what noise does
WHAT = ("WeightNorm", "SpectralNorm", "StandardizedWeight", "Held", "Mask", "LowRank", "Tied", "baked", "plain")


class LayerJobs(Jobs):
    """Parametrized layers, against the same by hand; a baked layer, against a plain one."""

    def layers(self) -> None:
        """A step of fit and a batch of predict, and the peak of memory."""
        for shape in ("dense", "conv"):
            for what in WHAT:
                same = what in {"baked", "plain"}
                wanted, peer = (EQUAL, "plain") if same else (1.15, "by hand")
                fit, fit_hand, predict, predict_hand, _ = self._run(what, shape, "both")
                report(f"layers: {what}, {shape}: 1000 steps of fit", 1000 * fit, 1000 * fit_hand, peer, wanted)
                report(f"layers: {what}, {shape}: 1000 of predict", 1000 * predict, 1000 * predict_hand, peer, wanted)
                ours, theirs = (self._run(what, shape, only)[-1] / 1024 for only in ("ours", "theirs"))
                verdict = "ok" if ours <= 1.1 * theirs else "MISSED"
                print(f"layers: {what}, {shape}: peak {ours:.0f} MB, {peer} {theirs:.0f} MB; at most 1.1: {verdict}")

    def _run(self, what: str, shape: str, only: str) -> list[float]:
        runs = str(self.runs if only == "both" else 1)
        done = subprocess.run(
            [*program("parametrized_layers"), what, shape, runs, only], check=True, capture_output=True, text=True
        )
        return [float(number) for number in done.stdout.split()]

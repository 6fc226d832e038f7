"""The folder from which a run in stages is resumed: at every moment, the whole state after one epoch.

``run.json`` says which epoch it is. It is replaced last; then the files of the epoch before are removed. So a process
that is killed leaves the state before its last epoch or after it.
"""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import undone_on_error, write_file
from weightkit.errors import DamagedFileError, MachineError, RequestError
from weightkit.training.stages.saved_run import SavedRun
from weightkit.training.state_file.saving import load_optimizer_state, save_optimizer_state
from weightkit.transforms.load_weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

_RUN = "run.json"
_WEIGHTS, _OPTIMIZER, _BEST = "weights.h5", "optimizer.h5", "best.npz"
"""What the names of an epoch's files end with."""


class StateFolder:
    """A folder with the state of one run.

    Args:
        path: The folder; it is made if it is not there.

    Raises:
        RequestError: It cannot be made, or is a file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._folder, self.label = Path(path), os.fspath(path)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "give a folder that can be written"
            raise RequestError(f"the state folder: {error.strerror}", hint=hint, file=self.label) from error

    def saved(self) -> SavedRun | None:
        """The run that the folder holds; None where there is none yet.

        Raises:
            DamagedFileError: It is not the state of a run.
            MachineError: It cannot be read.
        """
        path = self._folder / _RUN
        try:
            return SavedRun.from_json(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MachineError(f"cannot be read: {error.strerror}", file=str(path)) from error

    def save(self, model: Any, run: SavedRun, best: Mapping[str, np.ndarray]) -> None:
        """Write the state after an epoch, in the place of that before.

        Args:
            model: The model.
            run: How far it has come.
            best: Weights that callbacks keep.

        Raises:
            MachineError: The system failed; the state before is untouched.
        """
        weights = self._file(run, _WEIGHTS)
        try:
            model.save_weights(weights)
            with weights.open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise MachineError(f"the state was not saved: {error}", file=str(weights)) from error
        if best:
            content = io.BytesIO()
            np.savez(content, **best)  # type: ignore[arg-type]
            write_file(self._file(run, _BEST), content.getvalue())
        else:
            self._file(run, _BEST).unlink(missing_ok=True)  # a killed process may have left it
        # This syncs the folder too, so that run.json names no file that a power cut takes away.
        save_optimizer_state(model, self._file(run, _OPTIMIZER))
        write_file(self._folder / _RUN, run.to_json())
        self._remove_others(run)

    def load(self, model: Any, run: SavedRun) -> dict[str, np.ndarray]:
        """Set weights and the optimizer's state, or on an error neither; flags and optimizer are those of that stage.

        Returns:
            Weights that callbacks keep.

        Raises:
            WeightkitError: A file is missing or damaged, or is not of this model or optimizer.
        """
        best = self._best(run)
        with undone_on_error() as log:
            log.keep_all(model.variables)
            load_weights(model, self._file(run, _WEIGHTS))
            load_optimizer_state(model, self._file(run, _OPTIMIZER))
        return best

    def _best(self, run: SavedRun) -> dict[str, np.ndarray]:
        path = self._file(run, _BEST)
        if not path.exists():
            return {}
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            hint = "delete the folder to start again"
            raise DamagedFileError(f"cannot be read: {error}", hint=hint, file=str(path)) from error

    def _file(self, run: SavedRun, suffix: str) -> Path:
        return self._folder / f"epoch-{len(run.epoch)}.{suffix}"

    def _remove_others(self, run: SavedRun) -> None:
        """Remove what an epoch before left, or a killed process."""
        kept = {self._file(run, suffix) for suffix in (_WEIGHTS, _OPTIMIZER, _BEST)}
        for suffix in (_WEIGHTS, _OPTIMIZER, _BEST):
            for path in self._folder.glob(f"epoch-*.{suffix}"):
                if path not in kept:
                    with contextlib.suppress(OSError):  # the next epoch tries again
                        path.unlink()

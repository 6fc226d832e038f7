"""The state of an optimizer in any file: weightkit's own format, or one of Keras, read as if it were that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.live import Manifest, SavedOptimizer
from weightkit.errors import RequestError, UnsupportedFileError
from weightkit.training.state_file.contents import configuration_of
from weightkit.training.state_file.differences import differences
from weightkit.training.state_file.keras2_state import Keras2State
from weightkit.training.state_file.keras3_state import Keras3State
from weightkit.training.state_file.stand_in import class_of
from weightkit.training.state_file.trainable_weights import trainable_weights

if TYPE_CHECKING:
    from weightkit.access import FileStore

_UNTOLD = "the file does not say which optimizer it is of: {} is assumed, with the settings that it has here"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of an optimizer in a file."""

    manifest: Manifest
    differences: tuple[str, ...]
    """How its optimizer differs from the live one, a sentence each."""
    notes: tuple[str, ...] = ()
    has_seeds: bool = True
    """Whether it has the state of the layers' seed generators."""


def read_checkpoint(model: Any, store: FileStore, *, skip: bool) -> Checkpoint:
    """What a file says about the optimizer of a model.

    Args:
        model: The compiled model, for the class of its optimizer and for its weights.
        store: The open file.
        skip: Whether an optimizer of another class is told in ``differences`` instead of refused.

    Raises:
        UnsupportedFileError: It has no state of an optimizer, or it cannot be told which variable is which.
        RequestError: Its optimizer is of another class.
    """
    found = store.manifest
    if isinstance(found, Manifest):
        here = type(model.optimizer).__name__
        return Checkpoint(found, _differences(found.optimizer_class, found.config, here, model.optimizer))
    if not isinstance(found, SavedOptimizer) or not found.variables:
        raise UnsupportedFileError(
            f"the file must hold the state of an optimizer, got {store.format} without one",
            hint="use a file that save_optimizer_state wrote, or one that Keras saved with an optimizer",
            file=store.label,
        )
    try:
        return _of_keras(model, store, found, skip=skip)
    except (UnsupportedFileError, RequestError) as error:
        raise error.about(store.label) from error.__cause__


def _of_keras(model: Any, store: FileStore, saved: SavedOptimizer, *, skip: bool) -> Checkpoint:
    live = model.optimizer
    here = type(live).__name__
    there = here if saved.config is None else class_of(saved.config)
    if there != here and not skip:
        raise RequestError(
            f"the optimizer's state in the file does not fit: {_other_class(there, here)}",
            hint=f"compile the model with {there}",
        )
    weights = trainable_weights(model, store, saved)
    notes = (_UNTOLD.format(here),) if saved.config is None else ()
    version = store.keras_version or ""
    if version.startswith("3") or not (saved.names or version):
        config = "" if saved.config is None else json.dumps(saved.config)
        manifest = Keras3State(saved, weights, live).manifest(there, config)
    else:
        manifest = Keras2State(saved, weights, store, live).manifest(there)
    return Checkpoint(manifest, _differences(there, manifest.config, here, live), notes, has_seeds=False)


def _differences(there: str, config: str, here: str, live: Any) -> tuple[str, ...]:
    return (_other_class(there, here),) if there != here else differences(config, configuration_of(live))


def _other_class(there: str, here: str) -> str:
    return f"the optimizer is a {there} in the file and a {here} here"

"""Compiled models that hold the same weights as another one: their training changes with its flags."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

from weightkit.training.model.census import CENSUS
from weightkit.training.model.compile_arguments import is_compiled
from weightkit.training.model.model_view import is_batch_norm

if TYPE_CHECKING:
    from collections.abc import Iterator

    Training = tuple[tuple[int, ...], tuple[tuple[int, bool], ...]]


class Holders:
    """The compiled models beside a model, and what each of them trains now."""

    def __init__(self, model: Any) -> None:
        """Look at all compiled models but this one; none of them is kept alive."""
        self._before = [(weakref.ref(one), training_of(one)) for one in compiled_models() if one is not model]

    def changed(self) -> list[Any]:
        """Those that train other weights now, or update the statistics of other layers."""
        if any(True for _ in self._changed()):
            # A model that only refers to itself is gone for its user: it must be neither named nor compiled.
            gc.collect()
        return list(self._changed())

    def _changed(self) -> Iterator[Any]:
        for reference, before in self._before:
            model = reference()
            if model is not None and training_of(model) != before:
                yield model


def training_of(model: Any) -> Training:
    """What a train function is made for: the weights that it trains, and whose moving statistics it updates.

    Returns:
        The ``id`` of each trained variable, and each BatchNormalization's ``id`` with its flag.
    """
    normalizations = (layer for layer in model._flatten_layers() if is_batch_norm(layer))  # noqa: SLF001
    trained = tuple(id(variable) for variable in model.trainable_variables)
    return trained, tuple((id(layer), bool(layer.trainable)) for layer in normalizations)


def compiled_models() -> list[Any]:
    """All compiled models that are alive."""
    return [one for one in CENSUS.models() if is_compiled(one)]

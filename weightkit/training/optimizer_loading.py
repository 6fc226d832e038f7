"""From a file to a live optimizer: what goes where, what is missing, and all of it or nothing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.formats.optimizer_state import Manifest
from weightkit.access.live.handles import handle_of, writable
from weightkit.access.live.undo import UndoLog
from weightkit.access.matching import match
from weightkit.access.open import open_weights
from weightkit.errors import RequestError, UnsupportedFileError
from weightkit.training.compiled import scope_of
from weightkit.training.findings import listed
from weightkit.training.memory import OwnerMemory
from weightkit.training.objects import ObjectStates
from weightkit.training.optimizer_differences import differences
from weightkit.training.optimizer_memory import SEED_KEPT_BY, Addresses, configuration_of, memory_of
from weightkit.training.optimizer_report import OptimizerState
from weightkit.training.recompiling import set_slots_aside
from weightkit.training.slots import parts_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from weightkit.access.files.filestore import FileStore
    from weightkit.access.formats.optimizer_state import Kept
    from weightkit.access.ref import WeightRef
    from weightkit.training.optimizer_memory import Memory, OptimizerMemory


@dataclass(slots=True)
class _Loading:
    """What is to be set, and what is not."""

    store: FileStore
    values: list[tuple[str, Any, np.ndarray]] = field(default_factory=list)
    """What messages call it, the variable, its new values."""
    aside: dict[int, OwnerMemory] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    weights: int = 0
    seeds: int = 0

    def take(self, label: str, variable: Any, ref: WeightRef | None) -> bool:
        """Have a variable set to what lies in the file, if it fits."""
        if ref is None:
            self.missing.append(f"{label} is not in the file")
            return False
        values, wanted = self.store.read(ref), handle_of(variable)
        now = wanted.look(wanted.value())
        fitting = _as_type(values, now.dtype) if values.shape == now.shape else None
        if fitting is None:
            there, here = f"{values.dtype}{values.shape}", f"{now.dtype}{now.shape}"
            self.missing.append(f"{label} is {there} in the file and {here} here")
            return False
        self.values.append((label, variable, fitting))
        return True


def load(model: Any, path: str | os.PathLike[str], *, skip: bool) -> OptimizerState:
    """Do what `load_optimizer_state` says."""
    with open_weights(path) as store:
        manifest = store.manifest
        if not isinstance(manifest, Manifest):
            raise UnsupportedFileError(
                f"it is {store.format}, and no optimizer state in a file of its own",
                mend="give a file that save_optimizer_state wrote",
                file=store.label,
            )
        before = _built(model)
        try:
            return _loaded(model, store, manifest, skip=skip)
        except BaseException:
            before.put_back()
            raise


@contextlib.contextmanager
def built_for_now(model: Any) -> Iterator[None]:
    """Have an optimizer built on what is trainable, which the first ``fit`` would do; afterwards it is as it was."""
    before = _built(model)
    try:
        yield
    finally:
        before.put_back()


def _built(model: Any) -> ObjectStates:
    """Build the optimizer where it is not; returns how it was."""
    before = ObjectStates([part.optimizer for part in parts_of(model.optimizer)], [])
    if not model.optimizer.built:
        try:
            with scope_of(model):
                model.optimizer.build(model.trainable_variables)
        except BaseException:
            before.put_back()
            raise
    return before


def _loaded(model: Any, store: FileStore, manifest: Manifest, *, skip: bool) -> OptimizerState:
    memory = memory_of(model)
    differing = _differences(model, manifest)
    loading = _Loading(store)
    for name, variable in memory.state.items():
        loading.take(f"optimizer/{name}", variable, manifest.state.get(name))
    state = len(loading.values)
    notes = _take_slots(loading, memory, manifest)
    if not skip and (differing or loading.missing):
        raise RequestError(
            f"the optimizer's state does not fit: {listed((*differing, *loading.missing))}",
            mend="give on_missing='skip' to load what fits, and leave the rest as it is",
            file=store.label,
        )
    _set_all(loading.values)
    if loading.aside:
        set_slots_aside(model, loading.aside)
    slots = len(loading.values) - state - loading.seeds
    return OptimizerState(
        memory.label, store.label, loading.weights, slots, state, loading.seeds, len(loading.aside),
        tuple(loading.missing), (*differing, *notes),
    )  # fmt: skip


def _differences(model: Any, manifest: Manifest) -> tuple[str, ...]:
    here = type(model.optimizer).__name__
    if manifest.optimizer_class != here:
        return (f"the optimizer is a {manifest.optimizer_class} in the file and a {here} here",)
    return differences(manifest.config, configuration_of(model.optimizer))


def _take_slots(loading: _Loading, memory: OptimizerMemory, manifest: Manifest) -> tuple[str, ...]:
    there = Addresses((kept.ref for kept in manifest.weights), ordered=manifest.ordered)
    pairs = match(memory.addresses, there).pairs if there and memory.weights else {}
    kept = {one.ref: one for one in manifest.weights}
    for weight in memory.weights:
        partner = pairs.get(weight.ref)
        _take_weight(loading, weight, None if partner is None else kept[partner])
    used = {ref.structure for ref in pairs.values()}
    unused = [one.ref.path for one in manifest.weights if one.slots and one.ref.structure not in used]
    return (f"{listed(unused)}: in the file, and in no weight here",) if unused else ()


def _take_weight(loading: _Loading, weight: Memory, kept: Kept | None) -> None:
    if not weight.slots:
        if kept is not None and kept.slots and kept.ref.shape == weight.ref.shape:
            slots = {name: loading.store.read(ref) for name, ref in kept.slots.items()}
            kind = next(iter(kept.kept_by.values()))
            loading.aside[id(weight.variable)] = OwnerMemory(weight.variable, kind, slots)
        return
    taken = []
    for name, variable in weight.slots.items():
        ref = None if kept is None or kept.ref.shape != weight.ref.shape else kept.slots.get(name)
        by = weight.kept_by[name]
        if ref is not None and kept is not None and kept.kept_by[name] != by:
            ref = None
        taken.append(loading.take(f"{weight.ref.path} ({name} of {by})", variable, ref))
    if SEED_KEPT_BY in weight.kept_by.values():
        loading.seeds += any(taken)
    else:
        loading.weights += any(taken)


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """The same values in another type of integers, where it holds them; None where the types do not fit."""
    if values.dtype == dtype:
        return values
    if values.dtype.kind not in "iu" or dtype.kind not in "iu":
        return None
    cast = values.astype(dtype)
    return cast if np.array_equal(cast, values) else None


def _set_all(values: list[tuple[str, Any, np.ndarray]]) -> None:
    log = UndoLog()
    try:
        for label, variable, array in values:
            handle = handle_of(variable)
            own = writable(array.size, array.dtype).reshape(array.shape)
            own[...] = array
            log.set(label, handle, handle.value(), own)
    except BaseException:
        log.undo()
        raise

"""From a file to a live optimizer: what goes where, what is missing, and all of it or nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access import match, open_weights
from weightkit.access.live import Manifest, handle_of, owned, undone_on_error
from weightkit.errors import DamagedFileError, RequestError, UnsupportedFileError
from weightkit.text import listed
from weightkit.training.checking.object_states import ObjectStates
from weightkit.training.model.compile_arguments import require_compilable, scope_of
from weightkit.training.optimizer.parked_slots import set_slots_aside
from weightkit.training.optimizer.recompiling import compile_with
from weightkit.training.optimizer.routing import TOGETHER, has_stepped, is_late_for, may_part, routes
from weightkit.training.optimizer.slots import parts_of
from weightkit.training.state_file.contents import Addresses, configuration_of, memory_of
from weightkit.training.state_file.differences import differences
from weightkit.training.state_file.optimizer_state import OptimizerState
from weightkit.training.state_file.slot_loading import Loading, slots_for

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from weightkit.access import FileStore
    from weightkit.training.state_file.contents import Memory, OptimizerMemory


def load(model: Any, path: str | os.PathLike[str], *, skip: bool, own_step: bool) -> OptimizerState:
    """Do what `load_optimizer_state` says."""
    with open_weights(path) as store:
        manifest = store.manifest
        if not isinstance(manifest, Manifest):
            raise UnsupportedFileError(
                f"it is {store.format}, and no optimizer state in a file of its own",
                hint="give a file that save_optimizer_state wrote",
                file=store.label,
            )
        before = _built(model)
        try:
            return _loaded(model, store, manifest, skip=skip, own_step=own_step)
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


def _loaded(model: Any, store: FileStore, manifest: Manifest, *, skip: bool, own_step: bool) -> OptimizerState:
    memory = memory_of(model)
    differing = _differences(model, manifest)
    loading = Loading(store, began=not any(has_stepped(part.optimizer) for part in parts_of(model.optimizer)))
    for name, variable in memory.state.items():
        loading.take(f"optimizer/{name}", variable, manifest.state.get(name))
    state = len(loading.values)
    _require_possible(loading.values, store.label)
    notes = _take_slots(model, loading, memory, manifest)
    if not skip and (differing or loading.missing):
        raise RequestError(
            f"the optimizer's state does not fit: {listed((*differing, *loading.missing))}",
            hint="give on_missing='skip' to load what fits, and leave the rest as it is",
            file=store.label,
        )
    late = _set(model, loading, own_step=own_step)
    return OptimizerState(
        memory.label, store.label, loading.weights, loading.slots, state, loading.seeds, len(loading.aside),
        tuple(loading.missing), (*differing, *notes, *late),
    )  # fmt: skip


def _require_possible(state: list[tuple[str, Any, np.ndarray]], file: str) -> None:
    """Refuse a count of steps below zero, and rates that are no rates: one step more would spoil every weight."""
    for label, _, values in state:
        is_rate = label.rpartition("/")[2] == "learning_rate"
        is_count = values.dtype.kind in "iu"
        if (is_count and (values < 0).any()) or (is_rate and not (np.isfinite(values) & (values >= 0)).all()):
            raise DamagedFileError(f"{label} is {values.tolist()}", hint="use another copy of the file", file=file)


def _set(model: Any, loading: Loading, *, own_step: bool) -> tuple[str, ...]:
    """Set all that is to be set, or nothing; returns what is to be told of weights that begin late."""
    with undone_on_error() as log:
        for label, variable, values in loading.values:
            handle = handle_of(variable)
            log.set(label, handle, handle.value(), owned(values))
        notes = _begin_late(model, loading.left, own_step=own_step)
        if loading.aside:
            set_slots_aside(model, loading.aside)
    return notes


def _begin_late(model: Any, left: list[Memory], *, own_step: bool) -> tuple[str, ...]:
    """Tell of weights without slots at a step count that goes on, and let them count their own steps if asked to."""
    late = [
        (weight, by)
        for weight, by in zip(left, routes(model.optimizer, [one.variable for one in left]), strict=True)
        if is_late_for(by)
    ]
    apart = [weight for weight, by in late if own_step and may_part(by)]
    notes = []
    if apart:
        require_compilable(model)
        compile_with(model, anew=frozenset(id(weight.variable) for weight in apart))
        notes.append(
            f"{listed([one.ref.path for one in apart])}: nothing that fits in the file; they begin anew and count "
            "their own steps, in a MultiOptimizer, which has no learning_rate of its own"
        )
    shared = [weight.ref.path for weight, by in late if not (own_step and may_part(by))]
    if shared:
        hint = TOGETHER if own_step else 'unfrozen_slots="own_step" lets them begin anew and count their own'
        notes.append(
            f"{listed(shared)}: nothing that fits in the file, whose step count goes on: their first steps may be "
            f"several times the learning rate ({hint})"
        )
    return tuple(notes)


def _differences(model: Any, manifest: Manifest) -> tuple[str, ...]:
    here = type(model.optimizer).__name__
    if manifest.optimizer_class != here:
        return (f"the optimizer is a {manifest.optimizer_class} in the file and a {here} here",)
    return differences(manifest.config, configuration_of(model.optimizer))


def _take_slots(model: Any, loading: Loading, memory: OptimizerMemory, manifest: Manifest) -> tuple[str, ...]:
    there = Addresses((kept.ref for kept in manifest.weights), ordered=manifest.ordered)
    pairs = match(memory.addresses, there).pairs if there and memory.weights else {}
    kept = {one.ref: one for one in manifest.weights}
    frozen = []
    for weight in memory.weights:
        partner = kept[pairs[weight.ref]] if weight.ref in pairs else None
        if weight.slots:
            loading.take_trained(weight, partner)
        elif partner is not None and partner.slots:
            frozen.append((weight, partner))
    known = slots_for(model, [weight.variable for weight, _ in frozen])
    for weight, partner in frozen:
        loading.take_frozen(weight, partner, *known[id(weight.variable)])
    used = {ref.structure for ref in pairs.values()}
    unused = [one.ref.path for one in manifest.weights if one.slots and one.ref.structure not in used]
    return (f"{listed(unused)}: in the file, and in no weight here",) if unused else ()

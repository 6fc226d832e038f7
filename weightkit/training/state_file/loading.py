"""Load a file into a live optimizer: completely, or not at all."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access import match, open_weights
from weightkit.access.live import handle_of, owned, undone_on_error
from weightkit.errors import DamagedFileError, RequestError
from weightkit.restore_on_error import restore_on_error
from weightkit.text import listed
from weightkit.training.checking.object_states import ObjectStates
from weightkit.training.model.compile_arguments import require_compilable, scope_of
from weightkit.training.optimizer.parked_slots import add_parked_slots
from weightkit.training.optimizer.recompiling import compile_with
from weightkit.training.optimizer.routing import CANNOT_SPLIT, can_split, has_stepped, needs_own_steps, routes
from weightkit.training.optimizer.slots import parts_of
from weightkit.training.state_file.checkpoint import read_checkpoint
from weightkit.training.state_file.contents import Addresses, contents_of
from weightkit.training.state_file.optimizer_state import OptimizerState
from weightkit.training.state_file.slot_loading import Loading, slots_for

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from weightkit.access import FileStore
    from weightkit.training.state_file.checkpoint import Checkpoint
    from weightkit.training.state_file.contents import OptimizerContents, WeightSlots

_SEEDS = "seed generators stay as they are: a file of Keras has their states, if at all, among the weights"


def load(model: Any, path: str | os.PathLike[str], *, skip: bool, own_steps: bool) -> OptimizerState:
    """Load a file, as `load_optimizer_state` describes."""
    with open_weights(path) as store:
        checkpoint = read_checkpoint(model, store, skip=skip)
        # The file is one to load from here on; until then nothing is built.
        before = _build(model)
        with restore_on_error(before.put_back):
            return _load(model, store, checkpoint, skip=skip, own_steps=own_steps)


@contextlib.contextmanager
def built_for_now(model: Any) -> Iterator[None]:
    """Build the optimizer for what is trainable, as the first ``fit`` does; at the end it is as it was before."""
    before = _build(model)
    try:
        yield
    finally:
        before.put_back()


def _build(model: Any) -> ObjectStates:
    """Build the optimizer if it is not built; returns its state before."""
    before = ObjectStates([part.optimizer for part in parts_of(model.optimizer)], [])
    if not model.optimizer.built:
        with restore_on_error(before.put_back), scope_of(model):
            model.optimizer.build(model.trainable_variables)
    return before


def _load(model: Any, store: FileStore, checkpoint: Checkpoint, *, skip: bool, own_steps: bool) -> OptimizerState:
    contents, manifest, differing = contents_of(model), checkpoint.manifest, checkpoint.differences
    loading = Loading(store, is_new=not any(has_stepped(part.optimizer) for part in parts_of(model.optimizer)))
    for name, variable in contents.state.items():
        loading.take(f"optimizer/{name}", variable, manifest.state.get(name))
    # Counted here, since the values of slots are added to the same list.
    state = len(loading.values)
    _require_valid_state(loading.values, store.label)
    notes = (*checkpoint.notes, *_match_slots(model, loading, contents, checkpoint))
    if not skip and (differing or loading.missing):
        raise RequestError(
            f"the optimizer's state in the file does not fit: {listed((*differing, *loading.missing))}",
            hint="pass on_missing='skip' to load what fits and leave the rest as it is",
            file=store.label,
        )
    late = _set(model, loading, own_steps=own_steps)
    return OptimizerState(
        contents.label, store.label, loading.weights, loading.slots, state, loading.seeds, len(loading.parked),
        tuple(loading.missing), (*differing, *notes, *late),
    )  # fmt: skip


def _require_valid_state(state: list[tuple[str, Any, np.ndarray]], file: str) -> None:
    """Refuse a negative step count and an invalid learning rate: the next step would ruin every weight."""
    for label, _, values in state:
        is_rate = label.rpartition("/")[2] == "learning_rate"
        is_count = values.dtype.kind in "iu"
        if (is_count and (values < 0).any()) or (is_rate and not (np.isfinite(values) & (values >= 0)).all()):
            wanted = "a finite number >= 0" if is_rate else "an integer >= 0"
            problem = f"{label} must be {wanted}, got {values.tolist()}"
            raise DamagedFileError(problem, hint="use another copy of the file", file=file)


def _set(model: Any, loading: Loading, *, own_steps: bool) -> tuple[str, ...]:
    """Set all loaded values, or none; returns notes on weights that start at a large step count."""
    with undone_on_error() as log:
        for label, variable, values in loading.values:
            handle = handle_of(variable)
            log.set(label, handle, handle.value(), owned(values))
        # Inside the log: where compiling again fails, the values are undone too.
        notes = _start_without_slots(model, loading.without_slots, own_steps=own_steps)
        if loading.parked:
            add_parked_slots(model, loading.parked)
    return notes


def _start_without_slots(model: Any, weights: list[WeightSlots], *, own_steps: bool) -> tuple[str, ...]:
    """Note weights without slots at a large step count, and let them count their own steps if asked to."""
    late = [
        (weight, by)
        for weight, by in zip(weights, routes(model.optimizer, [one.variable for one in weights]), strict=True)
        if needs_own_steps(by)
    ]
    apart = [weight for weight, by in late if own_steps and can_split(by)]
    notes = []
    if apart:
        require_compilable(model)
        compile_with(model, reset=frozenset(id(weight.variable) for weight in apart))
        notes.append(
            f"{listed([one.ref.path for one in apart])}: no slots in the file that fit; they start from step 0 and "
            "count their own steps, in an optimizer of their own"
        )
    shared = [weight.ref.path for weight, by in late if not (own_steps and can_split(by))]
    if shared:
        hint = CANNOT_SPLIT if own_steps else 'step_count="separate" lets them count their own steps'
        notes.append(
            f"{listed(shared)}: no slots in the file that fit, at a large step count: their first steps may be "
            f"several times the learning rate ({hint})"
        )
    return tuple(notes)


def _match_slots(model: Any, loading: Loading, contents: OptimizerContents, checkpoint: Checkpoint) -> tuple[str, ...]:
    manifest = checkpoint.manifest
    there = Addresses((one.ref for one in manifest.weights), ordered=manifest.ordered)
    pairs = match(contents.addresses, there).pairs if there and contents.weights else {}
    saved = {one.ref: one for one in manifest.weights}
    frozen = []
    for weight in contents.weights:
        partner = saved[pairs[weight.ref]] if weight.ref in pairs else None
        if weight.slots and (checkpoint.has_seeds or not weight.is_seed):
            loading.take_trained(weight, partner)
        elif partner is not None and partner.slots:
            frozen.append((weight, partner))
    # All frozen weights at once: one trial optimizer for each inner one is enough.
    known = slots_for(model, [weight.variable for weight, _ in frozen])
    for weight, partner in frozen:
        loading.take_frozen(weight, partner, *known[id(weight.variable)])
    used = {ref.structure for ref in pairs.values()}
    unused = [one.ref.path for one in manifest.weights if one.slots and one.ref.structure not in used]
    notes = [f"{listed(unused)}: in the file, and matched by no weight of the model"] if unused else []
    if not checkpoint.has_seeds and any(weight.is_seed for weight in contents.weights):
        notes.append(_SEEDS)
    return tuple(notes)

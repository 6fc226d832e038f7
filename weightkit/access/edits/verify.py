"""Read a new file back before it replaces anything: unchanged weights are the same, changed ones are right."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.edits.arithmetic import transformed
from weightkit.access.edits.tiles import tiles
from weightkit.access.open import open_descriptor
from weightkit.access.store import ALL
from weightkit.errors import MachineError, RefusedError, UnsupportedFileError, WeightkitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.edits.transform import Edit
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore

_STEP = 1 << 20  # elements that are read at a time
_SHOWN = 3


@dataclass(slots=True)
class Verification:
    """How many weights were compared, and how."""

    untouched: int = 0
    """Weights whose digests are the same in both files."""
    changed: int = 0
    """Weights that were recomputed from the source, and are the same bit for bit."""
    structure_only: int = 0
    """Datasets whose values cannot be read: chunked structures, and datasets that were never written."""

    def to_dict(self) -> dict[str, int]:
        """As JSON."""
        return {"untouched": self.untouched, "changed": self.changed, "structure_only": self.structure_only}


def verified(edit: Edit, store: WeightStore, descriptor: int) -> Verification:
    """Compare a new file, known only by a descriptor, with what the edit makes of the source.

    Args:
        edit: The edit.
        store: The source.
        descriptor: The new file, which has no name yet.

    Raises:
        MachineError: A weight is wrong; nothing has been replaced.
    """
    try:
        with open_descriptor(descriptor, store.label) as written:
            return _compared(edit, store, written)
    except RefusedError as error:
        raise _failure(f"the new file cannot be read back: {error.problem}") from error


def _compared(edit: Edit, store: WeightStore, written: WeightStore) -> Verification:
    result, wrong = Verification(), list[str]()
    found = {ref.structure: ref for ref in written}
    sets_values = edit.transform.sets_values
    dropped = set() if sets_values else {ref.structure for ref in edit.chosen}
    changing = set(edit.chosen) if sets_values else set()
    for ref in store:
        new = found.pop(ref.structure, None)
        if new is None or ref.structure in dropped:
            right = new is None and ref.structure in dropped
        elif ref in changing:
            right = _is_recomputed(edit, store, ref, written, new)
            result.changed += 1
        else:
            right = _is_same(store, ref, written, new, result)
        if not right:
            wrong.append(ref.path)
    wrong += found  # what is left is in the new file only
    if wrong:
        raise _failure(f"{len(wrong)} weights are wrong in the new file: {', '.join(wrong[:_SHOWN])}")
    return result


def _failure(problem: str) -> WeightkitError:
    return MachineError(problem, hint="nothing was changed; check memory and disk, try again, and report it")


def _is_recomputed(edit: Edit, store: WeightStore, ref: WeightRef, written: WeightStore, new: WeightRef) -> bool:
    if new.shape != ref.shape:
        return False
    for span in tiles(edit.transform, ref):
        expected, found = transformed(edit.transform, ref, store.read(ref, span), span), written.read(new, span)
        # Compared as bytes: as numbers, NaN differs from itself.
        if expected.dtype != found.dtype or expected.tobytes() != found.tobytes():
            return False
    return True


def _is_same(store: WeightStore, ref: WeightRef, written: WeightStore, new: WeightRef, result: Verification) -> bool:
    if (ref.shape, ref.dtype) != (new.shape, new.dtype):
        return False
    digest = _digest(store, ref)
    if digest is None:
        result.structure_only += 1
    else:
        result.untouched += 1
    return digest == _digest(written, new)


def _digest(store: WeightStore, ref: WeightRef) -> bytes | None:
    digest = hashlib.blake2b(digest_size=32)
    try:
        for span in _steps(ref):
            digest.update(np.ascontiguousarray(store.read(ref, span)).reshape(-1).view(np.uint8).data)
    except UnsupportedFileError:
        return None
    return digest.digest()


def _steps(ref: WeightRef) -> Iterator[slice]:
    if ref.size <= _STEP:
        yield ALL
        return
    for first in range(0, ref.size, _STEP):
        yield slice(first, min(first + _STEP, ref.size))

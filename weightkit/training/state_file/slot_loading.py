"""What of a file goes into which slots of an optimizer: those of a weight that belong together all, or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import handle_of
from weightkit.training.model.compile_arguments import scope_of
from weightkit.training.optimizer.cloning import Clones
from weightkit.training.optimizer.memory import OwnerMemory, values_of
from weightkit.training.optimizer.routing import routes
from weightkit.training.optimizer.slots import ACCUMULATOR, AVERAGE, parts_of
from weightkit.training.state_file.contents import SEED_KEPT_BY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weightkit.access import FileStore, WeightRef
    from weightkit.access.live import Kept
    from weightkit.training.state_file.contents import Memory

_BY_THEMSELVES = {AVERAGE, ACCUMULATOR}
"""Slots that mean something without the others of their weight; an Adam's ``momentum`` over a ``velocity`` of zero
would be a step of any size."""


@dataclass(slots=True)
class Loading:
    """What is to be set, and what is not."""

    store: FileStore
    began: bool
    """Whether the live optimizer has taken no step yet: its averages hold nothing."""
    values: list[tuple[str, Any, np.ndarray]] = field(default_factory=list)
    """What messages call it, the variable, its new values."""
    aside: dict[int, OwnerMemory] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    left: list[Memory] = field(default_factory=list)
    """Weights that are trained and get no slots from the file."""
    weights: int = 0
    slots: int = 0
    """Of these weights, those that the file gives."""
    seeds: int = 0

    def take(self, label: str, variable: Any, ref: WeightRef | None) -> None:
        """Have a variable that belongs to no weight set to what lies in the file, if it fits."""
        found = self._fitting(label, variable, ref)
        if found is not None:
            self.values.append((label, variable, found))

    def take_trained(self, weight: Memory, kept: Kept | None) -> None:
        """Have the slots of a weight that is trained, or of a seed, set to those in the file."""
        found = self._slots(weight, weight.slots, weight.kept_by, kept)
        for name, values in found.items():
            self.values.append((_label(weight, name, weight.kept_by[name]), weight.slots[name], values))
        if SEED_KEPT_BY in weight.kept_by.values():
            self.seeds += bool(found)
            return
        self.weights += bool(found)
        self.slots += len(found)
        if not found.keys() - _BY_THEMSELVES and weight.slots.keys() - _BY_THEMSELVES:
            self.left.append(weight)
        if AVERAGE in weight.slots and AVERAGE not in found and self.began:  # at zero, it would become the weight
            label = _label(weight, AVERAGE, weight.kept_by[AVERAGE])
            self.values.append((label, weight.slots[AVERAGE], values_of(weight.variable)))

    def take_frozen(self, weight: Memory, kept: Kept, kind: str, slots: Mapping[str, Any]) -> None:
        """Have the slots in the file wait for a weight that is frozen now.

        Args:
            weight: The weight.
            kept: What the file has of it.
            kind: The class of the optimizer that would train it.
            slots: Such slots as that would keep for it, by name.
        """
        told = len(self.missing)
        found = self._slots(weight, slots, dict.fromkeys(slots, kind), kept)
        if found and (found.keys() - _BY_THEMSELVES or not slots.keys() - _BY_THEMSELVES):
            self.aside[id(weight.variable)] = OwnerMemory(weight.variable, kind, found)
        elif len(self.missing) == told and kept.slots:
            self.missing.append(f"{weight.ref.path}: a {kind} keeps no slots, and the file has {', '.join(kept.slots)}")

    def _slots(
        self, weight: Memory, slots: Mapping[str, Any], kept_by: Mapping[str, str], kept: Kept | None
    ) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name, variable in slots.items():
            label = _label(weight, name, kept_by[name])
            ref = None if kept is None else kept.slots.get(name)
            if ref is None or kept is None:
                self.missing.append(f"{label} is not in the file")
            elif kept.ref.shape != weight.ref.shape:
                self.missing.append(f"{label} is of a weight {kept.ref.shape} in the file and {weight.ref.shape} here")
            elif kept.kept_by[name] != kept_by[name]:
                self.missing.append(f"{label} was kept by {kept.kept_by[name] or 'nothing that is told'} in the file")
            else:
                values = self._fitting(label, variable, ref)
                found |= {} if values is None else {name: values}
        if slots.keys() - _BY_THEMSELVES - found.keys():
            for name in [name for name in found if name not in _BY_THEMSELVES]:
                del found[name]
                self.missing.append(f"{_label(weight, name, kept_by[name])} is of no use without the others")
        return found

    def _fitting(self, label: str, variable: Any, ref: WeightRef | None) -> np.ndarray | None:
        """The values in the file in a variable's own type; None where they do not fit, which is noted."""
        if ref is None:
            self.missing.append(f"{label} is not in the file")
            return None
        values, wanted = self.store.read(ref), handle_of(variable)
        now = wanted.look(wanted.value())
        fitting = _as_type(values, now.dtype) if values.shape == now.shape else None
        if fitting is None:
            there, here = f"{values.dtype}{values.shape}", f"{now.dtype}{now.shape}"
            self.missing.append(f"{label} is {there} in the file and {here} here")
        return fitting


def slots_for(model: Any, variables: Sequence[Any]) -> dict[int, tuple[str, dict[str, Any]]]:
    """What slots a model's optimizer would keep for weights that it does not train: those of a copy, for a look.

    Returns:
        By ``id`` of the weight, the class of the optimizer within it that would train the weight, and the slots.
    """
    groups: dict[int, tuple[Any, list[Any]]] = {}
    for variable, by in zip(variables, routes(model.optimizer, variables), strict=True):
        groups.setdefault(id(by), (by, []))[1].append(variable)
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    with scope_of(model):
        for by, members in groups.values():
            trial = Clones().again(by)
            trial.build(members)
            found |= {id(one): (type(by).__name__, {}) for one in members}
            for name, slots in parts_of(trial)[0].slots.items():
                for one, slot in zip(members, slots, strict=True):
                    found[id(one)][1].update({} if slot is None else {name: slot})
    return found


def _label(weight: Memory, name: str, kept_by: str) -> str:
    return f"{weight.ref.path} ({name} of {kept_by})"


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """The same values in another type of integers, where it holds them; None where the types do not fit."""
    if values.dtype == dtype:
        return values
    if values.dtype.kind not in "iu" or dtype.kind not in "iu":
        return None
    cast = values.astype(dtype)
    return cast if np.array_equal(cast, values) else None

"""Which values of a file go into which slots: the slots of a weight that belong together get all of them, or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import handle_of
from weightkit.training.model.compile_arguments import scope_of
from weightkit.training.optimizer.clones import Clones
from weightkit.training.optimizer.routing import routes
from weightkit.training.optimizer.slot_values import VariableSlots, values_of
from weightkit.training.optimizer.slots import ACCUMULATOR, AVERAGE, parts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weightkit.access import FileStore, WeightRef
    from weightkit.access.live import Kept
    from weightkit.training.state_file.contents import WeightSlots

_INDEPENDENT = {AVERAGE, ACCUMULATOR}
"""Slots that are valid without the other slots of their weight. Adam's ``momentum`` is not: with a ``velocity`` of
zero, its next step would be huge."""


@dataclass(slots=True)
class Loading:
    """What will be set, and what is missing."""

    store: FileStore
    is_new: bool
    """Whether the live optimizer has taken no step yet, so that its moving averages are zero."""
    values: list[tuple[str, Any, np.ndarray]] = field(default_factory=list)
    """What messages call it, the variable, and its new values."""
    parked: dict[int, VariableSlots] = field(default_factory=dict)
    """Slots to park, by ``id`` of the frozen weight's variable."""
    missing: list[str] = field(default_factory=list)
    """What is not loaded, with the reason, a sentence each."""
    without_slots: list[WeightSlots] = field(default_factory=list)
    """Trained weights that get no slots from the file."""
    weights: int = 0
    """How many weights get slots."""
    slots: int = 0
    """How many slots they get."""
    seeds: int = 0
    """How many seed generators are set."""

    def take(self, label: str, variable: Any, ref: WeightRef | np.ndarray | None) -> None:
        """Load a variable that belongs to no weight, if the value in the file fits."""
        found = self._fitting(label, variable, ref)
        if found is not None:
            self.values.append((label, variable, found))

    def take_trained(self, weight: WeightSlots, entry: Kept | None) -> None:
        """Load the slots of a trained weight, or the state of a seed generator."""
        found = self._slots(weight, weight.slots, weight.kept_by, entry)
        for name, values in found.items():
            self.values.append((_label(weight, name, weight.kept_by[name]), weight.slots[name], values))
        if weight.is_seed:
            self.seeds += bool(found)
            return
        self.weights += bool(found)
        self.slots += len(found)
        if not found.keys() - _INDEPENDENT and weight.slots.keys() - _INDEPENDENT:
            self.without_slots.append(weight)
        if (
            AVERAGE in weight.slots and AVERAGE not in found and self.is_new
        ):  # at zero, Keras would overwrite the weight with it
            label = _label(weight, AVERAGE, weight.kept_by[AVERAGE])
            self.values.append((label, weight.slots[AVERAGE], values_of(weight.variable)))

    def take_frozen(self, weight: WeightSlots, entry: Kept, kind: str, slots: Mapping[str, Any]) -> None:
        """Park the slots in the file for a weight that is frozen now.

        Args:
            weight: The weight.
            entry: Its entry in the file.
            kind: The class of the optimizer that trains it when it is unfrozen.
            slots: The slots that this optimizer would have for it, by name.
        """
        before = len(self.missing)
        found = self._slots(weight, slots, dict.fromkeys(slots, kind), entry)
        if found and (found.keys() - _INDEPENDENT or not slots.keys() - _INDEPENDENT):
            self.parked[id(weight.variable)] = VariableSlots(weight.variable, kind, found)
        # `_slots` has not said why, as this optimizer would have no slots for the weight.
        elif len(self.missing) == before and entry.slots:
            self.missing.append(f"{weight.ref.path}: {kind} has no slots, and the file has {', '.join(entry.slots)}")

    def _slots(
        self, weight: WeightSlots, slots: Mapping[str, Any], kept_by: Mapping[str, str], entry: Kept | None
    ) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name, variable in slots.items():
            label = _label(weight, name, kept_by[name])
            ref = None if entry is None else entry.slots.get(name)
            if ref is None or entry is None:
                self.missing.append(f"{label} is not in the file")
            elif entry.ref.shape != weight.ref.shape:
                self.missing.append(
                    f"{label} is of a weight of shape {entry.ref.shape} in the file and {weight.ref.shape} here"
                )
            elif entry.kept_by[name] != kept_by[name]:
                self.missing.append(f"{label} is of {entry.kept_by[name] or 'an unknown optimizer'} in the file")
            else:
                values = self._fitting(label, variable, ref)
                found |= {} if values is None else {name: values}
        if slots.keys() - _INDEPENDENT - found.keys():
            for name in [name for name in found if name not in _INDEPENDENT]:
                del found[name]
                self.missing.append(
                    f"{_label(weight, name, kept_by[name])} is not loaded without the other slots of the weight"
                )
        return found

    def _fitting(self, label: str, variable: Any, ref: WeightRef | np.ndarray | None) -> np.ndarray | None:
        """The values in the file in the variable's dtype; None where they do not fit, which is noted in ``missing``."""
        if ref is None:
            self.missing.append(f"{label} is not in the file")
            return None
        values, wanted = ref if isinstance(ref, np.ndarray) else self.store.read(ref), handle_of(variable)
        now = wanted.look(wanted.value())
        fitting = _as_type(values, now.dtype) if values.shape == now.shape else None
        if fitting is None:
            there, here = f"{values.dtype}{values.shape}", f"{now.dtype}{now.shape}"
            self.missing.append(f"{label} is {there} in the file and {here} here")
        return fitting


def slots_for(model: Any, variables: Sequence[Any]) -> dict[int, tuple[str, dict[str, Any]]]:
    """The slots that a model's optimizer would have for weights that it does not train, from a copy built on them.

    Returns:
        By ``id`` of the weight's variable, the class of the inner optimizer that would train it, and the slots.
    """
    groups: dict[int, tuple[Any, list[Any]]] = {}
    for variable, by in zip(variables, routes(model.optimizer, variables), strict=True):
        groups.setdefault(id(by), (by, []))[1].append(variable)
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    with scope_of(model):
        for by, members in groups.values():
            # Only a built optimizer has slots, and the live one must not be built a second time.
            trial = Clones().another(by)
            trial.build(members)
            found |= {id(one): (type(by).__name__, {}) for one in members}
            for name, slots in parts_of(trial)[0].slots.items():
                for one, slot in zip(members, slots, strict=True):
                    found[id(one)][1].update({} if slot is None else {name: slot})
    return found


def _label(weight: WeightSlots, name: str, kept_by: str) -> str:
    return f"{weight.ref.path} ({name} of {kept_by})"


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """The same values in another integer dtype, where it can represent them; None where the dtypes differ otherwise."""
    if values.dtype == dtype:
        return values
    if values.dtype.kind not in "iu" or dtype.kind not in "iu":
        return None
    # Keras' step count is int64 on TensorFlow, int32 on JAX and PyTorch.
    cast = values.astype(dtype)
    return cast if np.array_equal(cast, values) else None

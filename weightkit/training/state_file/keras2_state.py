"""The optimizer's state in a legacy file of Keras 2: slots by their names or their order, in Keras 3's terms."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import Kept, Manifest, handle_of
from weightkit.errors import UnsupportedFileError
from weightkit.training.state_file.contents import configuration_of
from weightkit.training.state_file.keras2_names import ORDER, RATES, SLOTS, STEPS
from weightkit.training.state_file.keras2_settings import in_keras3, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weightkit.access import FileStore, WeightRef
    from weightkit.access.live import SavedOptimizer
    from weightkit.training.state_file.trainable_weights import TrainableWeights

_NAMELESS = re.compile(r"(.*/)?Variable(_\d+)?")
_OUTPUT = re.compile(r":\d+$")
_SORTED_BEFORE = (2, 0, 9)
"""Before this version, Keras listed the trained weights by their names; 2.0.9 is the first seen that does not."""
_HINT = "go on training in the version of Keras that saved the file"


class Keras2State:
    """Finds the slots in a file of Keras 2."""

    def __init__(self, saved: SavedOptimizer, weights: TrainableWeights, store: FileStore, live: Any) -> None:
        """Take what the file says, its weights that can be trained, and the live optimizer."""
        self._saved, self._weights, self._store, self._live = saved, weights, store, live
        self._variables = dict(zip((_OUTPUT.sub("", name) for name in saved.names), saved.variables, strict=False))
        self._settings = settings_of(saved.config)

    def manifest(self, optimizer_class: str) -> Manifest:
        """The state by the addresses of the file's own weights, with the names of Keras 3.

        Raises:
            UnsupportedFileError: Its numbers mean something else in Keras 3, or it cannot be told which is which.
        """
        self._require_convertible(optimizer_class)
        slots = self._by_names(optimizer_class) or self._by_order(optimizer_class)
        if slots is None:
            raise UnsupportedFileError(
                f"it cannot be told which of its {len(self._weights.refs)} weights the {len(self._variables)} "
                f"variables of its {optimizer_class} belong to",
                hint=_HINT,
            )
        kept = [
            Kept(ref, found := slots.get(ref, {}), dict.fromkeys(found, optimizer_class)) for ref in self._weights.refs
        ]
        config = json.dumps(in_keras3(self._settings, json.loads(configuration_of(self._live) or "{}")))
        return Manifest(optimizer_class, config, self._weights.ordered, self._state(), tuple(kept))

    def _require_convertible(self, name: str) -> None:
        version = self._store.keras_version or "1"
        problem = ""
        if not self._saved.names:
            problem = f"the optimizer's variables in a file of Keras {version} have no names"
        elif version.startswith("1"):
            problem = f"the optimizer's state of Keras {version} is not converted"
        elif name not in SLOTS:
            problem = f"the state of {name} in Keras {version} is not converted to Keras 3"
        elif name == "Nadam" and not any(path.partition("/")[0] == "iteration" for path in self._variables):
            problem = f"Nadam of Keras {version} has another momentum schedule than Nadam of Keras 3"
        if problem:
            raise UnsupportedFileError(problem, hint=_HINT)

    def _by_names(self, name: str) -> dict[WeightRef, dict[str, WeightRef]] | None:
        """The slots, if each variable's name says which it is; else None."""
        owners: dict[str, WeightRef] = dict(zip(self._weights.paths, self._weights.refs, strict=True))
        if len(owners) < len(self._weights.refs):
            return None
        slots: dict[WeightRef, dict[str, WeightRef]] = {}
        for path, ref in self._of_weights():
            found = next(
                ((owners[of], SLOTS[name][slot]) for slot, of in _splits(path, SLOTS[name]) if of in owners), None
            )
            if found is None or found[1] in slots.get(found[0], {}) or ref.shape != found[0].shape:
                return None
            if self._is_used(found[1]):
                slots.setdefault(found[0], {})[found[1]] = ref
        return slots

    def _by_order(self, name: str) -> dict[WeightRef, dict[str, WeightRef]] | None:
        """The slots, if they have no names and only one order of the weights fits their shapes; else None."""
        if not all(_NAMELESS.fullmatch(path) for path, _ in self._of_weights()):
            return None
        variables = [ref for _, ref in self._of_weights()]
        found = [self._placed(owners, variables, ORDER.get(name, ())) for owners in self._orders()]
        fitting = [one for one in found if one is not None]
        return fitting[0] if len(fitting) == 1 else None

    def _orders(self) -> list[tuple[WeightRef, ...]]:
        trained = self._weights.trained
        if _version(self._store.keras_version) >= _SORTED_BEFORE:
            return [trained]
        paths = dict(zip(self._weights.refs, self._weights.paths, strict=True))
        return [*dict.fromkeys((trained, tuple(sorted(trained, key=paths.__getitem__))))]

    def _placed(
        self, owners: Sequence[WeightRef], variables: Sequence[WeightRef], order: Sequence[str]
    ) -> dict[WeightRef, dict[str, WeightRef]] | None:
        # Adam of 2.1.5 and later: `vhat` too, of one element each without amsgrad.
        names = (*order, "velocity_hat") if order == ORDER["Adam"] and len(variables) == 3 * len(owners) else order
        if not owners or len(variables) != len(names) * len(owners):
            return None
        slots: dict[WeightRef, dict[str, WeightRef]] = {owner: {} for owner in owners}
        for place, ref in enumerate(variables):
            turn, number = divmod(place, len(owners))
            if not self._is_used(names[turn]):
                continue
            if ref.shape != owners[number].shape:
                return None
            slots[owners[number]][names[turn]] = ref
        return slots

    def _of_weights(self) -> Iterator[tuple[str, WeightRef]]:
        """The optimizer's variables without the step count and the learning rate."""
        scalars = STEPS | RATES
        for path, ref in self._variables.items():
            if not (ref.shape == () and _stem(path) in scalars):
                yield path, ref

    def _is_used(self, slot: str) -> bool:
        """Whether the optimizer uses a slot that some versions save in any case."""
        if slot == "velocity_hat":
            return bool(self._settings.get("amsgrad"))
        return slot != "momentum" or self._settings.get("momentum", 1) != 0

    def _state(self) -> dict[str, WeightRef | np.ndarray]:
        state: dict[str, WeightRef | np.ndarray] = {}
        for path, ref in self._variables.items():
            if ref.shape == () and _stem(path) in STEPS:
                state["iteration"] = _whole(self._store.read(ref))
        rate = self._settings.get("learning_rate")
        live = self._live._learning_rate  # noqa: SLF001  # `learning_rate` is a number where this is a schedule
        if isinstance(rate, int | float) and hasattr(live, "assign"):
            handle = handle_of(live)
            state["learning_rate"] = np.asarray(rate, handle.look(handle.value()).dtype)
        return state


def _splits(path: str, slots: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Readings of a name as a slot and a weight's name: ``Adam/dense/kernel/m`` and ``Adam/m/dense/kernel``."""
    parts = path.split("/")
    if parts[-1] in slots:
        yield from ((parts[-1], "/".join(parts[start:-1])) for start in range(len(parts) - 1))
    yield from ((part, "/".join(parts[place + 1 :])) for place, part in enumerate(parts) if part in slots)


def _stem(path: str) -> str:
    """The last part without the number that a name got in a second graph: ``iterations`` for ``iterations_1``."""
    return re.sub(r"_\d+$", "", path.rpartition("/")[2])


def _whole(values: np.ndarray) -> np.ndarray:
    """A step count in floats, as Keras 2.0 saved it, as integers."""
    return values.astype(np.int64) if values.dtype.kind == "f" and np.isfinite(values).all() else values


def _version(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text or "")[:3])

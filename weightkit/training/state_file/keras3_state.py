"""The optimizer's state in a file of Keras 3: which variable is which slot of which weight."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from weightkit.access.live import Kept, Manifest
from weightkit.errors import UnsupportedFileError
from weightkit.training.state_file.stand_in import maker_of, roles_of
from weightkit.training.state_file.subsequences import only_subsequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access import WeightRef
    from weightkit.access.live import SavedOptimizer
    from weightkit.training.state_file.stand_in import Role
    from weightkit.training.state_file.trainable_weights import TrainableWeights

_HINT = "use a .keras file, which has the flags and the optimizer's configuration, or save_optimizer_state"


class Keras3State:
    """Finds the roles of the variables in a file: by their names, by the saved flags, or by their shapes."""

    def __init__(self, saved: SavedOptimizer, weights: TrainableWeights, live: Any) -> None:
        """Take what the file says, its weights that can be trained, and the live optimizer."""
        self._saved, self._weights = saved, weights
        self._make = maker_of(saved.config, live)

    def manifest(self, optimizer_class: str, config: str) -> Manifest:
        """The state by the addresses of the file's own weights.

        Raises:
            UnsupportedFileError: It cannot be told which variable is which.
        """
        owners, roles = self._found()
        state: dict[str, WeightRef] = {}
        slots: dict[str, dict[str, WeightRef]] = {}
        kept_by: dict[str, dict[str, str]] = {}
        for role, ref in roles:
            if role.owner is None:
                state[role.name] = ref
                continue
            owner = owners[role.owner].structure
            slots.setdefault(owner, {})[role.name] = ref
            kept_by.setdefault(owner, {})[role.name] = role.optimizer_class
        kept = (Kept(ref, slots.get(ref.structure, {}), kept_by.get(ref.structure, {})) for ref in self._weights.refs)
        return Manifest(optimizer_class, config, self._weights.ordered, state, tuple(kept))

    def _found(self) -> tuple[Sequence[WeightRef], list[tuple[Role, WeightRef]]]:
        named = self._by_names() if self._saved.names else None
        if named is not None:
            return self._weights.refs, named
        for owners in self._candidates():
            placed = self._by_position(owners)
            if placed is not None:
                return owners, placed
        raise self._refused()

    def _roles(self, owners: Sequence[WeightRef]) -> tuple[Role, ...]:
        return roles_of(self._make(), self._weights.with_paths(owners))

    def _by_names(self) -> list[tuple[Role, WeightRef]] | None:
        """Each variable by the name that an optimizer of all weights would give it; None where names do not tell."""
        refs = self._weights.refs
        roles = self._roles(refs)
        counts = Counter(role.path for role in roles)
        known = {role.path: role for role in roles if counts[role.path] == 1}
        pairs = list(zip(self._saved.names, self._saved.variables, strict=True))
        found = [(known.pop(name), ref) for name, ref in pairs if name in known]
        unnamed = [ref for name, ref in pairs if counts[name] != 1]
        state = [role for role in known.values() if role.owner is None]
        if len(unnamed) == len(state) == 1:  # Nadam's product has an automatic name: `variable_3`
            found.append((state[0], unnamed[0]))
        told = len(found) == len(pairs) and all(role.fits(ref, refs) for role, ref in found)
        return found if told and _have_slots(role for role, _ in found) == _have_slots(roles) else None

    def _by_position(self, owners: Sequence[WeightRef]) -> list[tuple[Role, WeightRef]] | None:
        roles, variables = self._roles(owners), self._saved.variables
        if len(roles) != len(variables):
            return None
        pairs = list(zip(roles, variables, strict=True))
        return pairs if all(role.fits(ref, owners) for role, ref in pairs) else None

    def _candidates(self) -> list[Sequence[WeightRef]]:
        """The weights that may have been trained: those of the flags, or those that the shapes allow alone."""
        if not self._weights.listed:
            return []
        return [self._weights.trained, *self._of_shapes()]

    def _of_shapes(self) -> list[Sequence[WeightRef]]:
        """The only weights that the shapes of the slots allow, as after a flag was changed without compiling."""
        refs = self._weights.refs
        if len(refs) <= 1:
            return [refs]
        one, two = self._roles(refs[:1]), self._roles(refs[:2])
        each = len(two) - len(one)
        count = (len(self._saved.variables) - len(one)) // each + 1 if each else 0
        if not 0 < count <= len(refs):
            return []
        shapes = self._first_slots(refs[:count])
        only = only_subsequence(shapes, [ref.shape for ref in refs]) if shapes else None
        return [] if only is None else [[refs[place] for place in only]]

    def _first_slots(self, owners: Sequence[WeightRef]) -> list[tuple[int, ...]]:
        """The shapes of the first slot of each weight, wherever it is, in the file."""
        roles, variables = self._roles(owners), self._saved.variables
        if len(roles) != len(variables):
            return []
        name = next(role.name for role in roles if role.owner is not None)
        return [ref.shape for role, ref in zip(roles, variables, strict=True) if role.name == name]

    def _refused(self) -> UnsupportedFileError:
        if len(self._saved.variables) <= len(self._make().variables):
            return UnsupportedFileError(
                "the optimizer in the file must have slots, and was saved before its first step",
                hint="train the model before it is saved",
            )
        return UnsupportedFileError(
            f"it cannot be told which of its {len(self._weights.refs)} weights the {len(self._saved.variables)} "
            "variables of its optimizer belong to",
            hint=_HINT,
        )


def _have_slots(roles: Iterable[Role]) -> bool:
    return any(role.owner is not None for role in roles)

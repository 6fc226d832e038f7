"""Where layers of a source are in a target, as the user says: ``rename``, ``source_at`` and ``target_at``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.matching.pairing import place_in_lists
from weightkit.access.matching.result import Match
from weightkit.access.matching.root import Root
from weightkit.access.matching.sides import Evidence
from weightkit.access.matching.told.addresses import Addresses
from weightkit.access.matching.told.at_layer import AtLayer, at_layer
from weightkit.access.matching.told.renamed import renamed
from weightkit.access.matching.told.renaming import Renaming
from weightkit.access.matching.told.settled import settled
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from weightkit.access.matching.align import Ordered
    from weightkit.access.matching.pairing import Pairs
    from weightkit.access.matching.result import Unlike
    from weightkit.access.ref import WeightRef

Known: TypeAlias = "dict[WeightRef, WeightRef]"
"""Weights under the addresses that they are matched by, each with the weight of the store that it is."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the user says.

    Raises:
        RequestError: One of these is of another type.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    """Addresses in the source to those in the target; the first that matches a weight counts."""
    source_at: str | None = None
    """The layer of the source that is loaded, in place of all of it."""
    target_at: str | None = None
    """The layer of the target that is filled, in place of all of it."""

    def __post_init__(self) -> None:
        for name in ("source_at", "target_at"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, str):
                raise RequestError(f"{name} must be the address of a layer, got {given!r}")
        items = self.rename.items() if isinstance(self.rename, Mapping) else [(self.rename, None)]
        if not all(isinstance(one, str) for item in items for one in item):
            raise RequestError(
                f"rename must map addresses in the source to those in the target, got {self.rename!r}",
                hint="give a dict, such as {'predictions': 'logits'}",
            )


class Sight:
    """Two stores as the user says that they are: what is left to match, and what is settled.

    Args:
        ours: All weights of the target.
        theirs: All weights of the source.
        told: What the user says.
        ordered: Whether the two know the order of their layers.
        roots: What the whole stores are as layers of a model.

    Raises:
        RequestError: There is no such layer, or two weights would have one address.
        SelectionError: An address is malformed.
    """

    def __init__(
        self,
        ours: Iterable[WeightRef],
        theirs: Iterable[WeightRef],
        told: Told,
        ordered: Ordered,
        roots: tuple[Root, Root] = (Root(),) * 2,
    ) -> None:
        here = _part(ours, told.target_at, "target_at", roots[0])
        there = _part(theirs, told.source_at, "source_at", roots[1])
        self.ours = here.weights
        """The weights of the target that are left to match."""
        self.theirs = there.weights
        """Those of the source."""
        self.roots = here.root, there.root
        """What the two are in their stores."""
        self.all = list(self.ours.values()), list(self.theirs.values())
        """All weights of the two that are looked at."""
        self.pairs: Pairs = {}
        """What is settled."""
        self.unlike: Unlike = ()
        """Layers that are settled to be one while their weights have other names."""
        self.evidence = Evidence()
        """What still says which of the others is which."""
        if told.rename:
            self._rename([Renaming(*entry) for entry in told.rename.items()], ordered)

    def _rename(self, entries: Sequence[Renaming], ordered: Ordered) -> None:
        new = renamed(Addresses(self.theirs), entries)
        found = settled(Addresses(self.ours), list(self.theirs), new, ordered)
        self.pairs, self.unlike = self.at_home(found.pairs), self.layers_at_home(found.unlike)
        self.evidence = Evidence(
            paths=all(one.is_placed or one.ref == ref for ref, one in new.items() if ref not in found.theirs),
            order=_places(self.ours, found.pairs, found.ours, ordered=ordered.ours)
            == _places(self.theirs, found.pairs.values(), found.theirs, ordered=ordered.theirs),
        )
        self.ours = {ref: home for ref, home in self.ours.items() if ref not in found.ours}
        self.theirs = {
            new[ref].ref if ref in new else ref: home for ref, home in self.theirs.items() if ref not in found.theirs
        }

    def at_home(self, pairs: Pairs) -> Pairs:
        """Pairs of these weights as those of the weights in their stores."""
        return {self.ours[a]: self.theirs[b] for a, b in pairs.items()}

    def layers_at_home(self, layers: Iterable[tuple[Sequence[WeightRef], Sequence[WeightRef]]]) -> Unlike:
        """The same for layers."""
        return tuple((tuple(self.ours[ref] for ref in a), tuple(self.theirs[ref] for ref in b)) for a, b in layers)


def _places(
    refs: Iterable[WeightRef], told: Iterable[WeightRef], gone: Container[WeightRef], *, ordered: bool
) -> list[int]:
    """How many of the weights that are left come before each one that is told."""
    before: dict[WeightRef, int] = {}
    left = 0
    for ref in refs if ordered else sorted(refs, key=place_in_lists):
        before[ref] = left
        left += ref not in gone and not Match.trains(ref) and not Match.is_counter(ref)
    return [before[ref] for ref in told]


def _part(refs: Iterable[WeightRef], layer: str | None, option: str, root: Root) -> AtLayer:
    if layer is None:
        return AtLayer({ref: ref for ref in refs}, root)
    return at_layer(Addresses(refs), layer, option)

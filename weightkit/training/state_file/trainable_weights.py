"""The weights of a checkpoint that an optimizer may have trained, in the order in which Keras lists them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind, match
from weightkit.errors import RequestError
from weightkit.training.optimizer.bare_optimizer import view_of
from weightkit.training.state_file.contents import Addresses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weightkit.access import FileStore, WeightRef
    from weightkit.access.live import SavedOptimizer


_LIST = "layers"
_INNER = ("query_dense", "key_dense", "value_dense", "output_dense", "forward_layer", "backward_layer")
"""Keys of the inner layers of Keras' attention layers and of Bidirectional, in the order in which Keras lists them."""


@dataclass(frozen=True, slots=True)
class TrainableWeights:
    """The weights of a file that can be trained."""

    refs: tuple[WeightRef, ...]
    paths: tuple[str, ...]
    """What Keras called each of them, as far as it is known: ``dense/kernel``."""
    ordered: bool
    """Whether the file has the order of its layers."""
    listed: bool
    """Whether they come in the order of ``model.trainable_variables``, in which Keras numbers an optimizer's slots."""

    @property
    def trained(self) -> tuple[WeightRef, ...]:
        """Those that were trained, by the flags in the configuration; without flags all."""
        return tuple(ref for ref in self.refs if ref.trainable is not False)

    def with_paths(self, refs: Sequence[WeightRef]) -> list[tuple[WeightRef, str]]:
        """Some of them, each with what Keras called it."""
        known = dict(zip(self.refs, self.paths, strict=True))
        return [(ref, known[ref]) for ref in refs]


def trainable_weights(model: Any, store: FileStore, saved: SavedOptimizer) -> TrainableWeights:
    """The weights of a file that can be trained.

    A file whose format does not say so gets the order and the kinds of its weights from the model's weights that
    match them.

    Raises:
        RequestError: The file needs the model for that, and the weights cannot be matched.
    """
    weights = [ref for ref in store if ref.kind is not Kind.OPTIMIZER]
    unknown = any(ref.kind is Kind.UNKNOWN for ref in weights)
    partners = _partners(model, store, weights, needed=unknown or not store.ordered)
    found = [ref for ref in weights if ref.kind is Kind.PARAMETER or (ref.kind is Kind.UNKNOWN and ref in partners)]
    if saved.names:  # a legacy file has the order of `layer.weights`
        listed = store.ordered
    elif store.ordered:
        found, listed = _with_inner_order(found, partners)
    else:
        found.sort(key=lambda ref: partners.get(ref, len(partners)))
        listed = all(ref in partners for ref in found)
    paths = tuple(_path(ref, saved.weight_names) for ref in found)
    return TrainableWeights(tuple(found), paths, store.ordered, listed)


def _with_inner_order(refs: list[WeightRef], partners: Mapping[WeightRef, int]) -> tuple[list[WeightRef], bool]:
    """The weights with those of each layer's inner layers in Keras' order, which a file sorts by attribute names.

    Returns:
        The weights, and whether the order of all is known.
    """
    found: list[WeightRef] = []
    known = True
    for _, group in itertools.groupby(refs, key=_listed_layer):
        block = list(group)
        if len({ref.owner for ref in block}) > 1:
            places = _places(block, partners)
            if places is None:
                known = False
            else:
                block.sort(key=places.__getitem__)
        found += block
    return found, known


def _listed_layer(ref: WeightRef) -> str:
    """The layer of a list of layers that has a weight: ``layers/bidirectional`` for what is in it."""
    parts = ref.owner.split("/")
    last = max((place for place, part in enumerate(parts) if part == _LIST), default=-1)
    return "/".join(parts[: last + 2])


def _places(block: list[WeightRef], partners: Mapping[WeightRef, int]) -> dict[WeightRef, tuple[int, ...]] | None:
    """The order of the weights of one layer: that of the model's own, else that of the known inner layers."""
    if all(ref in partners for ref in block):
        return {ref: (partners[ref],) for ref in block}
    turns = {ref: [_INNER.index(part) for part in ref.owner.split("/") if part in _INNER] for ref in block}
    return {ref: (*turn, ref.index) for ref, turn in turns.items()} if all(turns.values()) else None


def _partners(model: Any, store: FileStore, weights: list[WeightRef], *, needed: bool) -> Mapping[WeightRef, int]:
    """Weights of the file that match trainable weights of the model, each with its place in the model's own order."""
    view = view_of(model)
    places = {id(variable): place for place, variable in enumerate(model.variables)}
    try:
        pairs = match(Addresses(view.refs, ordered=view.ordered), Addresses(weights, ordered=store.ordered)).pairs
    except RequestError:
        if needed:
            raise
        return {}
    known = ((pairs.get(ref), places.get(id(variable))) for ref, variable in view.parameters.items())
    return {theirs: place for theirs, place in known if theirs is not None and place is not None}


def _path(ref: WeightRef, names: Mapping[str, str]) -> str:
    return names.get(ref.structure, ref.path).partition(":")[0]

"""Replace layers by others everywhere: in graphs, attributes, lists and dictionaries of every live model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras.src.ops.function import make_node_key

from weightkit.layers.parametrized.replacing.live_objects import LiveObjects, children_of, inside
from weightkit.layers.parametrized.replacing.places import Place, Places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TRACES = ("train_function", "test_function", "predict_function")


class Replacement:
    """Other layers in the stead of some: `apply` it, and `put_back` what was before.

    The others must be called in the same way. They get the calls of the replaced layers in graphs, so that the graphs
    are as before in all else. Models in which layers are replaced trace their functions again.
    """

    def __init__(self, live: LiveObjects, pairs: Sequence[tuple[Any, Any]]) -> None:
        """Find all places, and change nothing.

        Args:
            live: The objects that may hold the layers.
            pairs: Each layer, and the one that replaces it.

        Raises:
            RequestError: A model or layer holds a method of one of them.
        """
        self._pairs = pairs
        self._above = live.above(old for old, _ in pairs)
        self.models = [one for one in self._above if isinstance(one, keras.Model)]
        """Every live model in which a layer is replaced, at any depth."""
        renewed = {id(old): new for old, new in pairs}
        self._places = [*_attributes(live, renewed, pairs), *_calls(live, renewed, pairs)]
        self._places += [Place(vars(one), name, vars(one)[name], None) for one in self.models for name in _traced(one)]

    def apply(self) -> None:
        """Replace the layers."""
        for place in self._places:
            place.set()
        self._track()

    def put_back(self) -> None:
        """Undo it; also where `apply` did not reach its end."""
        for place in reversed(self._places):
            place.put_back()
        self._track()

    def _track(self) -> None:
        """On PyTorch, list the parameters of modules again that Keras lists in each."""
        for one in self._above:
            if "_torch_params" in vars(one).get("_modules", ()):
                one._track_variables()  # noqa: SLF001


def _traced(model: Any) -> list[str]:
    return [name for name in _TRACES if vars(model).get(name) is not None]


def _attributes(live: LiveObjects, renewed: Mapping[int, Any], pairs: Sequence[tuple[Any, Any]]) -> Iterator[Place]:
    """Where layers and models hold the replaced layers; what is in these or in the new ones holds them as before."""
    own = {key for pair in pairs for layer in pair for key in inside(layer)}
    places = Places(renewed)
    for one in live.operations:
        if id(one) not in own:
            places.search(one)
            yield from _tracked(one, renewed)
    yield from places.found


def _tracked(owner: Any, renewed: Mapping[int, Any]) -> Iterator[Place]:
    """The tracker knows its layers by ``id`` too."""
    for child in children_of(owner):
        numbers = owner._tracker.stored_ids["layers"]  # noqa: SLF001
        if id(child) in renewed and id(child) in numbers:
            yield Place(numbers, None, id(child), id(renewed[id(child)]))


def _calls(live: LiveObjects, renewed: Mapping[int, Any], pairs: Sequence[tuple[Any, Any]]) -> Iterator[Place]:
    """The records of calls of the replaced layers, in graphs."""
    for node in live.nodes:
        if id(node.operation) in renewed:
            yield Place(vars(node), "operation", node.operation, renewed[id(node.operation)])
    for tensor in live.tensors:
        history = getattr(tensor, "_keras_history", None)
        if history is not None and id(history.operation) in renewed:
            new = history._replace(operation=renewed[id(history.operation)])
            yield Place(vars(tensor), "_keras_history", history, new)
    for old, new in pairs:
        for name in ("_inbound_nodes", "_outbound_nodes"):
            ours, theirs = getattr(old, name), getattr(new, name)
            yield Place(theirs, slice(None), list(theirs), list(ours))
            yield Place(ours, slice(None), list(ours), [])
        yield from _keys(live, old, new)


def _keys(live: LiveObjects, old: Any, new: Any) -> Iterator[Place]:
    """The keys by which graphs know which calls are theirs."""
    graphs = [one._nodes for one in live.operations if isinstance(one, keras.Function)]  # noqa: SLF001
    for place in range(len(old._inbound_nodes)):  # noqa: SLF001
        key, changed = make_node_key(old, place), make_node_key(new, place)
        yield from (Place(nodes, None, key, changed) for nodes in graphs if key in nodes)

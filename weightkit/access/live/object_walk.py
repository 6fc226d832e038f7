"""The objects of a model, in the order and at the paths that Keras saves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.live.other_paths import OtherPaths
from weightkit.access.live.saving_rules import PLAIN, SavingRules
from weightkit.access.names import class_weights
from weightkit.access.names.keys import snake_case
from weightkit.builtin import defined_in
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class SavedObject:
    """One object that saves weights of its own: a model, a layer, an optimizer."""

    thing: Any
    path: str
    """``layers/dense_1``; empty for the object that was given."""
    layer: str | None
    """Names of the objects around it and its own, without the root's; None where an object has no name."""
    values: dict[str, Any]
    """What it saves, by key and in save order: variables, and values computed for the file."""
    around: tuple[str | None, ...] = ()
    """Classes of the objects in ``layer``; None for a part of a name that is not its last."""


@dataclass(frozen=True, slots=True)
class _Named:
    """Where an object is, by names."""

    path: str | None = ""
    classes: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class _Way:
    """A way from an object to one in it."""

    around: Any
    start: str
    """That object's path."""
    step: str
    """``layers/dense_1``, from there on."""

    @property
    def path(self) -> str:
        """Where it leads."""
        return f"{self.start}/{self.step}" if self.start else self.step

    def to(self, key: str) -> _Way:
        """The way on to a member of what it leads to."""
        return _Way(self.around, self.start, f"{self.step}/{key}")


class Walk:
    """One walk over an object and everything below it.

    Like ``saving_lib._save_state``: each object once, its own values first, then what its attributes hold; members of
    containers by class, numbered from the second on.
    """

    def __init__(self, root: Any) -> None:
        self._rules = SavingRules()
        self.visited: set[int] = set()
        """The ``id`` of each object that Keras saves, with or without values."""
        self.objects: list[SavedObject] = []
        """All objects that save something, in the order in which Keras saves them."""
        self.ordered = True
        """Whether that is the order of the layers; attributes of a custom class are sorted by name."""
        self.other_paths = OtherPaths()
        """Where else Keras looks for the objects."""
        self._object(root, "", _Named())

    def _object(self, thing: Any, path: str, above: _Named) -> None:
        if id(thing) in self.visited:
            return
        values = saved_values(thing)
        self.visited.add(id(thing))
        layer = _layer(thing, above, is_root=not path, has_values=bool(values))
        if values:
            self.objects.append(SavedObject(thing, path, layer.path, values, layer.classes))
        for attribute, child in _in_order(thing, self._rules.children(thing)):
            way = _Way(thing, path, attribute)
            count = len(self.objects)
            if self._rules.saves(child):
                self._member(child, way, layer)
            else:
                self._container(child, way, layer, set())
            if len(self.objects) > count and attribute != "layers" and not (is_builtin(thing) or is_optimizer(thing)):
                self.ordered = False

    def _member(self, thing: Any, way: _Way, above: _Named) -> None:
        self.other_paths.add(thing, way.around, way.step)
        self._object(thing, way.path, above)

    def _container(self, container: Any, way: _Way, above: _Named, seen: set[int]) -> None:
        held = container.values() if isinstance(container, dict) else container
        members = [member for member in held if type(member) not in PLAIN]
        if not members or id(container) in seen:
            return
        seen.add(id(container))
        used: dict[str, int] = {}
        for member in members:
            if self._rules.saves(member):
                key = _numbered(snake_case(type(member).__name__), used)
                self._member(member, way.to(key), above)
            elif self._rules.nests_containers and self._rules.matters(member):
                key = _numbered("container", used)
                self._container(member, way.to(key), above, seen)


def saved_values(thing: Any) -> dict[str, Any]:
    """What one object saves, by key: it saves into a dict instead of a file."""
    save = getattr(thing, "save_own_variables", None)
    if save is None:
        return {}
    if is_optimizer(thing) and defined_in(type(thing).save_own_variables):
        return {str(i): variable for i, variable in enumerate(thing.variables)}  # `save_own_variables` copies
    record: dict[str, Any] = {}
    if _is_unadapted(thing):
        return record
    try:
        save(record)
    except Exception as error:  # a user's own `save_own_variables` may fail in any way
        raise RequestError(
            f"the save_own_variables of {type(thing).__name__} '{getattr(thing, 'name', '')}' failed: "
            f"{type(error).__name__}: {error}",
            hint="Keras cannot save it either; give the other layers one by one, or a list of variables",
        ) from error
    return record


def _is_unadapted(thing: Any) -> bool:
    """Whether a lookup of Keras has no document frequencies yet, without which its `save_own_variables` fails."""
    lookup = getattr(thing, "_lookup_layer", thing)  # of a TextVectorization
    if getattr(lookup, "output_mode", None) != "tf_idf" or not defined_in(type(lookup).save_own_variables):
        return False
    return not hasattr(lookup, "idf_weights_const")


def is_optimizer(thing: Any) -> bool:
    """Whether an object that Keras saves is an optimizer."""
    return thing._obj_type() == "Optimizer"  # type: ignore[no-any-return]  # noqa: SLF001  # Keras has no other way


def is_builtin(thing: Any) -> bool:
    """Whether an object's class is Keras' own."""
    return defined_in(type(thing))


def _in_order(thing: Any, children: Iterator[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    """Bidirectional's layers in the order of files, forward first; Keras sorts them by name."""
    known = class_weights.find(type(thing).__name__) if is_builtin(thing) else None
    if known is None or len(known.wraps) < 2:  # noqa: PLR2004  # one is in order
        return children
    places = {attribute: place for place, attribute in enumerate(known.wraps)}
    return sorted(children, key=lambda child: places.get(child[0], len(places)))


def _layer(thing: Any, above: _Named, *, is_root: bool, has_values: bool) -> _Named:
    """The names around an object and its own; an object with neither name nor values is a list and adds nothing."""
    name = getattr(thing, "name", None)
    if is_root or above.path is None:
        return above
    if not isinstance(name, str) or not name:
        return _Named(None) if has_values else above
    path = f"{above.path}/{name}" if above.path else name
    return _Named(path, (*above.classes, *[None] * name.count("/"), type(thing).__name__))


def _numbered(name: str, used: dict[str, int]) -> str:
    if name not in used:
        used[name] = 0
        return name
    used[name] += 1
    return f"{name}_{used[name]}"

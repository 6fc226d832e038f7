"""Variables that a model trains or tracks, and Keras never saves.

Keras 3.15 saves what it finds in an object's attributes, in lists, tuples and dictionaries, and skips the names that
every layer has: sublayers in ``_layers`` or in a set are trained, and missing from every file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.live.live_refs import is_variable
from weightkit.builtin import defined_in
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.live.object_walk import Walk


@dataclass(frozen=True, slots=True, eq=False)
class Unsaved:
    """One variable that Keras never saves."""

    variable: Any
    layer: Any
    """The layer that made it."""
    holder: Any
    """The layer in which saving stops: the one around ``layer``, or ``layer`` itself where it leaves the variable out.
    """

    @property
    def path(self) -> str:
        """The variable's own path in Keras."""
        return str(self.variable.path)


def unsaved_variables(root: Any, walk: Walk) -> tuple[Unsaved, ...]:
    """The variables of a layer and everything below it that saving does not reach, each once.

    Seeds and metrics are no weights. A layer that computes what it saves, such as a kernel with LoRA merged in, is
    taken to save all of itself.

    Args:
        root: A model or a layer; anything else has none.
        walk: The walk over what Keras saves of it.
    """
    if not hasattr(root, "_layers"):  # an optimizer lists the weights of a model
        return ()
    known = {id(value) for saved in walk.objects for value in saved.values.values()}
    found = []
    for layer, holder in _Tree(walk).below(root):
        for variable in _left_out(layer) if layer is holder else _own(layer):
            if id(variable) not in known:
                known.add(id(variable))
                found.append(Unsaved(variable, layer, holder))
    return tuple(found)


def note_on_unsaved(unsaved: tuple[Unsaved, ...]) -> tuple[str, ...]:
    """One sentence for the user; none if everything is saved."""
    if not unsaved:
        return ()
    many = len(unsaved) > 1
    count = f"{len(unsaved)} weights are" if many else "1 weight is"
    names = listed(one.path for one in unsaved)
    return (f"{count} never saved by Keras, and so not in what is listed, compared or edited here: {names}",)


class _Tree:
    """The layers of a model as it trains them."""

    def __init__(self, walk: Walk) -> None:
        self._visited = walk.visited
        values = ((saved.thing, saved.values.values()) for saved in walk.objects)
        self._computing = {id(thing) for thing, all_ in values if not all(map(is_variable, all_))}

    def below(self, root: Any) -> Iterator[tuple[Any, Any]]:
        """Each layer from which a variable may be missing, with the layer in which saving stops."""
        seen: set[int] = set()
        stack = [(root, root)]
        while stack:
            layer, holder = stack.pop()
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            is_saved = id(layer) in self._visited
            holder = layer if is_saved else holder
            if not self._answers_for(holder, is_saved=is_saved):
                yield layer, holder
            stack.extend((child, holder) for child in reversed(getattr(layer, "_layers", ())))

    def _answers_for(self, holder: Any, *, is_saved: bool) -> bool:
        """Whether an object's own saving is taken to be whole: for itself, or for what is below it."""
        return id(holder) in self._computing and (is_saved or not _saves_as_keras(holder))


def _own(layer: Any) -> list[Any]:
    """The variables of a layer itself, without its seeds."""
    return [*getattr(layer, "_trainable_variables", ()), *getattr(layer, "_non_trainable_variables", ())]


def _left_out(layer: Any) -> list[Any]:
    """The variables that matter of a layer that saves itself: it may mean to leave out what is not trained."""
    return _own(layer) if _saves_as_keras(layer) else list(getattr(layer, "_trainable_variables", ()))


def _saves_as_keras(layer: Any) -> bool:
    save = getattr(type(layer), "save_own_variables", None)
    return save is None or defined_in(save)

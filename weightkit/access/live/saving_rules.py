"""Which parts of an object Keras saves, and in which order: the rules of the Keras that created the object.

Keras is never imported. A caller with a model has loaded it, so its rules are in ``sys.modules``.
"""

from __future__ import annotations

import inspect
import sys
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAVING, _SAVEABLE = "keras.src.saving.saving_lib", "keras.src.saving.keras_saveable"
_LISTED = ("Sequential", "Functional")
_CONTAINERS = (list, dict, tuple)
PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types of most members of containers: Keras saves nothing of them."""
_NEVER_SAVED = (FunctionType, BuiltinFunctionType, staticmethod, classmethod, type)


def is_saveable(thing: object) -> bool:
    """Whether Keras 3 would save this object: a model, a layer, an optimizer."""
    saveable = getattr(sys.modules.get(_SAVEABLE), "KerasSaveable", None)
    return saveable is not None and isinstance(thing, saveable)


class SavingRules:
    """What Keras' ``saving_lib`` does with an object's attributes (``_walk_saveable`` of Keras 3.5 to 3.15).

    Keras' function creates a new layer for every object, to see which attributes all layers have: 650 microseconds an
    object. Here that is done once per kind of object.
    """

    def __init__(self) -> None:
        self._saving: Any = sys.modules[_SAVING]
        self._saveable: Any = sys.modules[_SAVEABLE].KerasSaveable
        self._mattering = (self._saveable, *_CONTAINERS)
        self._answers: dict[type, tuple[bool, bool]] = {}
        self._skipped: dict[str, frozenset[str]] = {}
        self._of_class: dict[type, frozenset[str]] = {}
        self._names: dict[tuple[type, tuple[str, ...]], tuple[str, ...]] = {}
        container_state = self._saving._save_container_state  # noqa: SLF001  # its parameters show the version
        self.nests_containers: bool = "visited_containers" in container_state.__code__.co_varnames
        """Whether containers in containers are saved, as in later versions."""

    def saves(self, thing: object) -> bool:
        """Whether Keras saves an object found in an attribute or a container."""
        return self._answer(thing)[0]

    def matters(self, thing: object) -> bool:
        """Whether it is such an object, or may contain one."""
        return self._answer(thing)[1]

    def _answer(self, thing: object) -> tuple[bool, bool]:
        """Whether it is saved and whether it matters; cached by type, except where objects claim another class."""
        kind = type(thing)
        answer = self._answers.get(kind)
        if answer is None:
            answer = isinstance(thing, self._saveable), isinstance(thing, self._mattering)
            if thing.__class__ is kind:  # TensorFlow's trackable dictionaries claim to be dict
                self._answers[kind] = answer
        return answer

    def children(self, saveable: Any) -> Iterator[tuple[str, Any]]:
        """Objects and containers in the attributes of an object, in the order in which Keras saves them."""
        of_type = saveable._obj_type()  # noqa: SLF001  # Keras has no other way to ask
        if of_type in _LISTED:
            yield "layers", saveable.layers
        for name in self._attributes(saveable, of_type):
            try:
                child = getattr(saveable, name)
            except Exception:  # noqa: BLE001, S112  # as Keras does: a property may well fail
                continue
            saved, matters = self._answer(child)
            if matters and (saved or len(child) > 0):  # most containers of a layer are empty
                yield name, child

    def _attributes(self, saveable: Any, of_type: str) -> tuple[str, ...]:
        """The attributes to visit; objects of one class with equal attributes share the list."""
        if (
            getattr(type(saveable), "__dir__", None) is not object.__dir__
        ):  # PyTorch modules keep their members in other attributes
            return self._sorted(set(dir(saveable)), of_type)
        look = (type(saveable), tuple(vars(saveable)))
        names = self._names.get(look)
        if names is None:
            names = self._names[look] = self._sorted(vars(saveable).keys() | self._held_by(type(saveable)), of_type)
        return names

    def _sorted(self, names: set[str], of_type: str) -> tuple[str, ...]:
        left = names - self._skipped_of(of_type)
        return tuple(sorted((name for name in left if not name.startswith("__")), key=_private_last))

    def _held_by(self, kind: type) -> frozenset[str]:
        """Attributes of a class that may hold something other than methods."""
        held = self._of_class.get(kind)
        if held is None:
            names = (name for name in dir(kind) if not isinstance(inspect.getattr_static(kind, name), _NEVER_SAVED))
            held = self._of_class[kind] = frozenset(names)
        return held

    def _skipped_of(self, of_type: str) -> frozenset[str]:
        skipped = self._skipped.get(of_type)
        if skipped is None:
            skipped = self._skipped[of_type] = frozenset(self._saving.get_attr_skipset(of_type))
        return skipped


def _private_last(name: str) -> str:
    # As Keras sorts them: "~" comes after all letters.
    return f"~{name}" if name.startswith("_") else name

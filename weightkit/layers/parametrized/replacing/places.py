"""Where objects hold some things in their attributes, lists and dictionaries, and holding others in their stead."""

from __future__ import annotations

import contextlib
import functools
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.layers.parametrized.replacing.live_objects import is_operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FRAMEWORKS = frozenset(("builtins", "jax", "jaxlib", "keras", "numpy", "tensorflow", "torch"))
"""Packages whose own objects hold no layers of a user, apart from Keras' layers."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One place in a container, with what it holds before and after."""

    container: Any
    key: Any
    """A key, an index or a slice; nothing for a set."""
    before: Any
    after: Any

    def set(self) -> None:
        """Hold what comes after."""
        self._put(self.before, self.after)

    def put_back(self) -> None:
        """Hold what was before; it may be called several times, and where `set` was not called."""
        self._put(self.after, self.before)

    def _put(self, old: Any, new: Any) -> None:
        # By the methods of the plain types: those of Keras' own containers track every change, and refuse it in a
        # layer that is built.
        if isinstance(self.container, dict):
            dict.__setitem__(getattr(self.container, "__wrapped__", self.container), self.key, new)
        elif isinstance(self.container, set):
            set.discard(self.container, old)
            set.add(self.container, new)
        else:
            # TensorFlow's wrapper of a list has the members in `_storage`, and may have them as a list itself too.
            stored = getattr(self.container, "_storage", self.container)
            for one in (stored, self.container) if list.__len__(self.container) == len(stored) else (stored,):
                list.__setitem__(one, self.key, new)
        # TensorFlow refuses to save a wrapper that changed behind its back. Calling `tuple` does nothing.
        getattr(self.container, "_update_snapshot", tuple)()


class Places:
    """A search for the places where objects hold certain things."""

    def __init__(self, renewed: Mapping[int, Any]) -> None:
        """Search for things by ``id``, each with what is to be held in its stead."""
        self._renewed = renewed
        self._seen: set[int] = set()
        self.found: list[Place] = []

    def search(self, owner: Any) -> None:
        """Search the attributes of a layer or model, and what is in them; not the layers in it.

        Raises:
            RequestError: It holds a method or a function of one of the things, which nothing can replace.
        """
        self._seen.add(id(vars(owner)))
        waiting = [vars(owner), *_stores(owner)]
        while waiting:
            container = waiting.pop()
            for key, value in _items(container):
                self._require_no_method(owner, key, value)
                new = self._renew(value)
                if new is not value:
                    self.found.append(Place(container, key, value, new))
                for one in _containers(value):
                    if id(one) not in self._seen:
                        self._seen.add(id(one))
                        waiting.append(one)

    def _renew(self, value: Any) -> Any:
        """What is to be held in a value's stead; tuples are made again."""
        if id(value) in self._renewed:
            return self._renewed[id(value)]
        if not isinstance(value, tuple | frozenset):
            return value
        members = [self._renew(one) for one in value]
        if all(new is old for new, old in zip(members, value, strict=True)):
            return value
        kind: Any = type(value)  # that of TensorFlow's wrapper around a tuple takes a tuple
        if hasattr(kind, "_make"):
            return kind._make(members)
        return kind(frozenset(members) if isinstance(value, frozenset) else tuple(members))

    def _require_no_method(self, owner: Any, key: Any, value: Any) -> None:
        found = next((one for one in _bound(value) if id(one) in self._renewed), None)
        if found is not None:
            raise RequestError(
                f"{owner.name}: {key!r} must not hold a method or function of the layer {found.name!r}, which would go "
                "on using it as it was",
                hint="hold the layer, and call it",
            )


def _stores(owner: Any) -> Iterator[Any]:
    """What Keras 3.15 keeps in objects of its own: the layers that it tracks, and the arguments of ``compile``."""
    if hasattr(owner, "_tracker"):
        yield owner._tracker.config["layers"][1]  # noqa: SLF001
    if hasattr(owner, "_compile_config"):
        yield owner._compile_config.config  # noqa: SLF001


def _items(container: Any) -> list[tuple[Any, Any]]:
    if isinstance(container, dict):
        return list(container.items())
    return [(None, one) for one in container] if isinstance(container, set) else list(enumerate(container))


def _containers(value: Any) -> Iterator[Any]:
    """What in a value can hold other things and is to be searched: containers, and the attributes of plain objects."""
    if isinstance(value, dict | list | set):
        yield value
    elif isinstance(value, tuple | frozenset):
        for one in value:
            yield from _containers(one)
    elif _is_plain_object(value):
        yield vars(value)


def _is_plain_object(value: Any) -> bool:
    """Whether it is an object of a user's own class that Keras does not track."""
    kind = type(value)
    return (
        not is_operation(value)
        and kind.__module__.partition(".")[0] not in _FRAMEWORKS
        and not isinstance(value, type | types.ModuleType | types.FunctionType)
        and isinstance(getattr(value, "__dict__", None), dict)
    )


def _bound(value: Any) -> Iterator[Any]:
    """What a method, a partial function or another function uses, also by the name of a global variable."""
    if isinstance(value, functools.partial):
        yield from (*value.args, *value.keywords.values())
        yield from _bound(value.func)
    elif isinstance(value, types.MethodType):
        yield value.__self__
    elif isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # it is empty
                yield cell.cell_contents
        yield from (value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__)

"""Change JSON at random: wrong types, huge numbers, deep nesting, repeats, and parts in the wrong place."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_DEEP = 3000
_MANY = 2000
_GOES_DOWN = 0.85
_LARGEST_COPY = 20_000  # bytes of JSON, so that copies of copies stay small

NUMBERS = (
    0, 1, -1, 2, 7, 255, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64, -(2**63), 10**30, 10**300, 10**4200,
    -(10**4200), 0.0, -0.0, 0.5, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf,
)  # fmt: skip
TEXTS = (
    "", "/", "//", ".", "..", "a/b", "a//b", "/a", "a/", "_", "_1", "dense", "dense_1", "dense_1_1", "kernel",
    "kernel:0", "vars", "layers", "layer", "cell", "cells", "name", "0", "-1", "9" * 9, "9" * 10, "9" * 5000, "1e5",
    "٣", "²", "\0", "\x1b[2J", "\ud800", "\udcff", "\u202e", "\N{GRINNING FACE}", "a" * 300, "a" * 70_000, "/" * 3000,
    "a/" * 3000, "_1" * 3000, ":0" * 3000, "#2", "(", "[", "{", "*", "**", "re:(a+)+$", "Functional", "Sequential",
    "Bidirectional", "TimeDistributed", "Parametrized", "Custom>Dense", ">" * 3000, "keras", "weightkit.layers",
    "None", "float32", "|V2", "bfloat16", "true", "NaN", "\u3164", "\u0130", "ﬃ", "e\u0301" * 100,
)  # fmt: skip


def number(random: Random) -> Any:
    """A number that somebody may not have thought of."""
    return random.choice(NUMBERS)


def text(random: Random) -> str:
    """Such a text."""
    return random.choice(TEXTS)


def value(random: Random) -> Any:
    """Any such value."""
    fixed: tuple[Callable[[Random], Any], ...] = (lambda _: None, lambda _: True, lambda _: [], lambda _: {})
    kinds = (number, text, _container, *fixed)
    return random.choice(kinds)(random)


def _container(random: Random) -> Any:
    one = random.choice((number, text))(random)
    return random.choice(
        ([one], {text(random): one}, [[one]], [one] * random.choice((2, 33, _MANY)), nested(one, random))
    )


def nested(inner: Any, random: Random, depth: int | None = None) -> Any:
    """A value many levels down."""
    for _ in range(depth or random.choice((3, 70, 600, _DEEP))):
        inner = [inner] if random.random() < 0.5 else {random.choice(("config", "layers", "layer", "a")): inner}
    return inner


def spoiled(tree: Any, random: Random, times: int = 1) -> Any:
    """A JSON value with some places changed; it may be changed itself."""
    holder = [tree]
    for _ in range(times):
        container, key = _place(holder, random)
        random.choice(_CHANGES)(container, key, random, holder)
    return holder[0]


def _place(holder: list[Any], random: Random) -> tuple[Any, Any]:
    """A place somewhere in a tree: a container, and the key or index in it."""
    container: Any = holder
    key: Any = 0
    while True:
        inner = container[key]
        if not isinstance(inner, dict | list) or not inner or random.random() > _GOES_DOWN:
            return container, key
        container = inner
        key = random.choice(list(inner)) if isinstance(inner, dict) else random.randrange(len(inner))


def _replace(container: Any, key: Any, random: Random, _: Any) -> None:
    container[key] = value(random)


def _drop(container: Any, key: Any, _: Random, holder: Any) -> None:
    if container is not holder:
        del container[key]


def _nest(container: Any, key: Any, random: Random, _: Any) -> None:
    container[key] = nested(container[key], random)


def _repeat(container: Any, key: Any, random: Random, holder: Any) -> None:
    """Have one item of a list often, or one of an object under several keys."""
    if isinstance(container, list) and container is not holder:
        container[key:key] = [container[key]] * random.choice((1, 2, 40, _MANY))
    elif isinstance(container, dict):
        container[text(random)] = container[key]


def _move(container: Any, key: Any, random: Random, holder: Any) -> None:
    """Put a copy of another part here."""
    source, at = _place(holder, random)
    if len(repr(source[at])) < _LARGEST_COPY:
        container[key] = copy.deepcopy(source[at])


def _swap(container: Any, key: Any, random: Random, _: Any) -> None:
    """Exchange the values of two keys of one container."""
    keys = list(container) if isinstance(container, dict) else range(len(container))
    other = random.choice(keys)
    container[key], container[other] = container[other], container[key]


def _shuffle(container: Any, key: Any, random: Random, _: Any) -> None:
    if isinstance(container[key], list):
        random.shuffle(container[key])


def _rename(container: Any, key: Any, random: Random, _: Any) -> None:
    if isinstance(container, dict):
        container[text(random)] = container.pop(key)


def _edit(container: Any, key: Any, random: Random, _: Any) -> None:
    """Change a text a little, or a number."""
    old = container[key]
    if isinstance(old, str):
        container[key] = edited(old, random)
    elif isinstance(old, int | float):
        container[key] = random.choice((-old, old + 1, old * 2, str(old), [old], number(random)))


def edited(old: str, random: Random) -> str:
    """A text with something added, taken or repeated."""
    at, more = random.randrange(len(old) + 1), text(random)
    return random.choice((old[:at] + more + old[at:], old[:at], old[at:], f"{old}/{old}", f"{old}_1", old.swapcase()))


_CHANGES = (_replace, _replace, _drop, _nest, _repeat, _move, _swap, _shuffle, _rename, _edit, _edit)

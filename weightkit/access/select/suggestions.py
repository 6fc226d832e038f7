"""Suggestions for a selection that chose nothing."""

from __future__ import annotations

import difflib
import heapq
import re
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from weightkit.access.select.ends import EndLayers
from weightkit.access.select.fields import Field
from weightkit.access.select.parse import parse
from weightkit.access.select.paths import Glob, Regex
from weightkit.access.select.pattern_escape import FIELD_WORDS, escape_pattern
from weightkit.access.select.selectors import And, Or
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weightkit.access.ref import WeightRef
    from weightkit.access.select.selectors import Selector

_MOST_REFS = 100_000  # weights to consider
_MOST_COMPARED = 200  # candidates for difflib, which takes up to a millisecond each
_LONGEST_ADDRESS = 4096  # characters of an address that is suggested
_LONGEST_WORD = 200  # characters of a selection that are compared
_ALIKE = 0.5  # difflib's ratio below which two texts are unrelated
_WILDCARDS = re.compile(r"[*?\[\]{}^$\\]+")


def nearest(selection: str | Selector, refs: Iterable[WeightRef], limit: int = 3) -> list[str]:
    """Selections that choose something, most similar first.

    Args:
        selection: The selection that chose nothing.
        refs: The weights of the store; the first 100,000 are considered.
        limit: How many to return at most.

    Returns:
        Paths of layers and weights, as patterns that select them; for a field, values that the store
        has (``kind:statistic``), and for a misspelled field the field.
    """
    seen = list(islice(refs, _MOST_REFS))
    try:
        selector = parse(selection) if isinstance(selection, str) else selection
    except SelectionError:
        return []
    of_each_part = (_near(part, seen, limit) for part in _parts(selector))
    in_turn = chain.from_iterable(zip_longest(*of_each_part))
    return list(islice((near for near in dict.fromkeys(in_turn) if near is not None), limit))


def _parts(selector: Selector) -> tuple[Selector, ...]:
    return selector.parts if isinstance(selector, And | Or) else (selector,)


def _near(selector: Selector, refs: list[WeightRef], limit: int) -> Iterator[str]:
    if isinstance(selector, Field):
        yield from _near_values(selector, refs, limit)
    elif isinstance(selector, EndLayers):
        yield from _near_paths(selector.pattern, refs, limit)
    elif isinstance(selector, Glob | Regex):
        yield from _meant_field(selector.text)
        yield from _near_paths(selector.text, refs, limit)


def _meant_field(text: str) -> Iterator[str]:
    """``kind:statistic`` for ``knd:statistic``."""
    word, colon, value = text.partition(":")
    for meant in difflib.get_close_matches(word.lower(), FIELD_WORDS, 1, 0.6) if colon else ():
        try:
            yield str(parse(f"{meant}:{value}"))
        except SelectionError:
            return


def _near_values(selector: Field, refs: list[WeightRef], limit: int) -> Iterator[str]:
    """Values of the field that the store has: the most similar, or, if none is, the first ones."""
    values = dict.fromkeys(value for ref in refs if (value := selector.read(ref)) is not None)
    asked = selector.value[:_LONGEST_WORD]
    alike = difflib.get_close_matches(asked, islice(values, _MOST_COMPARED), limit, _ALIKE)
    for value in alike or islice(values, limit):
        escaped = escape_pattern(value).replace("|", "\\|")
        yield f"{selector.word}:{escaped}"


def _near_paths(pattern: str, refs: list[WeightRef], limit: int) -> list[str]:
    """Layers and weights whose last names resemble the pattern without its wildcards.

    Comparing as many last names as the pattern has names finds ``encoder/dense_1`` for ``dense_1``.
    """
    last_part = pattern[:_LONGEST_WORD].rpartition("**/")[2]
    names = [name for part in last_part.split("/") if (name := _WILDCARDS.sub("", part))]
    if not names:
        return []
    wanted = "/".join(names)
    whole_of = _by_tail(refs, len(names))
    tails = _most_pairs_in_common(wanted, whole_of)
    matcher = difflib.SequenceMatcher(b=wanted, autojunk=False)
    ranked: list[tuple[float, str]] = []
    for tail in tails:
        matcher.set_seq1(tail)
        # Two upper bounds first: they cost far less than the ratio.
        if matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE:
            ranked.append((matcher.ratio(), tail))
    best = heapq.nlargest(limit, ranked, key=lambda scored: scored[0])
    return [escape_pattern(whole_of[tail]) for ratio, tail in best if ratio >= _ALIKE]


def _by_tail(refs: list[WeightRef], length: int) -> dict[str, str]:
    """Every layer's and weight's address by its last names, the first where several share them."""
    whole_of: dict[str, str] = {}
    for part in _leading_parts(refs):
        tail = "/".join(part.split("/")[-length:])
        whole_of.setdefault(tail, part)
    return whole_of


def _leading_parts(refs: list[WeightRef]) -> dict[str, None]:
    """Every layer's and weight's address once, in the order of the store, layers before what is in them."""
    seen: dict[str, None] = {}
    for ref in refs:
        for address in filter(_is_short, (ref.path, ref.structure)):
            fresh = []
            part = address
            while part and part not in seen:
                fresh.append(part)
                part = part.rpartition("/")[0]
            seen.update(dict.fromkeys(reversed(fresh)))
    return seen


def _is_short(address: str) -> bool:
    """Whether it is worth comparing: all leading parts of a longer one would take the square of its length."""
    return len(address) <= _LONGEST_ADDRESS


def _most_pairs_in_common(wanted: str, tails: Iterable[str]) -> list[str]:
    """The few tails worth comparing: those that share the most pairs of adjacent characters."""
    pairs = {wanted[at : at + 2] for at in range(len(wanted) - 1)} or {wanted}

    def share(tail: str) -> float:
        # Relative to the length, as difflib's ratio is: a long name has many pairs by chance.
        return sum(map(tail.__contains__, pairs)) / (len(tail) + len(wanted))

    return heapq.nlargest(_MOST_COMPARED, tails, key=share)

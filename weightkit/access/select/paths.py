"""Selecting by address: globs over segments, and regular expressions."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.select.automaton import Automaton, Leading
from weightkit.access.select.pattern_escape import without_field
from weightkit.access.select.segment import segments
from weightkit.access.select.selection_errors import cut, malformed, refuse_absurd_length
from weightkit.access.select.selectors import Reach, Selector
from weightkit.access.select.tokens import Part, alternatives
from weightkit.escape import unescaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.ref import WeightRef
    from weightkit.access.select.tokens import Alternative


class PathPattern:
    """A compiled glob over the addresses of weights."""

    def __init__(self, text: str, *, start: int = 0) -> None:
        """Compile the glob that begins at ``start`` of a selection.

        Raises:
            SelectionError: If it is malformed.
        """
        choices = alternatives(text, start=start)
        for alternative in choices:
            _refuse_empty_names(text, alternative)
        self._automaton = Automaton([segments(alternative) for alternative in choices])
        self._is_pattern = any(token.part not in {Part.TEXT, Part.SLASH} for choice in choices for token in choice)
        # A name that is printed with a wildcard in it selects its weight when it is pasted.
        self._printed = unescaped(text[start:]) if self._is_pattern else None

    def matches(self, ref: WeightRef) -> Iterator[tuple[list[str], Leading]]:
        """The leading parts of the weight's addresses that match, each with the address's names."""
        for address in self._addresses(ref):
            names = address.split("/")
            for leading in self._automaton.leading(names):
                yield names, leading
            if self._printed is not None and f"{address}/".startswith(f"{self._printed}/"):
                yield names, Leading(self._printed.count("/") + 1, named=True)

    def _addresses(self, ref: WeightRef) -> Iterator[str]:
        path = ref.path
        yield path
        if ref.duplicate > 1 and self._is_pattern:
            # ``**/kernel`` means every kernel; only a literal path means just the first weight of a name.
            yield path.removesuffix(f"#{ref.duplicate}")
        if path != ref.structure:
            yield ref.structure
        elif ref.layer:  # the layer has a name and the weight has none
            yield f"{ref.layer}/{_own_part(ref.structure)}"


def _own_part(structure: str) -> str:
    """The part of a structural address below its layer: ``vars/0``, or its last segment."""
    inside = structure.rfind("/vars/")
    return structure[inside + 1 :] if inside >= 0 else structure.rpartition("/")[2]


# Matches ``_shape``: a bare slash with no name on one side, or nothing at all.
_EMPTY_NAME = re.compile(r"^$|(?:^|[/\\])/|/(?:$|\\)")


def _refuse_empty_names(text: str, alternative: Alternative) -> None:
    """Refuse an empty name beside a bare slash; ``escape_pattern`` escapes the slashes where one exists."""
    shape = "".join(token.value[0] if token.part is Part.SLASH else "x" for token in alternative)
    if _EMPTY_NAME.search(shape):
        hint = "write one '/' between names and none at the ends; a layer's name selects all under it"
        raise malformed(text, "has an empty name", hint)


@dataclass(frozen=True)
class Glob(Selector):
    """The weights whose address, or a leading part of it that ends at a slash, matches a glob.

    The pattern is anchored at the root, and both addresses are tried: by name and by structure. A pattern
    with a wildcard also takes the duplicates of a name (``kernel#2``).

    Raises:
        SelectionError: If the pattern is malformed.
    """

    text: str
    _pattern: PathPattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pattern", PathPattern(self.text))

    @property
    def is_path(self) -> bool:
        """True."""
        return True

    def reach(self, ref: WeightRef) -> Reach:
        """ITSELF if the whole address matches and the last segment contains literal text."""
        reach = Reach.NONE
        for names, leading in self._pattern.matches(ref):
            if leading.named and leading.length == len(names):
                return Reach.ITSELF
            reach = Reach.AROUND
        return reach

    def __call__(self, ref: WeightRef) -> bool:
        """Whether any leading part matches."""
        return any(True for _ in self._pattern.matches(ref))

    def __str__(self) -> str:
        return without_field(self.text)


@dataclass(frozen=True)
class Regex(Selector):
    """The weights whose path or structure a regular expression finds a match in.

    Raises:
        SelectionError: If Python's ``re`` refuses the expression, or warns of it.
    """

    text: str
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", self._compile())

    def reach(self, ref: WeightRef) -> Reach:
        """AROUND at most: an expression for a layer's name looks like one for a weight's."""
        search = self._compiled.search
        return Reach.AROUND if search(ref.path) or search(ref.structure) else Reach.NONE

    def __str__(self) -> str:
        return f"re:{self.text}"

    def _compile(self) -> re.Pattern[str]:
        refuse_absurd_length(self.text)
        if not self.text:
            raise malformed(str(self), "has no expression after 're:'", "write one, as in 're:^block[12]/'")
        try:
            with warnings.catch_warnings():
                # Python warns of a "possible nested set": the expression's meaning will change.
                warnings.simplefilter("error")
                return re.compile(self.text)
        # Huge counts, sizes and nestings raise errors other than re.error.
        except (re.error, ValueError, OverflowError, RecursionError, Warning) as error:
            fault = f"is not a valid Python regular expression: {cut(str(error))}"
            raise malformed(str(self), fault, "fix the expression after 're:', or use a glob") from None

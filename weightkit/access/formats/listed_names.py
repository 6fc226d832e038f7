"""What a legacy file's lists of names say that the file does not hold: a save that failed, or was cut off."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from weightkit.access.names.legacy.groups import without_output
from weightkit.text import cut, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from weightkit.access.hdf5.index import Index
    from weightkit.access.names.legacy.groups import LegacyGroup

_DEEPEST = 64  # levels of groups: a longer path leads nowhere


def notes_on_lists(index: Index, inside: str, layers: Sequence[str], groups: Sequence[LegacyGroup]) -> tuple[str, ...]:
    """What the user should know about a file's lists, one sentence each.

    Args:
        index: The file.
        inside: What all paths of the groups start with: ``model_weights/``, or nothing.
        layers: The list of layers as the file has it, with repeats.
        groups: The groups of weights, each once, with their lists of weights as the file has them.
    """
    missing = _Missing(index, inside)
    return (
        *missing.note([*dict.fromkeys(layers)], groups),
        *_repeated_layers([name for name, count in Counter(layers).items() if count > 1]),
        *_repeated_weights(_repeats(missing, groups)),
    )


class _Missing:
    """Which of the names lead to nothing."""

    def __init__(self, index: Index, inside: str) -> None:
        self._index, self._inside = index, inside

    def note(self, layers: Sequence[str], groups: Sequence[LegacyGroup]) -> Iterator[str]:
        """One sentence for all of them; none if all are there."""
        weights = [
            readable(group.name, name)
            for group in groups
            for name in dict.fromkeys(group.weight_names)
            if not self.has_weight(group, name)
        ]
        gone = [name for name in layers if not self._has(name, self._index.groups)]
        parts = [
            f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({listed(names)})"
            for what, names in (("layer", [*map(cut, gone)]), ("weight", weights))
            if names
        ]
        if parts:
            yield f"the file is incomplete: its lists name {' and '.join(parts)}, which it does not hold"

    def has_weight(self, group: LegacyGroup, name: str) -> bool:
        """Whether a group holds a weight that its list names; a group of that name is none."""
        return self._has(f"{group.name}/{name}", self._index.datasets)

    def _has(self, name: str, objects: Collection[str]) -> bool:
        """Whether HDF5 finds one of all groups, or of all datasets, by a name.

        It ignores empty parts and single dots, and follows other names of a group.
        """
        parts = [part for part in f"{self._inside}{name}".split("/") if part not in {"", "."}]
        if len(parts) > _DEEPEST:
            return False
        index, path = self._index, "/".join(parts)
        around = ("/".join(parts[:count]) for count in range(1, len(parts) + 1)) if index.aliases else ()
        return path in objects or any(name in index.aliases for name in around)


def readable(group: str, name: str) -> str:
    """A listed weight for people: ``two/w`` for ``two/w:0`` in the group ``two``."""
    text = without_output(name)
    return cut(text if text.startswith(f"{group}/") else f"{group}/{text}")


def _repeats(missing: _Missing, groups: Sequence[LegacyGroup]) -> list[tuple[str, int]]:
    """Weights that a list names several times, and how often."""
    return [
        (readable(group.name, name), count)
        for group in groups
        for name, count in Counter(group.weight_names).items()
        if count > 1 and missing.has_weight(group, name)
    ]


def _repeated_weights(repeats: Sequence[tuple[str, int]]) -> Iterator[str]:
    if len(repeats) > 1:
        names = listed(name for name, _ in repeats)
        yield f"{len(repeats)} weights are listed several times and stored once, so values are lost: {names}"
    elif repeats:
        (name, count), *_ = repeats
        times, lost = ("twice", "one value is") if count == 2 else (f"{count} times", f"{count - 1} values are")  # noqa: PLR2004
        yield f"{name} is listed {times} and stored once: {lost} lost"


def _repeated_layers(names: Sequence[str]) -> Iterator[str]:
    if names:
        what = "1 layer is" if len(names) == 1 else f"{len(names)} layers are"
        yield f"{what} listed several times and stored once, so weights may be lost: {listed(map(cut, names))}"

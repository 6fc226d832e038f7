"""The result of a comparison, printable and as JSON."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind
from weightkit.compare.sentences import tally
from weightkit.errors import RequestError
from weightkit.escape import escape, escape_cell, quoted
from weightkit.html import table

if TYPE_CHECKING:
    from weightkit.access import Match, WeightRef
    from weightkit.compare.measures import Measures


class Status(enum.StrEnum):
    """How a weight of one store compares with its match in the other."""

    EQUAL = "equal"
    """The same, bit for bit."""
    CLOSE = "close"
    """Within the tolerance."""
    DIFFERS = "differs"
    RENAMED = "renamed"
    """The same values under another name."""
    RETYPED = "retyped"
    """Another type, and not within a given tolerance."""
    RESHAPED = "reshaped"
    MISSING = "missing"
    """Only in the first."""
    EXTRA = "extra"
    """Only in the second."""


_ALIKE = frozenset({Status.EQUAL, Status.CLOSE})


@dataclass(frozen=True, slots=True)
class WeightDiff:
    """One weight, or two matched weights."""

    ours: WeightRef | None
    """None if it is only in the second store."""
    theirs: WeightRef | None
    """None if it is only in the first."""
    status: Status
    measures: Measures | None = None
    """None if the two weights have different numbers of elements, or cannot be compared."""
    label: str = ""
    """What happened, in the words of the summary: ``scaled by 0.5``."""
    what: str = ""
    """All that happened, in words: ``scaled by 0.5, renamed to head``."""
    is_renamed: bool = False
    """Whether its layer has another name in the second store, whatever else happened."""
    compared_as: tuple[int, ...] | None = None
    """The shape in which the elements were compared, where it is not that of the first: of a quantized weight."""

    def __repr__(self) -> str:
        return f"<WeightDiff {quoted(self.path)}: {self.status}{f', {quoted(self.what)}' if self.what else ''}>"

    @property
    def ref(self) -> WeightRef:
        """The weight in the first store, or if it is not there, in the second."""
        ref = self.ours or self.theirs
        assert ref is not None  # noqa: S101  # one of them exists
        return ref

    @property
    def path(self) -> str:
        """Its address in the first store, or if it is not there, in the second."""
        return self.ref.path

    @property
    def differs(self) -> bool:
        """Whether it is neither equal nor close."""
        return self.status not in _ALIKE

    @property
    def distance(self) -> float:
        """Relative L2, by which weights are ranked; -1 if there is none."""
        found = None if self.measures is None else self.measures.relative_l2
        return -1.0 if found is None else found

    def to_dict(self) -> dict[str, Any]:
        """As JSON; ``other`` is its address in the second store."""
        ours, theirs = self.ours, self.theirs
        record: dict[str, Any] = {
            "path": self.path,
            "status": str(self.status),
            "other": None if theirs is None else theirs.path,
            "structure": None if ours is None else ours.structure,
            "other_structure": None if theirs is None else theirs.structure,
            "kind": str(self.ref.kind),
            "shape": None if ours is None else list(ours.shape),
            "other_shape": None if theirs is None else list(theirs.shape),
            "dtype": None if ours is None else ours.dtype_text,
            "other_dtype": None if theirs is None else theirs.dtype_text,
            "renamed": self.is_renamed,
            "what": self.what,
        }
        return record | (self.measures.to_dict(self.compared_as or self.ref.shape) if self.measures else {})


@dataclass(frozen=True, slots=True)
class Diff:
    """The differences between the weights of two stores."""

    a: str
    """The name of the first store in messages."""
    b: str
    match: Match
    weights: tuple[WeightDiff, ...]
    """The model's weights: those that differ come first, the most changed at the top."""
    optimizer: tuple[WeightDiff, ...]
    """The same for the optimizer's state; empty if one of the two has none."""
    notes: tuple[str, ...] = ()
    """What else the reader should know, one sentence each."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs; optimizer state that only one of the two has is not a difference."""
        return not any(found.differs for found in (*self.weights, *self.optimizer))

    def __bool__(self) -> bool:
        """Refused: true could mean that there are differences, or that there are none."""
        raise RequestError("a Diff has no truth value", hint="use its .equal or its .changed()")

    def changed(self) -> tuple[WeightDiff, ...]:
        """The model's weights that differ."""
        return tuple(found for found in self.weights if found.differs)

    def summary(self) -> str:
        """``27 of 206 weights changed: 13 scaled by 0.5, 13 perturbed, 1 with 4 values zeroed``."""
        return tally(len(self.weights), (found.label for found in self.changed())) + _close(self.weights)

    def optimizer_summary(self) -> str:
        """The same for the optimizer's state; empty if there is none to compare."""
        if not self.optimizer:
            return ""
        found = tally(len(self.optimizer), (found.label for found in self.optimizer if found.differs))
        return f"optimizer state: {found}{_close(self.optimizer)}"

    def lines(self) -> tuple[str, ...]:
        """The summaries and notes, one sentence each."""
        return tuple(line for line in (self.summary(), self.optimizer_summary(), *self.notes) if line)

    def __repr__(self) -> str:
        return f"<Diff of {quoted(self.a)} and {quoted(self.b)}: {self.summary()}>"

    def __str__(self) -> str:
        lines = [escape(f"{self.a} and {self.b}, matched by {self.match.by}")]
        lines += ["  " + "  ".join(escape_cell(cell) for cell in cells(found) if cell) for found in self.changed()]
        return "\n".join((*lines, *map(escape, self.lines())))

    def _repr_html_(self) -> str:
        caption = f"{self.a} and {self.b}, matched by {self.match.by}"
        return table(caption, HEADINGS, (cells(found) for found in self.changed()), self.lines())

    def to_dict(self) -> dict[str, Any]:
        """As JSON: every weight, with the optimizer's separate."""
        counts: dict[str, int] = {}
        for found in self.weights:
            counts[str(found.status)] = counts.get(str(found.status), 0) + 1
        return {
            "schema": "weightkit.diff/1",
            "equal": self.equal,
            "a": self.a,
            "b": self.b,
            "match": self.match.by,
            "summary": self.summary(),
            "counts": counts,
            "weights": [found.to_dict() for found in self.weights],
            "optimizer": [found.to_dict() for found in self.optimizer],
            "notes": list(self.notes),
        }


def cells(found: WeightDiff) -> tuple[str, ...]:
    """One weight as a table row: address, status, relative L2, largest difference, cosine, what happened."""
    measures = found.measures
    numbers: tuple[str, ...] = ("", "", "")
    if measures is not None and measures.changed:
        shown = ((measures.relative_l2, ".3g"), (measures.max_abs, ".3g"), (measures.cosine, ".4f"))
        numbers = tuple("" if number is None else format(number, digits) for number, digits in shown)
    return (found.path, str(found.status), *numbers, found.what)


HEADINGS = ("weight", "status", "rel. L2", "max |b-a|", "cosine", "what happened")


def ranked(found: list[WeightDiff]) -> tuple[WeightDiff, ...]:
    """Weights that differ first, the most changed at the top; the rest in their original order."""
    return tuple(sorted(found, key=lambda weight: (not weight.differs, -weight.distance)))


def is_optimizer(found: WeightDiff) -> bool:
    """Whether it belongs to the optimizer and not to the model."""
    return found.ref.kind is Kind.OPTIMIZER


def _close(weights: tuple[WeightDiff, ...]) -> str:
    close = sum(found.status is Status.CLOSE for found in weights)
    return f" ({close} only close)" if close else ""

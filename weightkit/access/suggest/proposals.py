"""A proposed mapping between the layers of two models."""

from __future__ import annotations

import enum
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.suggest.renaming_entries import renames
from weightkit.escape import escape_cell
from weightkit.html import table

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 80  # characters of a terminal
_INDENT = " " * 10


class Certainty(enum.StrEnum):
    """How sure it is that two layers are one."""

    SURE = "sure"
    """Name, shapes and what is known of the order say the same, and nothing else says otherwise."""
    LIKELY = "likely"
    """Most of the evidence says so."""
    OPEN = "open"
    """Possible; others are as likely, or there is none."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The layer of a source that a layer of a target may be."""

    target: str
    """Address of the target's layer; empty for the model itself."""
    source: str | None
    """Address of the source's; None where there is none."""
    certainty: Certainty
    why: str
    """In a few words: ``same name, same class, only one of these shapes``."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"target": self.target, "source": self.source, "certainty": str(self.certainty), "why": self.why}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A mapping from the layers of a target to those of a source, with how sure each is."""

    proposals: tuple[Proposal, ...]
    """One for each layer of the target that has weights, in its order."""
    unused: tuple[str, ...]
    """Addresses of the source's layers with weights that are left over."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Addresses of the target's layers without a proposal."""
        return tuple(found.target for found in self.proposals if found.source is None)

    @property
    def rename(self) -> dict[str, str]:
        """The source's layers to the target's, of those that are sure or likely and have other addresses.

        For ``load_weights(target, source, rename=...)``: what is special in a selection is escaped, and a layer that is
        left over makes room where another one gets its address.
        """
        pairs: dict[str, str] = {}
        left = list(self.unused)
        for found in self.proposals:
            if found.source is not None and found.certainty != Certainty.OPEN:
                pairs[found.source] = found.target
            elif found.source is not None:
                left.append(found.source)
        return renames(pairs, left)

    @property
    def summary(self) -> str:
        """How many layers have a proposal, and how sure these are."""
        counts = Counter(found.certainty for found in self.proposals if found.source is not None)
        sure = ", ".join(f"{counts[one]} {one}" for one in Certainty)
        return f"{counts.total()} of {len(self.proposals)} layers have a proposal: {sure}"

    def __repr__(self) -> str:
        return f"<Suggestion: {self.summary}; {len(self.unused)} unused>"

    def __str__(self) -> str:
        lines = [self.summary]
        for found in self.proposals:
            lines += _lines(found)
        return "\n".join([*lines, *(f"  unused  {shown(address)}" for address in self.unused)])

    def _repr_html_(self) -> str:
        rows = [(shown(one.target), shown(one.source), str(one.certainty), one.why) for one in self.proposals]
        rows += [("", shown(address), "unused", "") for address in self.unused]
        return table(self.summary, ("target layer", "source layer", "how sure", "why"), rows)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with all proposals and what `rename` gives."""
        return {
            "schema": "weightkit.suggestion/1",
            "proposals": [found.to_dict() for found in self.proposals],
            "missing": list(self.missing),
            "unused": list(self.unused),
            "rename": self.rename,
        }


def shown(address: str | None) -> str:
    """An address as people read it; the model itself has none.

    >>> shown("encoder/dense"), shown(""), shown(None)
    ('encoder/dense', '(model)', '')
    """
    return "" if address is None else address or "(model)"


def _lines(found: Proposal) -> Iterator[str]:
    """A proposal on one line where it fits, else with its parts below each other."""
    target = f"  {found.certainty:<6}  {escape_cell(shown(found.target))}"
    rest = [f"<- {escape_cell(shown(found.source))}"] if found.source is not None else []
    why = f"({escape_cell(found.why)})"
    whole = " ".join([target, *rest, why])
    if len(whole) <= _WIDTH:
        yield whole
        return
    first = " ".join([target, *rest])
    yield from [first] if len(first) <= _WIDTH else [target, *(f"{_INDENT}{part}" for part in rest)]
    yield from textwrap.wrap(why, _WIDTH, initial_indent=_INDENT, subsequent_indent=f"{_INDENT} ")

"""How a proposed mapping is printed: ``weightkit load SOURCE TARGET --suggest``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from weightkit.cli.output import Column, Result
from weightkit.escape import escape
from weightkit.text import listed

if TYPE_CHECKING:
    from weightkit.access.suggest import Proposal, Suggestion

_COLUMNS = (Column("target layer", least=16), Column("source layer"), Column("how sure"), Column("why"))
_MOST_OPTIONS = 8


def result(found: Suggestion, *, target: str = "", source: str = "") -> Result:
    """A table of the target's layers, what is left over, and the options that make ``load`` follow the proposal.

    Off a terminal, each line is target layer, source layer, how sure and why, with tabs between fields; what is left
    over of the source has no target layer and is "unused".

    Args:
        found: The proposal.
        target: The target's name, for the heading.
        source: The source's.
    """
    return Result(
        record=found.to_dict(),
        heading=(f"layers of {source} for {target}",) if source and target else (),
        columns=_COLUMNS,
        rows=tuple(map(_row, found.proposals)),
        lines=(*map(_line, found.proposals), *(("", address, "unused", "") for address in found.unused)),
        notes=(found.summary, *_unused(found), *_options(found)),
    )


def _row(found: Proposal) -> tuple[str, ...]:
    from weightkit.access.suggest import shown  # noqa: PLC0415  # nothing heavy is loaded for --help

    return (shown(found.target), shown(found.source), str(found.certainty), found.why)


def _line(found: Proposal) -> tuple[str, ...]:
    return (found.target, found.source or "", str(found.certainty), found.why)


def _unused(found: Suggestion) -> tuple[str, ...]:
    return (f"not used of the source: {listed(found.unused)}",) if found.unused else ()


def _options(found: Suggestion) -> tuple[str, ...]:
    """The options of the command line that say the same, as a shell reads them."""
    pairs = [(theirs, f"{theirs}={ours}") for theirs, ours in found.rename.items()]
    # Only what a note prints as it is: it doubles backslashes, for one. And the first = ends a key.
    plain = [pair for theirs, pair in pairs if "=" not in theirs and escape(pair) == pair][:_MOST_OPTIONS]
    more = len(pairs) - len(plain)
    options = tuple(f"--rename {_quoted(pair)}" for pair in plain)
    return (*options, f"and {more} more: --json lists them all") if more else options


def _quoted(pair: str) -> str:
    """In quotes also where a shell needs none."""
    found = shlex.quote(pair)
    return found if found != pair else f"'{pair}'"

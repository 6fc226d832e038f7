"""Copy weights: from a file into a model, from a model into a file, between files of any formats."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from weightkit.access import ALL, By, FileStore, Kind, Transform, edit, is_floating
from weightkit.access import match as match_stores
from weightkit.errors import RequestError, SelectionError
from weightkit.text import listed
from weightkit.transforms.source_reader import PlannedSource, SourceReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    import numpy as np

    from weightkit.access import Changes, Match, Report, Target, WeightRef, WeightStore, Where

# Typed as Any, so that `reader` is never optional for those who read it.
_UNSET: Any = None


@dataclass(frozen=True, slots=True)
class CopyFrom(Transform):
    """Copy the values of the matching weights of another file, model or open store.

    Weights are matched as `match` does, for any two formats. A source that is a part of the target, such as a backbone
    in a model with a new head, or the other way round, is found; what is beside it stays unchanged. Values of another
    floating-point type are rounded once. The optimizer's state stays unchanged.

    Args:
        source: Path of a weight file; a model, a layer or a list of variables of Keras 3; or an open store, which
            must stay open until the edit is done.
        match: How to match weights: ``name``, ``structure``, ``order`` or ``shape``; ``auto`` takes the first of these
            that decides.

    Raises:
        RequestError: ``match`` is something else.

    Example:
        >>> from weightkit import CopyFrom
        >>> CopyFrom("model.h5", match="name")
        CopyFrom('model.h5', match='name')
    """

    source: Target
    match: By = "auto"
    pairs: Mapping[WeightRef, WeightRef] = field(default_factory=dict, compare=False)
    """The weight of the source that each weight is copied from; empty before it is planned."""
    found: Match | None = field(default=None, compare=False, repr=False)
    """How they were matched; None before it is planned."""
    fresh: frozenset[WeightRef] = field(default=frozenset(), compare=False, repr=False)
    """Weights beside all that the source holds, which stay as they are."""
    planned: PlannedSource | None = field(default=None, compare=False, repr=False)
    """The source as it was when this was planned; None before."""
    reader: SourceReader = field(default=_UNSET, compare=False)
    """Opens the source and reads it."""

    def __post_init__(self) -> None:
        if self.match not in get_args(By):
            raise RequestError(f"match must be one of {', '.join(get_args(By))}, got {self.match!r}")
        if self.reader is _UNSET:
            object.__setattr__(self, "reader", SourceReader(self.source))

    def __repr__(self) -> str:
        match = "" if self.match == "auto" else f", match={self.match!r}"
        return f"CopyFrom({self.reader.name}{match})"

    def __enter__(self) -> Self:
        """Keep the source open.

        Raises:
            BusyError: It has other weights than when this was planned.
        """
        with contextlib.ExitStack() as entered:
            source = entered.enter_context(self.reader)
            if self.planned is not None:
                self.planned.require_unchanged(source)
            # From here on `__exit__` closes the source; on an error above, this block does.
            entered.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.__exit__()

    @property
    def kinds(self) -> frozenset[Kind]:
        """All but the optimizer's."""
        return frozenset(Kind) - {Kind.OPTIMIZER}

    def require_apart(self, store: WeightStore) -> None:
        """Check that the source is another file than the one that is changed.

        Raises:
            RequestError: It is the same.
        """
        _require_two_files(store, self.source)

    def on(self, store: WeightStore) -> CopyFrom:
        """The same, matched with the weights of this store.

        Raises:
            RequestError: Neither names nor structure settle which weight is which.
        """
        with self.reader as source:
            found = match_stores(store, source, self.match)
            planned = PlannedSource(source.label, frozenset(source), source.notes)
        return replace(self, pairs=found.pairs, found=found, fresh=frozenset(found.fresh), planned=planned)

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be copied into; empty if it can."""
        if ref.kind is Kind.OPTIMIZER:
            return "it is optimizer state, which belongs to one training run"
        if ref in self.fresh:
            return f"it is not in {self._label}"
        return ""

    def settled(self, store: WeightStore, chosen: Sequence[WeightRef]) -> CopyFrom:
        """The same, if every selected weight has one to copy from.

        Raises:
            SelectionError: One has no counterpart of its shape and type.
        """
        self.require_all(chosen, store.label)
        return self

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:  # noqa: ARG002
        """How weights were matched, which weights of the source are not used, and what its store notes."""
        if self.found is None or self.planned is None:
            return ()
        of_source = (f"{self._label}: {note}" for note in self.planned.notes)
        return (*_notes(self.found, chosen, self._label), *of_source)

    def rebound(self, pairs: Mapping[WeightRef, WeightRef]) -> CopyFrom:
        """The same for another store; ``pairs`` maps the planned references to the new ones."""
        return replace(self, pairs={theirs: self.pairs[ref] for ref, theirs in pairs.items()})

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        """The source's values of the same elements, in the source's type."""
        return self.reader.read(self.pairs[ref], span).reshape(values.shape)

    def require_all(self, chosen: Sequence[WeightRef], label: str) -> None:
        """Refuse to copy only a part of the selection: a half-loaded model looks like a complete one."""
        problems = [f"{ref.path} {why}" for ref in chosen if (why := self._obstacle(ref))]
        if problems:
            raise SelectionError(
                f"{len(problems)} of {len(chosen)} weights have no match in {self._label}: {listed(problems)}",
                hint="select fewer with where= or exclude=, or change match=",
                file=label,
            )

    @property
    def _label(self) -> str:
        return self.reader.name if self.planned is None else self.planned.label

    def _obstacle(self, ref: WeightRef) -> str:
        own = self.pairs.get(ref)
        if own is None:
            return "is not there"
        if own.shape != ref.shape:
            return f"is {ref.shape} here and {own.shape} there"
        if ref.stored_as or own.stored_as:
            return f"holds {ref.stored_as or own.stored_as}, which is not a plain number"
        if is_floating(own.dtype) != is_floating(ref.dtype):
            return f"is {ref.dtype_text} here and {own.dtype_text} there"
        return ""


def copy_from(
    target: Target,
    source: Target,
    where: Where = None,
    exclude: Where = None,
    *,
    match: By = "auto",
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    like: Target | None = None,
    allow_nonfinite: bool = False,
    dry_run: bool = False,
) -> Report:
    """Fill a model from a file or another model, or a file from either: ``edit(target, CopyFrom(source))``.

    Either all selected weights are copied or none. Without ``where``, that is everything but the optimizer's state.
    ``match`` is that of `CopyFrom`, and the other arguments are those of `edit`.

    Raises:
        RequestError: ``source`` is the target file.
        WeightkitError: As `CopyFrom` and `edit` do.

    Example:
        >>> copy_from(model, "model.h5", where="encoder")  # doctest: +SKIP
    """
    _require_two_files(target, source)
    return edit(
        target,
        CopyFrom(source, match),
        where,
        exclude,
        output=output,
        overwrite=overwrite,
        backup=backup,
        break_links=break_links,
        verify=verify,
        like=like,
        allow_nonfinite=allow_nonfinite,
        dry_run=dry_run,
    )


def _require_two_files(target: Target, source: Target) -> None:
    ours, theirs = _path(target), _path(source)
    if ours is None or theirs is None:
        return
    with contextlib.suppress(OSError, ValueError):  # what cannot be found is refused when it is opened
        if ours.samefile(theirs):
            raise RequestError(
                f"source and target must be two files, got {theirs} twice", hint="give another source", file=str(ours)
            )


def _path(target: Target) -> Path | None:
    if isinstance(target, FileStore):
        return Path(target.label)
    return Path(target) if isinstance(target, str | os.PathLike) else None


def _notes(found: Match, chosen: Sequence[WeightRef], label: str) -> tuple[str, ...]:
    used = {found.pairs[ref] for ref in chosen}
    there = (*found.pairs.values(), *found.unused)
    unused = [ref.path for ref in there if ref not in used and ref.kind is not Kind.OPTIMIZER]
    part = f": all of one as {found.part} of the other" if found.part else ""
    notes = [f"matched by {found.by}{part}"]
    if found.fresh:
        fresh = listed(ref.path for ref in found.fresh)
        notes.append(f"left as they are, as {label} does not hold them: {fresh}")
    if unused:
        notes.append(f"{len(unused)} weights of {label} are not used: {listed(unused)}")
    return tuple(notes)

"""An edit before it is done: which weights, which not and why, and what happens to them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.edits.apply import Progress, require_verifiable, run
from weightkit.access.edits.counterparts import counterparts
from weightkit.access.store import IN_PLACE, Destination, Outcome
from weightkit.access.targets import opened
from weightkit.access.weight_table import weight_table
from weightkit.arguments import boolean
from weightkit.errors import RequestError
from weightkit.escape import escape, escape_cell

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.access.edits.arithmetic import Losses
    from weightkit.access.edits.transform import Transform
    from weightkit.access.edits.verify import Verification
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore
    from weightkit.access.targets import Target


def held_open(transform: object) -> contextlib.AbstractContextManager[object]:
    """Keep open what a transform reads from, such as the source of a copy."""
    return transform if isinstance(transform, contextlib.AbstractContextManager) else contextlib.nullcontext()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A weight that an edit leaves unchanged, and why."""

    ref: WeightRef
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Which weights of a store an edit changes; printing it shows the preview, applying it does the edit."""

    label: str
    transform: Transform
    chosen: tuple[WeightRef, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()
    """What the user should know before the edit, one sentence each."""
    changes: Changes = NO_CHANGES
    """What else changes in a file."""
    store_notes: tuple[str, ...] = ()
    """What the user should know about the whole store, one sentence each."""
    # Not compared: it says where a plan was made, not what it does.
    weights: tuple[WeightRef, ...] = field(default=(), compare=False)
    """All weights of the store, in its order."""
    ordered: bool = field(default=False, compare=False)
    """Whether this is the order of the layers."""

    @property
    def sets_values(self) -> bool:
        """Whether the selected weights get new values; otherwise they are removed."""
        return self.transform.sets_values

    @property
    def nbytes(self) -> int:
        """Bytes of all selected weights."""
        return sum(ref.nbytes for ref in self.chosen)

    @property
    def all_notes(self) -> tuple[str, ...]:
        """What the user should know about the store, then about the edit."""
        return (*self.store_notes, *self.notes)

    def reasons(self) -> dict[str, int]:
        """How many weights stay unchanged for each reason, the most common first."""
        counts: dict[str, int] = {}
        for skipped in self.skipped:
            counts[skipped.reason] = counts.get(skipped.reason, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def summary(self) -> str:
        """What the edit would do, in one line that can be printed."""
        total = len(self.chosen) + len(self.skipped)
        counts = f"{len(self.chosen)} of {total} weights ({self.nbytes} bytes)"
        act = f"{escape(repr(self.transform))} {'changes' if self.sets_values else 'drops'}"
        return f"{act} {counts} of {escape(self.label)}"

    def __repr__(self) -> str:
        return f"<Plan: {self.summary()}>"

    def __str__(self) -> str:
        lines = [self.summary()]
        lines += [f"  {escape_cell(ref.path)}  {ref.shape}  {ref.dtype_text}  {ref.kind}" for ref in self.chosen]
        lines += [f"  unchanged: {count}, {escape(reason)}" for reason, count in self.reasons().items()]
        lines += [f"  note: {escape(note)}" for note in self.all_notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        unchanged = (f"unchanged: {count}, {reason}" for reason, count in self.reasons().items())
        notes = (f"note: {note}" for note in self.all_notes)
        return weight_table(self.summary(), self.chosen, (*unchanged, *notes))

    def on(self, store: WeightStore) -> Plan:
        """The same edit for another store with the same weights: a model that was loaded from the file, or a copy.

        Raises:
            RequestError: A weight of the plan is missing, is different, or cannot be changed there.
        """
        theirs = tuple(store)
        # References are equal only if all that is known is equal: these are the plan's own weights.
        if set(self.chosen) <= set(theirs):
            return self if self.store_notes == store.notes else replace(self, store_notes=store.notes)
        self._require_values_alone(store)
        found = counterparts(self.weights, self.chosen, store, self.label, store.label, ordered=self.ordered)
        transform = self.transform.rebound(found)  # the planned one does not know these weights
        for own in found.values():
            if objection := transform.objection(own):
                raise RequestError(
                    f"{own.path} cannot be changed: {objection}", hint="make the plan here", file=store.label
                )
        others = set(theirs) - set(found.values())
        skipped = tuple(Skipped(ref, f"not in the plan made on {self.label}") for ref in theirs if ref in others)
        return replace(
            self,
            label=store.label,
            transform=transform,
            chosen=tuple(found.values()),
            skipped=skipped,
            store_notes=store.notes,
            weights=theirs,
            ordered=store.ordered,
        )

    def _require_values_alone(self, store: WeightStore) -> None:
        if self.changes:
            raise RequestError(
                f"{self.transform!r} was planned on {self.label} and changes more than values",
                hint="make the plan here",
                file=store.label,
            )

    def apply(
        self,
        target: Target,
        destination: Destination = IN_PLACE,
        *,
        allow_nonfinite: bool = False,
        progress: Progress | None = None,
        verify: bool = False,
    ) -> Report:
        """Do the edit, completely or not at all.

        Args:
            target: What it was planned on, or something whose weights match by name or by structure: a path, a model,
                a layer, a list of variables, or an open store, which stays open.
            destination: For files, where the result goes.
            allow_nonfinite: Allow new infinities and NaNs, instead of refusing the edit.
            progress: Called with the number of bytes done, as they are done.
            verify: Read the new file back before it replaces anything: compare digests of unchanged weights, and
                recompute changed ones.

        Raises:
            RequestError: The target's weights are not those of the plan, or there is no new file to verify.
            NonFiniteError: The edit would turn finite numbers into infinities or NaNs.
            MachineError: The new file has other contents than planned.
        """
        boolean("allow_nonfinite", allow_nonfinite)
        boolean("verify", verify)
        if not isinstance(destination, Destination):
            raise RequestError(
                f"destination must be a Destination, got {destination!r}",
                hint="edit(target, act, output=...) writes elsewhere",
            )
        with opened(target, editable=True) as store:
            if verify:
                require_verifiable(store)
            plan = self.on(store)
            # Again: the plan may have been made on another store.
            plan.transform.require_apart(store, destination.output)
            with held_open(plan.transform):
                done = run(plan, store, destination, allow_nonfinite=allow_nonfinite, progress=progress, verify=verify)
        return Report(plan, *done)


@dataclass(frozen=True, slots=True)
class Report:
    """What an edit did."""

    plan: Plan
    outcome: Outcome | None
    """None for a dry run."""
    lost: dict[WeightRef, Losses] = field(default_factory=dict)
    """What weights lost: new infinities and NaNs if they were allowed, digits in a narrower type."""
    verification: Verification | None = None
    """What was compared, with ``verify``."""

    @property
    def output(self) -> Path | None:
        """The file with the result; None for a model in memory and for a dry run."""
        return None if self.outcome is None else self.outcome.output

    @property
    def backup(self) -> Path | None:
        """The old file; None if it was not kept."""
        return None if self.outcome is None else self.outcome.backup

    def summary(self) -> str:
        """What the edit did, in one line that can be printed."""
        plan = self.plan
        total = len(plan.chosen) + len(plan.skipped)
        act = "change" if plan.sets_values else "drop"
        done = f"would {act}" if self.outcome is None else {"change": "changed", "drop": "dropped"}[act]
        counts = f"{len(plan.chosen)} of {total} weights ({plan.nbytes} bytes)"
        return f"{escape(repr(plan.transform))} {done} {counts} of {escape(plan.label)}"

    def lines(self) -> tuple[str, ...]:
        """Details, one sentence each: what stays unchanged, what was lost, where the result is."""
        outcome = self.outcome or Outcome()
        unchanged = [f"unchanged: {count}, {reason}" for reason, count in self.plan.reasons().items()]
        lost = [f"{ref.path}: {_in_words(lost)}" for ref, lost in self.lost.items() if lost]
        places = [("written to", outcome.output), ("the old file is kept as", outcome.backup)]
        where = [f"{what} {path}" for what, path in places if path is not None]
        return (*unchanged, *self.plan.all_notes, *lost, *where, *outcome.notes)

    def __repr__(self) -> str:
        return f"<Report: {self.summary()}>"

    def __str__(self) -> str:
        return "\n".join((self.summary(), *(f"  {escape(line)}" for line in self.lines())))

    def _repr_html_(self) -> str:
        return weight_table(self.summary(), self.plan.chosen, self.lines())

    def to_dict(self) -> dict[str, Any]:
        """As JSON: what changed, what was removed, what stays unchanged and why, where the result is."""
        outcome = self.outcome or Outcome()
        chosen = [_weight(ref) | _lost(self.lost.get(ref)) for ref in self.plan.chosen]
        return {
            "schema": "weightkit.report/1",
            "file": self.plan.label,
            "transform": repr(self.plan.transform),
            "dry_run": self.outcome is None,
            "changed": chosen if self.plan.sets_values else [],
            "dropped": [] if self.plan.sets_values else chosen,
            "skipped": [_weight(skipped.ref) | {"reason": skipped.reason} for skipped in self.plan.skipped],
            "bytes": self.plan.nbytes,
            "notes": [*self.plan.all_notes, *outcome.notes],
            "output": None if outcome.output is None else str(outcome.output),
            "backup": None if outcome.backup is None else str(outcome.backup),
            "backups": {"count": outcome.backups, "bytes": outcome.backups_bytes},
            "verified": None if self.verification is None else self.verification.to_dict(),
        }


def _in_words(lost: Losses) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in _lost(lost).items())


def _weight(ref: WeightRef) -> dict[str, Any]:
    return {
        "structure": ref.structure,
        "path": ref.path,
        "shape": list(ref.shape),
        "dtype": ref.dtype_text,
        "kind": str(ref.kind),
        "bytes": ref.nbytes,
    }


def _lost(lost: Losses | None) -> dict[str, int]:
    if lost is None:
        return {}
    counts = {
        "new_nans": lost.nonfinite.nans,
        "new_infinities": lost.nonfinite.infinities,
        "new_zeros": lost.zeros,
        "inexact": lost.inexact,
    }
    return {name: count for name, count in counts.items() if count}

"""From a selection to a plan: what an edit changes, what it leaves unchanged, and what it refuses as undecided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.edits.plan import Plan, Skipped
from weightkit.access.edits.transform import Transform
from weightkit.access.quantized_layers import quantized_owners
from weightkit.access.ref import Kind
from weightkit.access.select import combine, escape_pattern, missed
from weightkit.errors import RequestError, SelectionError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.changes import Changes
    from weightkit.access.ref import WeightRef
    from weightkit.access.select import Selector, Where
    from weightkit.access.store import WeightStore

_REASONS = {
    Kind.STATISTIC: "statistic, measured from data",
    Kind.STATE: "state, such as a seed or a counter",
    Kind.QUANTIZATION: "quantized",
    Kind.OPTIMIZER: "optimizer state",
    Kind.UNKNOWN: "of unknown kind",
}
_NOT_SELECTED = "not selected"
_EXCLUDED = "excluded"


def plan_edit(store: WeightStore, act: Transform, where: Where = None, exclude: Where = None) -> Plan:
    """Decide which weights of a store an edit changes, and what else changes with them.

    Without ``where``, these are the parameters. A selection that names a layer, or uses wildcards, changes the
    parameters under it; statistics must be selected directly (``kind:statistic``, ``bn/moving_mean``). A weight that
    the transform cannot change is skipped if a wildcard matches it, and refused if it is selected directly.

    Raises:
        RequestError: The edit does not work on such a store.
        SelectionError: The selection is malformed, selects nothing, or leaves a weight undecided.
    """
    require_act(act, store.label)
    with store.steady():
        bound = act.on(store)
        _require_selection(act, where, exclude, store.label)
        return _Sorting(store, bound, where, exclude).plan()


def require_act(act: object, label: str) -> Transform:
    """What was given as an act, if it is one; an open store, for example, is not."""
    if not isinstance(act, Transform):
        raise RequestError(f"act must be an act such as Scale(0.5), got {act!r}", hint="give one", file=label)
    return act


def _require_selection(act: Transform, where: Where, exclude: Where, label: str) -> None:
    """Check that a selection is given if the act requires one, and not given if it takes none."""
    if act.selection == "required" and where is None:
        raise SelectionError(f"{act!r} needs a selection", hint="say which weights with --where (where=)", file=label)
    if act.selection == "none" and not (where is exclude is None):
        raise SelectionError(
            f"{act!r} takes no selection", hint="leave out --where and --exclude (where=, exclude=)", file=label
        )


class _Sorting:
    """One pass over a store's weights; each is chosen, skipped or undecided."""

    def __init__(self, store: WeightStore, transform: Transform, where: Where, exclude: Where) -> None:
        self._refs: Sequence[WeightRef] = tuple(store)
        self._store, self._transform = store, transform
        chosen, excluded = combine(where, exclude)
        self._where = self._bound(chosen)
        self._exclude = self._bound(excluded)
        self._chosen: list[WeightRef] = []
        self._skipped: list[Skipped] = []
        self._undecided: list[WeightRef] = []

    def plan(self) -> Plan:
        notes = missed(self._where, self._exclude, self._refs, self._store.label)
        for ref in self._refs:
            self._sort(ref)
        self._require_decided()
        self._require_no_quantized_layer()
        store, chosen = self._store, tuple(self._chosen)
        # In this order: each step may use what the one before has settled.
        act = self._transform.settled(store, chosen)
        changes = act.changes(store, chosen)
        self._require_any(changes)
        notes += (*act.notes(), *self._notes_on_unknown(), *act.advice(store, chosen, changes))
        skipped, weights = tuple(self._skipped), tuple(self._refs)
        return Plan(store.label, act, chosen, skipped, notes, changes, store.notes, weights, store.ordered)

    def _notes_on_unknown(self) -> tuple[str, ...]:
        """A selection decides about weights of unknown kind; the user should know, if kinds matter to the act."""
        if Kind.UNKNOWN in self._transform.kinds:
            return ()
        chosen = sum(ref.kind is Kind.UNKNOWN for ref in self._chosen)
        left = sum(
            skipped.ref.kind is Kind.UNKNOWN and skipped.reason == _NOT_SELECTED and is_floating(skipped.ref.dtype)
            for skipped in self._skipped
        )
        notes = []
        if chosen:
            notes.append(f"{chosen} of the selected weights are of unknown kind: statistics may be among them")
        if left:
            notes.append(f"{left} weights of unknown kind are not selected: --like OTHER (like=) may give their kinds")
        return tuple(notes)

    def _bound(self, selector: Selector | None) -> Selector | None:
        return None if selector is None else selector.bind(self._refs, ordered=self._store.ordered)

    def _sort(self, ref: WeightRef) -> None:
        if self._exclude is not None and self._exclude(ref):  # first: an exclusion protects
            self._skip(ref, _EXCLUDED)
        elif self._where is None:
            self._sort_by_default(ref)
        elif not self._where(ref):
            self._skip(ref, _NOT_SELECTED)
        else:
            self._sort_selected(ref, asked_for=self._where.explicit(ref))

    def _sort_by_default(self, ref: WeightRef) -> None:
        if ref.kind is Kind.UNKNOWN and Kind.UNKNOWN not in self._transform.kinds and is_floating(ref.dtype):
            self._undecided.append(ref)
        else:
            self._sort_selected(ref, asked_for=False)

    def _sort_selected(self, ref: WeightRef, *, asked_for: bool) -> None:
        if not asked_for and ref.kind not in self._transform.kinds | {Kind.UNKNOWN}:
            self._skip(ref, _REASONS[ref.kind])
        elif not (objection := self._transform.objection(ref)):
            self._chosen.append(ref)
        elif asked_for and self._transform.concerns(ref):
            raise SelectionError(
                f"{ref.path} is selected directly and cannot be changed: {objection}",
                hint="leave it out of the selection",
                file=self._store.label,
            )
        else:
            self._skip(ref, objection)

    def _skip(self, ref: WeightRef, reason: str) -> None:
        self._skipped.append(Skipped(ref, reason))

    def _require_decided(self) -> None:
        if not self._undecided:
            return
        raise SelectionError(
            f"the file does not say what {listed(ref.path for ref in self._undecided)} {_be(self._undecided)}, "
            f"and skipping {_them(self._undecided)} could leave a half-edited model",
            hint="add --where '**' (where=) to change all floating-point weights, --exclude kind:unknown (exclude=) to "
            "skip these, or --like OTHER (like=) to take names from a file of the same model and format",
            file=self._store.label,
        )

    def _require_no_quantized_layer(self) -> None:
        """A layer's integers, scales and bias only make sense together."""
        if Kind.QUANTIZATION in self._transform.kinds:
            return
        quantized = quantized_owners(self._refs)
        excluded = {skipped.ref for skipped in self._skipped if skipped.reason == _EXCLUDED}
        touched = [ref for ref in self._chosen if ref.owner in quantized]
        if self._where is None:
            touched = [ref for ref in self._refs if ref.owner in quantized and ref not in excluded]
        if touched:
            layers = sorted({ref.layer or ref.owner for ref in touched})
            raise SelectionError(
                f"quantized layers ({listed(layers)}) cannot be changed "
                "as a whole yet, and their integers and scales only make sense together",
                hint="skip them with " + " ".join(f"--exclude '{escape_pattern(layer)}'" for layer in layers),
                file=self._store.label,
            )

    def _require_any(self, changes: Changes) -> None:
        # Some acts change a file's structure alone, such as Strip().
        if self._chosen or changes:
            return
        raise SelectionError(
            self._nothing(),
            hint="`weightkit show` lists the weights; kind:statistic, for example, selects by kind",
            file=self._store.label,
        )

    def _nothing(self) -> str:
        if self._where is None:
            objections = {skipped.reason for skipped in self._skipped if skipped.ref.kind in self._transform.kinds}
            why = "; ".join(sorted(objections - {_EXCLUDED}))
            return "the file has no parameters that this edit can change" + (f": {why}" if why else "")
        reasons = sorted({skipped.reason for skipped in self._skipped} - {_NOT_SELECTED})
        if reasons == [_EXCLUDED]:
            return f"everything in the selection '{self._where}' is excluded"
        return f"the selection '{self._where}' selects nothing that this edit can change: {'; '.join(reasons)}"


def _be(things: Iterable[object]) -> str:
    return "is" if len(list(things)) == 1 else "are"


def _them(things: Sequence[object]) -> str:
    return "it" if len(things) == 1 else "them"

"""From a selection to a plan: what an edit touches, what it leaves, and what it will not leave undecided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.edits.plan import Plan, Skipped
from weightkit.access.ref import Kind
from weightkit.access.select import Choice, Field, Glob, Selector, combine, escape_pattern, nearest
from weightkit.access.select.selectors import Or
from weightkit.errors import RequestError, SelectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access.edits.plan import Transform
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore

Where = Choice | Iterable[Choice] | None
"""What ``where=`` and ``exclude=`` take: one selection, several, or none."""

_REASONS = {
    Kind.STATISTIC: "statistic, measured from data",
    Kind.STATE: "state, such as a seed or a counter",
    Kind.QUANTIZATION: "quantized",
    Kind.OPTIMIZER: "optimizer state",
    Kind.UNKNOWN: "of unknown kind",
}
_NOT_SELECTED = "not selected"
_EXCLUDED = "excluded"
_SHOWN = 3
_CLOSED = {"kind", "role", "rank", "trainable"}
"""Fields whose values are few and known: one that chooses nothing is no slip of the hand."""


@runtime_checkable
class Surgery(Protocol):
    """What is done to more than values, such as ``drop()``: it makes its own plan."""

    def plan(self, store: WeightStore, where: Where = None, exclude: Where = None) -> Plan:
        """Decide which weights it touches, and what else changes with them."""


def plan_edit(store: WeightStore, act: Transform | Surgery, where: Where = None, exclude: Where = None) -> Plan:
    """Decide which weights of a store an edit changes.

    Raises:
        SelectionError: The selection is malformed, chooses nothing, or leaves a weight undecided.
    """
    if isinstance(act, Surgery):
        return act.plan(store, where, exclude)
    if not hasattr(act, "objection"):
        raise RequestError(f"act must be an act such as Scale(0.5), got {act!r}", hint="give one", file=store.label)
    return choose(store, act, where, exclude)


def choose(store: WeightStore, transform: Transform, where: Where = None, exclude: Where = None) -> Plan:
    """Decide which weights of a store a transform is applied to.

    With no ``where``, these are the parameters. A selection that names a layer, or uses wildcards, changes the
    parameters under it too; statistics join when they are asked for themselves (``kind:statistic``,
    ``bn/moving_mean``). What a transform objects to is left where a wildcard found it and refused where it was
    asked for itself.

    Raises:
        SelectionError: The selection is malformed, chooses nothing, or leaves a weight undecided.
    """
    choice = _Sorting(store, transform, where, exclude)
    return choice.plan()


class _Sorting:
    """One pass over a store's weights; each goes to the chosen, the skipped or the undecided."""

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
        self._require_any()
        notes += self._transform.notes() + self._notes_on_unknown()
        chosen, skipped = tuple(self._chosen), tuple(self._skipped)
        return Plan(
            self._store.label,
            self._transform,
            chosen,
            skipped,
            notes,
            weights=tuple(self._refs),
            ordered=self._store.ordered,
        )

    def _notes_on_unknown(self) -> tuple[str, ...]:
        """A selection settles what is unknown; its owner should know that it did, where kinds matter at all."""
        if Kind.UNKNOWN in self._transform.kinds:
            return ()
        chosen = sum(ref.kind is Kind.UNKNOWN for ref in self._chosen)
        left = sum(
            skipped.ref.kind is Kind.UNKNOWN and skipped.reason == _NOT_SELECTED and is_floating(skipped.ref.dtype)
            for skipped in self._skipped
        )
        notes = []
        if chosen:
            notes.append(f"{chosen} of the chosen are of unknown kind: statistics may be among them")
        if left:
            notes.append(f"{left} not selected are of unknown kind: --like OTHER may tell what they are")
        return tuple(notes)

    def _bound(self, selector: Selector | None) -> Selector | None:
        return None if selector is None else selector.bind(self._refs, ordered=self._store.ordered)

    def _sort(self, ref: WeightRef) -> None:
        if self._exclude is not None and self._exclude(ref):
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
        elif asked_for:
            raise SelectionError(
                f"{ref.path} is selected by itself and cannot be changed: {objection}",
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
            f"nothing in the file tells what {_listed(self._undecided)} {_be(self._undecided)}, and leaving "
            f"{_them(self._undecided)} could leave a half-edited model",
            hint="add --where '**' (where=) to change all floating-point weights, --exclude kind:unknown (exclude=) to "
            "leave these, or --like OTHER (like=) to borrow names from a file of the same model and format",
            file=self._store.label,
        )

    def _require_no_quantized_layer(self) -> None:
        """A layer's integers, scales and bias only mean something together."""
        if Kind.QUANTIZATION in self._transform.kinds:
            return
        quantized = {ref.owner for ref in self._refs if _is_quantized(ref)}
        excluded = {skipped.ref for skipped in self._skipped if skipped.reason == _EXCLUDED}
        touched = [ref for ref in self._chosen if ref.owner in quantized]
        if self._where is None:
            touched = [ref for ref in self._refs if ref.owner in quantized and ref not in excluded]
        if touched:
            layers = sorted({ref.layer or ref.owner for ref in touched})
            raise SelectionError(
                f"quantized layers ({', '.join(layers[:_SHOWN])}{_and_more(len(layers) - _SHOWN)}) cannot be changed "
                "as a whole yet, and their parts only mean something together",
                hint="leave them with " + " ".join(f"--exclude '{escape_pattern(layer)}'" for layer in layers),
                file=self._store.label,
            )

    def _require_any(self) -> None:
        if self._chosen:
            return
        raise SelectionError(
            self._nothing(),
            hint="`weightkit show` lists what is there; kind:statistic and the like ask for it by kind",
            file=self._store.label,
        )

    def _nothing(self) -> str:
        if self._where is None:
            objections = {skipped.reason for skipped in self._skipped if skipped.ref.kind in self._transform.kinds}
            why = "; ".join(sorted(objections - {_EXCLUDED}))
            return "the file holds no parameters that this edit could change" + (f": {why}" if why else "")
        reasons = sorted({skipped.reason for skipped in self._skipped} - {_NOT_SELECTED})
        if reasons == [_EXCLUDED]:
            return f"the selection '{self._where}' is excluded as a whole"
        return f"the selection '{self._where}' chooses only what an edit leaves: {'; '.join(reasons)}"


def missed(where: Selector | None, exclude: Selector | None, refs: Sequence[WeightRef], label: str) -> tuple[str, ...]:
    """Refuse selections that miss, and say which of them do.

    A path that matches nothing is a slip: what it was to choose, or to protect, would be got wrong silently. A field
    or an expression that matches nothing, beside others, gets a sentence.

    Raises:
        SelectionError: ``where`` chooses nothing, or a path among the selections matches nothing.
    """
    if where is not None and not any(map(where, refs)):
        raise _chooses_nothing(where, refs, label)
    notes = []
    for part in (*_parts(where), *_parts(exclude)):
        if any(map(part, refs)):
            continue
        if isinstance(part, Glob):
            raise _chooses_nothing(part, refs, label)
        notes.append(f"the selection {part} matches nothing")
    return tuple(notes)


def _parts(selector: Selector | None) -> tuple[Selector, ...]:
    if selector is None:
        return ()
    return selector.parts if isinstance(selector, Or) else (selector,)


def _chooses_nothing(selector: Selector, refs: Sequence[WeightRef], label: str) -> SelectionError:
    named = [f"name:{selector}"] if any(ref.name == str(selector) for ref in refs) else []
    near = (named + nearest(selector, refs))[:_SHOWN]
    hint = f"did you mean {' or '.join(near)}?" if near else "`weightkit show` lists what is there"
    if near and isinstance(selector, Field) and selector.word in _CLOSED:  # it was meant, and another is no hint
        hint = f"the weights here are {' or '.join(near)}"
    return SelectionError(f"the selection '{selector}' chooses nothing", hint=hint, file=label)


def _is_quantized(ref: WeightRef) -> bool:
    """Whether it stands for other numbers: known to, or bytes among a user's own weights, as in no plain layer."""
    small = ref.dtype.kind in "iu" and ref.dtype.itemsize == 1
    return ref.kind is Kind.QUANTIZATION or (small and ref.kind in {Kind.UNKNOWN, Kind.PARAMETER})


def _listed(refs: Sequence[WeightRef]) -> str:
    return ", ".join(ref.path for ref in refs[:_SHOWN]) + _and_more(len(refs) - _SHOWN)


def _and_more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""


def _be(things: Iterable[object]) -> str:
    return "is" if len(list(things)) == 1 else "are"


def _them(things: Sequence[object]) -> str:
    return "it" if len(things) == 1 else "them"

"""Find the differences between two open stores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access import Kind, Match, match
from weightkit.access.dequantize import QuantizedPairs
from weightkit.compare.hypotheses import Rounded
from weightkit.compare.renames import with_renames
from weightkit.compare.result import Diff, Status, WeightDiff, is_optimizer, ranked
from weightkit.compare.selection import Selection
from weightkit.compare.sentences import quantized as in_words
from weightkit.compare.sentences import what_happened
from weightkit.compare.value_comparison import compare
from weightkit.errors import RequestError, SelectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weightkit.access import By, WeightRef, WeightStore, Where
    from weightkit.compare.measures import Measures, Tolerance
    from weightkit.compare.pair import Compared


def compared(
    ours: WeightStore,
    theirs: WeightStore,
    tolerance: Tolerance,
    *,
    where: Where = None,
    exclude: Where = None,
    by: By = "auto",
    progress: Callable[[int], None] | None = None,
) -> Diff:
    """Match, select, measure, and say what happened; see `weightkit.diff`."""
    selected = Selection(where, exclude, (ours, theirs))
    found = _matched(ours, theirs, by)
    pairs = [(a, b) for a, b in found.pairs.items() if selected(a, b)]
    quantized = QuantizedPairs(pairs, ours, theirs)
    sides = [
        quantized.without_helpers(_alone(found.missing, lambda ref: selected(ref, None)), 0),
        quantized.without_helpers(_alone(found.unused, lambda ref: selected(None, ref)), 1),
    ]
    results = [_not_compared(pair, why) for pair, why in quantized.refused.items()]
    read_as = [quantized.read_as(pair) for pair in pairs if pair not in quantized.refused]
    results += [_reshaped(a, b) for a, b in read_as if a.size != b.size]
    work = compare(*quantized.stores, [(a, b) for a, b in read_as if a.size == b.size], tolerance, progress)
    results += [_quantized(pair, quantized, tolerance) or _paired(pair, tolerance) for pair in work]
    results, notes = _with_one_sided(results, sides, (ours, theirs))
    if not results and not notes and (where or exclude):
        raise SelectionError("the selection leaves nothing to compare", hint="`weightkit show` lists the weights")
    training = [result for result in results if is_optimizer(result)]
    model = [result for result in results if not is_optimizer(result)]
    notes += [*quantized.notes(), *_renames(model), *_swaps(work)]
    # Once, where a store is compared with itself.
    of_files = dict.fromkeys(f"{store.label}: {note}" for store in (ours, theirs) for note in store.notes)
    return Diff(ours.label, theirs.label, found, ranked(model), ranked(training), (*of_files, *notes))


def _matched(ours: WeightStore, theirs: WeightStore, by: By) -> Match:
    """Match by name or structure; if neither decides, by name with renamed layers, else by what says less."""
    try:
        return with_renames(match(ours, theirs, by, strict=True), ours, theirs)
    except RequestError:
        if by != "auto":
            raise
    named = match(ours, theirs, "name")
    found = with_renames(named, ours, theirs)  # values say more than the order
    return match(ours, theirs) if found is named else found


def _alone(refs: Iterable[WeightRef], selected: Callable[[WeightRef], bool]) -> list[WeightRef]:
    return [ref for ref in refs if selected(ref)]


def _reshaped(ours: WeightRef, theirs: WeightRef) -> WeightDiff:
    return _difference(ours, theirs, Status.RESHAPED, None, "reshaped", _shapes(ours, theirs))


def _difference(
    ours: WeightRef, theirs: WeightRef, status: Status, measures: Measures | None, label: str, *more: str
) -> WeightDiff:
    """A pair with everything that happened to it in words."""
    renamed = Match.is_renamed(ours, theirs)
    words = (label if status is not Status.RENAMED else "", *more, f"renamed to {theirs.layer}" if renamed else "")
    what = ", ".join(dict.fromkeys(word for word in words if word))
    return WeightDiff(ours, theirs, status, measures, label, what, renamed)


def _not_compared(pair: tuple[WeightRef, WeightRef], why: str) -> WeightDiff:
    return _difference(*pair, Status.RETYPED, None, "cannot be compared", why)


def _quantized(pair: Compared, quantized: QuantizedPairs, tolerance: Tolerance) -> WeightDiff | None:
    """Two weights of which one is quantized, compared by the real numbers; None for any others."""
    stored = quantized.stored((pair.ours, pair.theirs))
    if stored is None:
        return None
    measures = pair.measures
    label = in_words(quantized.types(stored), what_happened(measures, pair.hypothesis))
    close = bool(tolerance) and not measures.outside
    found = _difference(*stored, Status.CLOSE if close else Status.RETYPED, measures, label)
    return replace(found, compared_as=pair.ours.shape)


def _shapes(ours: WeightRef, theirs: WeightRef) -> str:
    return f"from {ours.shape_text} to {theirs.shape_text}"


def _paired(pair: Compared, tolerance: Tolerance) -> WeightDiff:
    ours, theirs, measures = pair.ours, pair.theirs, pair.measures
    act = "with the values of" if pair.swapped is None else "swapped with"
    elsewhere = "" if pair.source is None else f"{act} {pair.source.ours.path}"
    what = elsewhere or pair.moved or what_happened(measures, pair.hypothesis)
    if ours.shape != theirs.shape:
        shapes = _shapes(ours, theirs)
        return _difference(ours, theirs, Status.RESHAPED, measures, "reshaped", shapes, what or "the same values")
    if not Match.same_type(ours, theirs) and not (tolerance and not measures.outside):
        return _difference(ours, theirs, Status.RETYPED, measures, _types(pair, what))
    if measures.outside:
        found = _difference(ours, theirs, Status.DIFFERS, measures, what)
        return replace(found, label=f"{act} another") if elsewhere else found
    if Match.is_renamed(ours, theirs):
        return _difference(ours, theirs, Status.RENAMED, measures, "renamed", what)
    return WeightDiff(ours, theirs, Status.CLOSE if measures.changed else Status.EQUAL, measures, what=what)


def _types(pair: Compared, what: str) -> str:
    """A cast if it explains the values, else the cast and what else happened."""
    cast = f"cast from {pair.ours.dtype_text} to {pair.theirs.dtype_text}"
    return cast if not what or isinstance(pair.hypothesis, Rounded) else f"{cast} and {what}"


_OF_TRAINING: dict[str, Callable[[WeightRef], bool]] = {
    "optimizer state": lambda ref: ref.kind is Kind.OPTIMIZER,
    "state of metrics": Match.is_of_metric,
}
"""What is no difference where only one of the two has it."""


def _with_one_sided(
    results: list[WeightDiff], sides: Sequence[list[WeightRef]], stores: tuple[WeightStore, WeightStore]
) -> tuple[list[WeightDiff], list[str]]:
    """Add weights that only one side has; those that only its format stores get a note, and are not differences."""
    notes: list[str] = []
    for status, refs, store, other in zip((Status.MISSING, Status.EXTRA), sides, stores, stores[::-1], strict=True):
        for what, belongs in _OF_TRAINING.items():
            training = list(filter(belongs, refs))
            if training and not any(map(belongs, other)):
                notes.append(f"only {store.label} has {what} ({_weights(training)})")
                refs = [ref for ref in refs if not belongs(ref)]  # noqa: PLW2901
        counters = [ref for ref in refs if Match.is_counter(ref)]
        if counters and store.format != other.format:
            notes.append(f"only {store.label} has seeds and counters ({_weights(counters)})")
            refs = [ref for ref in refs if not Match.is_counter(ref)]  # noqa: PLW2901
        results += [_alone_there(ref, status) for ref in refs]
    return results, notes


def _alone_there(ref: WeightRef, status: Status) -> WeightDiff:
    ours, theirs = (ref, None) if status is Status.MISSING else (None, ref)
    return WeightDiff(ours, theirs, status, label=str(status), what=str(status))


def _renames(results: Iterable[WeightDiff]) -> list[str]:
    layers = {
        (found.ours.layer, found.theirs.layer) for found in results if found.is_renamed and found.ours and found.theirs
    }
    # By text, since a layer without a name is None, which does not sort.
    return [f"layer {old} is renamed to {new} in the second" for old, new in sorted(layers, key=str)]


def _swaps(work: Iterable[Compared]) -> list[str]:
    """Layers of which everything that changed is in the other one."""
    partners: dict[str | None, set[str | None]] = {}
    for pair in work:
        if pair.measures.changed:
            partners.setdefault(pair.ours.layer, set()).add(None if pair.swapped is None else pair.swapped.ours.layer)
    places = {(layer, other) for layer, (other, *more) in partners.items() if layer and other and not more}
    return [f"layers {layer} and {other} changed places" for layer, other in sorted(places) if layer < other]


def _weights(refs: list[WeightRef]) -> str:
    return "1 weight" if len(refs) == 1 else f"{len(refs)} weights"

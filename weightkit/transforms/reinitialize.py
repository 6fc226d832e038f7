"""Draw weights anew, as they began or by a given initializer."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.addresses import addresses
from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.edits.choose import Where, choose
from weightkit.access.ref import Kind
from weightkit.access.store import ALL
from weightkit.errors import RequestError, SelectionError
from weightkit.transforms.initializers import Draws, get
from weightkit.transforms.initializers.configured_initializer import own_initializer
from weightkit.transforms.initializers.numbers import is_held_by, shortened
from weightkit.transforms.initializers.sizes import size_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weightkit.access.edits.plan import Plan
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore
    from weightkit.transforms.initializers import Initializer

_NEVER = {
    Kind.OPTIMIZER: "it is optimizer state, which a new optimizer begins",
    Kind.QUANTIZATION: "it belongs to a quantized layer, whose integers and scales stay as they are",
    Kind.STATE: "it is state, such as a seed or a counter",
}
_LARGEST_FRESH_SEED = 1 << 32  # short enough to be typed
_SHOWN = 3
_HINT = (
    "add --initializer NAME (initializer=), such as he_normal, to say how they begin, --like OTHER (like=) to take it "
    "from a file of the model with its configuration, or --exclude (exclude=) to leave them as they are"
)


@dataclass(frozen=True, slots=True)
class Reinitialize:
    """Draw weights anew; made by `reinitialize`."""

    initializer: Initializer | None
    """None takes each layer's own."""
    seed: int
    said: str = field(default="", compare=False)
    """The initializer as it was named."""
    drawn: Mapping[WeightRef, tuple[Initializer, Draws]] = field(default_factory=dict, compare=False)
    """How each weight of a store is drawn; empty before it is planned."""

    def __repr__(self) -> str:
        how = "" if self.initializer is None else f"{self.said or repr(self.initializer)!r}, "
        return f"reinitialize({how}seed={self.seed})"

    @property
    def elementwise(self) -> bool:
        """It is, but for the weights that `whole` names."""
        return True

    @property
    def kinds(self) -> frozenset[Kind]:
        """A layer's own initializers reset its statistics too; one given for all would make nonsense of them."""
        return frozenset({Kind.PARAMETER} if self.initializer else {Kind.PARAMETER, Kind.STATISTIC})

    def plan(self, store: WeightStore, where: Where = None, exclude: Where = None) -> Plan:
        """Which weights of a store are drawn anew, and how each.

        Raises:
            SelectionError: The selection is malformed, chooses nothing, or leaves a weight undecided; or nothing tells
                how a chosen weight begins.
        """
        sources = _Sources(store, self)
        steady = getattr(store, "steady", contextlib.nullcontext)  # a model in memory: each layer is asked once
        with steady():
            chosen = choose(store, sources, where, exclude)
        sources.require_all(chosen.chosen)
        drawn = {ref: sources.drawn[ref] for ref in chosen.chosen}
        notes = (*chosen.notes, *_notes(store, chosen.chosen, self.initializer))
        return replace(chosen, transform=replace(self, drawn=drawn), notes=notes)

    def dtype(self, ref: WeightRef) -> np.dtype:
        """The weight's own."""
        return ref.dtype

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be drawn anew; empty where it can."""
        if ref.kind in _NEVER:
            return _NEVER[ref.kind]
        if not is_floating(ref.dtype):
            return f"it holds {ref.dtype}, and only floating-point numbers are drawn"
        return ""

    def notes(self) -> tuple[str, ...]:
        """The seed, with which the same is drawn again."""
        return (f"the seed is {self.seed}: the same seed draws the same again",)

    def whole(self, ref: WeightRef) -> bool:
        """Whether this weight has to be drawn whole, as an orthogonal matrix has."""
        return not self.drawn[ref][0].elementwise

    def rebound(self, pairs: Mapping[WeightRef, WeightRef]) -> Reinitialize:
        """The same draws for the references of another store, by those of the store that it was planned on."""
        return replace(self, drawn={theirs: self.drawn[ref] for ref, theirs in pairs.items()})

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        """Elements of the new weight, drawn in float64 and rounded to the type of the values."""
        if ref not in self.drawn:
            raise RequestError(f"nothing has been planned for {ref.path}", hint="make a plan of the store first")
        initializer, draws = self.drawn[ref]
        first, last, _ = span.indices(ref.size)
        return initializer(ref.shape, draws, first, last).astype(values.dtype).reshape(values.shape)


def reinitialize(initializer: object = None, *, seed: int | None = None) -> Reinitialize:
    """Draw weights anew, as each layer's own configuration says they began, or all by one initializer.

    A configuration leaves some of it unsaid, and that is done as well: an LSTM's forget gate begins open (a bias of
    one), gains and moving variances at one, moving means at zero. Seeds and optimizer state stay.

    The numbers are keyed by the seed and by each weight's address: they do not depend on other weights, and a model
    gets the same as the file that it is loaded from. They are drawn anew in that a layer's own seeds are left aside.

    Args:
        initializer: None for each layer's own; else one of Keras' by name (``he_normal``), by name with arguments
            (``random_normal(stddev=0.02)``), as configuration (``{"class_name": "HeNormal", "config": {}}``) or as
            object. It is then drawn for parameters alone, unless statistics are asked for.
        seed: Any integer from 0 on; the same one draws the same again. None takes a fresh one, which the result's
            ``repr`` and every report tell.

    Raises:
        RequestError: The initializer is none of Keras', or the seed no such integer.

    Example:
        >>> from weightkit import reinitialize
        >>> reinitialize("he_normal", seed=7)
        reinitialize('he_normal', seed=7)
    """
    if seed is None:
        seed = secrets.randbelow(_LARGEST_FRESH_SEED)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise RequestError(f"the seed is {seed!r}", hint="give an integer from 0 on, such as 7")
    found = None if initializer is None else get(initializer)
    return Reinitialize(found, int(seed), initializer if isinstance(initializer, str) else "")


class _Sources:
    """The transform while it is planned: it finds out how each weight is to be drawn."""

    def __init__(self, store: WeightStore, act: Reinitialize) -> None:
        self._store, self._act = store, act
        self._addresses = addresses(store)
        self.drawn: dict[WeightRef, tuple[Initializer, Draws]] = {}
        self._untold: dict[WeightRef, str] = {}

    @property
    def elementwise(self) -> bool:
        return self._act.elementwise

    @property
    def kinds(self) -> frozenset[Kind]:
        return self._act.kinds

    def dtype(self, ref: WeightRef) -> np.dtype:
        return self._act.dtype(ref)

    def notes(self) -> tuple[str, ...]:
        return self._act.notes()

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        return replace(self._act, drawn=self.drawn)(ref, values, span)

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be drawn anew; what nothing tells of is told at the end, all at once."""
        if objection := self._act.objection(ref):
            return objection
        try:
            initializer = self._act.initializer or self._own(ref)
        except RequestError as error:
            self._untold[ref] = error.problem
            return ""
        if objection := initializer.objection(ref.shape):
            return objection
        if not is_held_by(ref.dtype, size_of(initializer)):
            raise RequestError(
                f"{ref.path} holds {ref.dtype}, and {shortened(initializer)} makes {size_of(initializer):g}, infinite "
                "there",
                hint="give smaller numbers, or cast the weights to a wider type first",
                file=self._store.label,
            )
        self.drawn[ref] = (initializer, Draws(self._act.seed, self._addresses[ref]))
        return ""

    def _own(self, ref: WeightRef) -> Initializer:
        """The weight's own initializer; one that does not fit it cannot be what it began by, so nothing tells."""
        initializer = own_initializer(self._store, ref)
        if objection := initializer.objection(ref.shape):
            raise RequestError(objection)
        return initializer

    def require_all(self, chosen: Sequence[WeightRef]) -> None:
        """Refuse an edit of which a part has nothing that tells how it begins."""
        untold = [ref for ref in chosen if ref not in self.drawn]
        if untold:
            listed = ", ".join(ref.path for ref in untold[:_SHOWN])
            more = f" and {len(untold) - _SHOWN} more" if len(untold) > _SHOWN else ""
            raise SelectionError(
                f"nothing tells how {listed}{more} began: {self._untold[untold[0]]}", hint=_HINT, file=self._store.label
            )


def _notes(store: WeightStore, chosen: Sequence[WeightRef], initializer: Initializer | None) -> tuple[str, ...]:
    """What the owner should know of these weights."""
    notes = []
    unnamed = sum(ref.layer is None or ref.name is None for ref in chosen)
    if unnamed:
        notes.append(
            f"{unnamed} of the chosen have no names in {store.label} and are drawn by their places: a model that is "
            "loaded from it draws them otherwise, and --like OTHER (like=) gives the names"
        )
    vectors = sum(len(ref.shape) < 2 for ref in chosen)  # noqa: PLR2004  # a matrix has two axes
    if initializer is not None and 0 < vectors < len(chosen):
        notes.append(f"{vectors} of the chosen are biases, gains or other vectors: --where role:kernel leaves them")
    if any(ref.layer_class == "Normalization" for ref in chosen):
        notes.append("Normalization forgets what it measured: call its adapt() again")
    if any(ref.kind is Kind.OPTIMIZER for ref in store):
        notes.append(
            "the optimizer's state stays, with what it has gathered of the weights as they were: "
            "`weightkit strip` takes it out"
        )
    return tuple(notes)

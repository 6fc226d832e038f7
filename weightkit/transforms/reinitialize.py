"""Re-initialize weights with each layer's own initializer, or with a given one."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access import ALL, Kind, Transform, draw_addresses, edit, is_floating
from weightkit.errors import RequestError, SelectionError
from weightkit.text import listed
from weightkit.transforms.initializers import Draws, get, require_seed
from weightkit.transforms.initializers.configured_initializer import own_initializer
from weightkit.transforms.initializers.kernel_initializer import for_kernel
from weightkit.transforms.initializers.numbers import is_held_by, shortened
from weightkit.transforms.initializers.sizes import size_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np

    from weightkit.access import Changes, Report, Target, WeightRef, WeightStore, Where
    from weightkit.transforms.initializers import Initializer

_NEVER = {
    Kind.OPTIMIZER: "it is optimizer state, which a new optimizer starts again",
    Kind.QUANTIZATION: "it belongs to a quantized layer, whose integers and scales stay unchanged",
    Kind.STATE: "it is state, such as a seed or a counter",
}
_ADAPTED = "idf_weights"
"""The document frequencies of TextVectorization and the lookups."""
_LARGEST_FRESH_SEED = 1 << 32  # short enough to be typed
_HINT = (
    "give --initializer NAME (initializer=), such as he_normal, --like OTHER (like=) to use the configuration in "
    "another file of the model, or --exclude (exclude=) to leave them unchanged"
)
_HINT_FANS = (
    "give --like OTHER (like=), a whole model whose configuration says it, an initializer that needs no fans, such as "
    "--initializer 'random_normal(stddev=0.05)', or --exclude (exclude=) to leave them unchanged"
)


@dataclass(frozen=True, slots=True, init=False)
class Reinitialize(Transform):
    """Re-initialize weights with each layer's own initializer, or all with one initializer.

    Where a configuration names no initializer, Keras' rules apply: an LSTM's forget gate starts open (a bias of one),
    gains and moving variances start at one, moving means at zero. Seeds and optimizer state stay unchanged.

    The numbers are keyed by the seed and by each weight's address: they do not depend on other weights, and a model
    gets the same numbers as the file that it is loaded from. A layer's own seeds are not used.

    Args:
        initializer: None for each layer's own; else a built-in Keras initializer by name (``he_normal``), by name with
            arguments (``random_normal(stddev=0.02)``), as a configuration (``{"class_name": "HeNormal", "config":
            {}}``) or as an object. It then applies only to parameters, unless statistics are selected.
        seed: Any integer >= 0; the same seed gives the same weights. None takes a new random seed, which the ``repr``
            and every report show.

    Raises:
        RequestError: The initializer is not a built-in Keras initializer, or the seed is not such an integer.

    Example:
        >>> from weightkit import Reinitialize
        >>> Reinitialize("he_normal", seed=7)
        Reinitialize('he_normal', seed=7)
    """

    initializer: Initializer | None
    """None means each layer's own."""
    seed: int
    spec: str = field(compare=False)
    """The initializer as given; empty if it was not given as text."""
    drawn: Mapping[WeightRef, tuple[Initializer, Draws]] = field(compare=False)
    """How each weight of a store is drawn; empty before it is planned."""

    def __init__(self, initializer: object = None, *, seed: int | None = None) -> None:
        values: dict[str, object] = {
            "initializer": None if initializer is None else get(initializer),
            "seed": _seed(seed),
            "spec": initializer if isinstance(initializer, str) else "",
            "drawn": {},
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        how = "" if self.initializer is None else f"{self.spec or repr(self.initializer)!r}, "
        return f"Reinitialize({how}seed={self.seed})"

    def drawing(self, drawn: Mapping[WeightRef, tuple[Initializer, Draws]]) -> Reinitialize:
        """The same, with an initializer and draws for each weight."""
        # `dataclasses.replace` would call `__init__`, which takes other arguments.
        known = copy.copy(self)
        object.__setattr__(known, "drawn", drawn)
        return known

    @property
    def kinds(self) -> frozenset[Kind]:
        """A layer's own initializers also reset its statistics; one given initializer makes no sense for them."""
        return frozenset({Kind.PARAMETER} if self.initializer else {Kind.PARAMETER, Kind.STATISTIC})

    @property
    def reads_models(self) -> bool:
        """False: the initializers are known by then."""
        return False

    def on(self, store: WeightStore) -> Transform:
        """A transform that finds out how each weight of this store is initialized."""
        return _Sources(store, self)

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be re-initialized; empty if it can."""
        if ref.kind in _NEVER:
            return _NEVER[ref.kind]
        if not is_floating(ref.dtype):
            return f"it holds {ref.dtype_text}, and only floating-point numbers can be re-initialized"
        if ref.kind is Kind.STATISTIC and ref.name == _ADAPTED:
            return "it is computed by adapt() and has no initializer"
        return ""

    def notes(self) -> tuple[str, ...]:
        """The seed, which gives the same weights again."""
        return (f"the seed is {self.seed}: the same seed gives the same weights",)

    def whole(self, ref: WeightRef) -> bool:
        """Whether this weight must be drawn whole, such as an orthogonal matrix."""
        return not self.drawn[ref][0].elementwise

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:  # noqa: ARG002
        """What the user should know about these weights."""
        return _notes(store, chosen, self.initializer)

    def rebound(self, pairs: Mapping[WeightRef, WeightRef]) -> Reinitialize:
        """The same draws for another store; ``pairs`` maps the planned references to the new ones."""
        return self.drawing({theirs: self.drawn[ref] for ref, theirs in pairs.items()})

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        """Elements of the new weight, drawn in float64 and rounded to the type of the values."""
        if ref not in self.drawn:
            raise RequestError(f"{ref.path} is not in the plan", hint="make a plan of the store first")
        initializer, draws = self.drawn[ref]
        first, last, _ = span.indices(ref.size)
        return initializer(ref.shape, draws, first, last).astype(values.dtype).reshape(values.shape)


def reinitialize(
    target: Target,
    initializer: object = None,
    where: Where = None,
    exclude: Where = None,
    *,
    seed: int | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    like: Target | None = None,
    allow_nonfinite: bool = False,
    dry_run: bool = False,
) -> Report:
    """Re-initialize weights: ``edit(target, Reinitialize(initializer, seed=seed))``.

    Without ``initializer``, each layer's own initializers are used; without ``seed``, a new random seed, which the
    report shows. The other arguments are those of `edit`.

    Raises:
        WeightkitError: As `Reinitialize` and `edit` do.

    Example:
        >>> reinitialize("model.keras", seed=7, where="encoder").backup  # doctest: +SKIP
    """
    return edit(
        target,
        Reinitialize(initializer, seed=seed),
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


def _seed(seed: object) -> int:
    if seed is None:
        # Not NumPy's global generator, which a script may have seeded: runs would get one "random" seed.
        return secrets.randbelow(_LARGEST_FRESH_SEED)
    return require_seed(seed)


class _Sources(Transform):
    """The transform while it is planned: it finds out how each weight is initialized."""

    __slots__ = ("_act", "_addresses", "_problems", "_store", "drawn")

    def __init__(self, store: WeightStore, act: Reinitialize) -> None:
        self._store, self._act = store, act
        self._addresses = draw_addresses(store)
        self.drawn: dict[WeightRef, tuple[Initializer, Draws]] = {}
        self._problems: dict[WeightRef, str] = {}

    @property
    def kinds(self) -> frozenset[Kind]:
        return self._act.kinds

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        return self._act.drawing(self.drawn)(ref, values, span)

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be re-initialized; weights without an initializer are reported at the end."""
        if objection := self._act.objection(ref):
            return objection
        given = self._act.initializer
        try:
            initializer = self._own(ref) if given is None else for_kernel(given, self._store, ref)
        except RequestError as error:
            self._problems[ref] = error.problem
            return ""
        if objection := initializer.objection(ref.shape):
            return objection
        # Raised, since a returned objection would skip this weight and re-initialize the others.
        if not is_held_by(ref.dtype, size_of(initializer)):
            raise RequestError(
                f"{shortened(initializer)} must give finite numbers in {ref.dtype}, the dtype of {ref.path}, got "
                f"{size_of(initializer):g}",
                hint="give smaller numbers, or cast the weights to a wider dtype first",
                file=self._store.label,
            )
        self.drawn[ref] = (initializer, Draws(self._act.seed, self._addresses[ref]))
        return ""

    def _own(self, ref: WeightRef) -> Initializer:
        """The weight's own initializer; one that does not fit its shape cannot be the right one."""
        initializer = own_initializer(self._store, ref)
        if objection := initializer.objection(ref.shape):
            raise RequestError(objection)
        return initializer

    def settled(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Reinitialize:  # noqa: ARG002  # its own
        """The transform, with an initializer for each selected weight.

        Raises:
            SelectionError: The initializer of one of them is not known.
        """
        self._require_all(chosen)
        return self._act.drawing({ref: self.drawn[ref] for ref in chosen})

    def _require_all(self, chosen: Sequence[WeightRef]) -> None:
        unknown = [ref for ref in chosen if ref not in self.drawn]
        if unknown:
            own = self._act.initializer is None
            raise SelectionError(
                f"the {'initializer' if own else 'fans'} of {listed(ref.path for ref in unknown)} "
                f"{'is' if own else 'are'} not known: {self._problems[unknown[0]]}",
                hint=_HINT if own else _HINT_FANS,
                file=self._store.label,
            )


def _notes(store: WeightStore, chosen: Sequence[WeightRef], initializer: Initializer | None) -> tuple[str, ...]:
    """What the user should know about these weights."""
    notes = []
    unnamed = sum(ref.layer is None or ref.name is None for ref in chosen)
    if unnamed:
        notes.append(
            f"{unnamed} of the selected weights have no names in {store.label}, so their structural addresses key the "
            "draws: a model loaded from it gets other numbers; --like OTHER (like=) gives the names"
        )
    vectors = sum(len(ref.shape) < 2 for ref in chosen)  # noqa: PLR2004  # a matrix has two axes
    if initializer is not None and 0 < vectors < len(chosen):
        notes.append(
            f"{vectors} of the selected weights are biases, gains or other vectors: --where role:kernel skips them"
        )
    if any(ref.layer_class == "Normalization" for ref in chosen):
        notes.append("Normalization loses its statistics: call its adapt() again")
    if any(ref.kind is Kind.OPTIMIZER for ref in store):
        notes.append("the optimizer's state stays, and belongs to the old weights: `weightkit strip` removes it")
    return tuple(notes)

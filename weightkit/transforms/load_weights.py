"""Load weights: from a file into a model, from a model into a file, between files of any formats."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, get_args

from weightkit.access import ALL, By, FileStore, Kind, Match, Transform, edit
from weightkit.access import match as match_stores
from weightkit.access.suggest import suggest
from weightkit.errors import RequestError, UnmatchedError
from weightkit.transforms.loading import (
    MEAN_ROWS,
    DataFormat,
    HardSigmoid,
    Loaded,
    Loading,
    OnMismatch,
    OnMissing,
    Resizing,
    how_matched,
    loaded,
    require_all,
    steps,
    way_out,
)
from weightkit.transforms.source_reader import PlannedSource, SourceReader
from weightkit.transforms.two_files import require_two_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self

    import numpy as np

    from weightkit.access import Changes, Report, Target, WeightRef, WeightStore, Where

# Typed as Any, so that `reader` is never optional for those who read it.
_UNSET: Any = None
_BACKENDS = ("theano", "tensorflow", "cntk")


@dataclass(frozen=True, slots=True)
class LoadWeights(Transform):
    """Copy the values of the matching weights of another file, model or open store.

    Weights are matched as `match` does, for any two formats. A source that is a part of the target, such as a backbone
    in a model with a new head, or the other way round, is found; what is beside it stays unchanged. Values of another
    floating-point type are rounded once. The optimizer's state stays unchanged.

    Args:
        source: Path of a weight file; a model, a layer or a list of variables of Keras 3; or an open store, which
            must stay open until the edit is done.
        match: How to match weights: ``name``, ``structure``, ``order`` or ``shape``; ``auto`` takes the first of these
            that decides.
        rename: Addresses in the source, as globs, to those in the target: ``{"predictions": "logits"}``,
            ``{"model_1/**": "**"}``; see `match`.
        source_at: The layer of the source that is loaded, in place of all of it.
        target_at: The layer of the target that is filled, in place of all of it.
        on_missing: With a weight that a matched source does not have: ``error``, or ``skip`` to leave it as it is.
        on_mismatch: With a weight of another shape: ``error``, ``skip``, or ``resize`` by what it is: vocabularies,
            learned positions, channels of images. A head for other classes is left as it is then.
        backend: The backend that wrote the source, where its file does not say it: ``theano``, ``tensorflow``,
            ``cntk``. The kernels of Theano's convolutions are mirrored.
        data_format: Where its images have their channels, where its file does not say it: ``channels_first`` or
            ``channels_last``.
        hard_sigmoid: ``rescale`` makes gates of older recurrent layers, whose function Keras 3 has changed, compute the
            same; ``keep`` copies their numbers, and the report says so.
        resizing: How to resize.
        dequantize: Whether to fill float layers from quantized ones (int8, int4, GPTQ, AWQ, float8) with the real
            numbers that these compute with, in float32. Without it, such layers are refused, but for float8, whose own
            numbers are copied as they are.

    Raises:
        RequestError: One of these is something else.

    Example:
        >>> from weightkit import LoadWeights
        >>> LoadWeights("model.h5", match="name")
        LoadWeights('model.h5', match='name')
    """

    source: Target
    match: By = "auto"
    rename: Mapping[str, str] = field(default_factory=dict, hash=False)
    source_at: str | None = None
    target_at: str | None = None
    on_missing: OnMissing = "error"
    on_mismatch: OnMismatch = "error"
    backend: str | None = None
    data_format: DataFormat | None = None
    hard_sigmoid: HardSigmoid = "keep"
    resizing: Resizing = MEAN_ROWS
    dequantize: bool = False
    pairs: Mapping[WeightRef, WeightRef] = field(default_factory=dict, compare=False)
    """The weight of the source that each weight is copied from, as it is read; empty before it is planned."""
    found: Match | None = field(default=None, compare=False, repr=False)
    """How they were matched; None before it is planned."""
    made: Loaded = field(default=Loaded(), compare=False, repr=False)
    """How weights are made that are not simply copied, and which stay as they are."""
    planned: PlannedSource | None = field(default=None, compare=False, repr=False)
    """The source as it was when this was planned; None before."""
    reader: SourceReader = field(default=_UNSET, compare=False)
    """Opens the source and reads it."""

    def __post_init__(self) -> None:
        for name, kind in (
            ("match", By), ("on_missing", OnMissing), ("on_mismatch", OnMismatch), ("hard_sigmoid", HardSigmoid),
        ):  # fmt: skip
            _require_one_of(name, getattr(self, name), get_args(kind))
        for name, known in (("backend", _BACKENDS), ("data_format", get_args(DataFormat))):
            if getattr(self, name) is not None:
                _require_one_of(name, getattr(self, name), known)
        _require_a("resizing", self.resizing, Resizing)
        _require_a("dequantize", self.dequantize, bool)
        if self.reader is _UNSET:
            object.__setattr__(self, "reader", SourceReader(self.source))

    def __repr__(self) -> str:
        # What a user gives is compared, and what planning adds is not.
        _, *options = (one for one in fields(self) if one.compare)
        given = ((one.name, getattr(self, one.name), one.default) for one in options)
        shown = (f", {name}={value!r}" for name, value, default in given if value not in (default, {}))
        return f"LoadWeights({self.reader.name}{''.join(shown)})"

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

    @property
    def reads_models(self) -> bool:
        """Whether the source is, or may be, a model in memory."""
        return not isinstance(self.source, str | os.PathLike | FileStore)

    def require_apart(self, store: WeightStore, output: Path | None = None) -> None:
        """Check that the source is another file than the one that is changed, and than the output.

        Raises:
            RequestError: It is the same.
        """
        require_two_files(store, self.source)
        if output is not None:
            require_two_files(output, self.source, "output")

    def on(self, store: WeightStore) -> LoadWeights:
        """The same, matched with the weights of this store.

        Raises:
            RequestError: Nothing settles which weight is which.
        """
        with self.reader.plain as source:
            found = self._matched(store, source)
            planned = PlannedSource(source.label, frozenset(source), source.notes)
            made = loaded(found, store, source, self._loading)
            if self.target_at is not None:
                outside = self._outside(store, found)
                made = replace(made, left=dict(made.left) | outside, outside=frozenset(outside))
        reader = self.reader.dequantizing(made.real)
        return replace(self, pairs=made.pairs, found=found, made=made, planned=planned, reader=reader)

    def _outside(self, store: WeightStore, found: Match) -> dict[WeightRef, str]:
        """Why the weights stay as they are that are not in the layer that is filled."""
        inside = {*found.pairs, *found.missing, *found.fresh}
        return {ref: f"it is not in {self.target_at}" for ref in store if ref not in inside}

    def _matched(self, store: WeightStore, source: WeightStore) -> Match:
        rename, source_at, target_at = self.rename, self.source_at, self.target_at
        try:
            return match_stores(store, source, self.match, rename=rename, source_at=source_at, target_at=target_at)
        except UnmatchedError as error:
            # A proposal is for the whole of both.
            proposed = suggest(store, source).rename if source_at is None and target_at is None else {}
            raise RequestError(error.problem, hint=way_out(error, len(proposed)), file=store.label) from None

    @property
    def _loading(self) -> Loading:
        return Loading(
            self.on_missing,
            self.on_mismatch,
            self.backend,
            self.data_format,
            self.hard_sigmoid,
            self.resizing,
            self.source_at,
            self.dequantize,
        )

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be copied into; empty if it can."""
        if Match.trains(ref):
            what = "optimizer state" if ref.kind is Kind.OPTIMIZER else "a metric's state"
            return f"it is {what}, which belongs to one training run"
        return self.made.left.get(ref, "")

    def concerns(self, ref: WeightRef) -> bool:
        """Whether it is in the layer that is filled."""
        return ref not in self.made.outside

    def settled(self, store: WeightStore, chosen: Sequence[WeightRef]) -> LoadWeights:
        """The same, if every selected weight has one to copy from.

        Raises:
            SelectionError: One has no counterpart of its shape and type.
        """
        require_all(chosen, self.pairs, self.made, self._there, store.label)
        return self

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:  # noqa: ARG002
        """How weights were matched and made, which of the source are not used, and what its store notes."""
        if self.found is None or self.planned is None:
            return ()
        matched = how_matched(self.found, self.made, chosen, self._sources(chosen), self._there)
        of_source = (f"{self._label}: {note}" for note in self.planned.notes)
        return (*matched, *steps(self.made, chosen), *self.made.notes, *of_source)

    def rebound(self, pairs: Mapping[WeightRef, WeightRef]) -> LoadWeights:
        """The same for another store; ``pairs`` maps the planned references to the new ones."""
        made = {theirs: self.made.of[ref] for ref, theirs in pairs.items() if ref in self.made.of}
        copied = {theirs: self.pairs[ref] for ref, theirs in pairs.items() if ref in self.pairs}
        return replace(self, pairs=copied, made=replace(self.made, of=made))

    def whole(self, ref: WeightRef) -> bool:
        """Whether this weight is made of others, not copied."""
        return ref in self.made.of

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        """The source's values of the same elements, in the source's type; what is made of others, as a whole."""
        made = self.made.of.get(ref)
        if made is not None:
            return made(*(self.reader.read(one, ALL) for one in made.sources)).reshape(values.shape)
        return self.reader.read(self.pairs[ref], span).reshape(values.shape)

    def _sources(self, chosen: Sequence[WeightRef]) -> set[WeightRef]:
        """The weights of the source that these are made of, as they are stored, with the scales of quantized ones."""
        made = (ref for one in chosen if one in self.made.of for ref in self.made.of[one].sources)
        read = {*made, *(self.pairs[ref] for ref in chosen if ref not in self.made.of)}
        real = self.made.real
        helpers = (helper for ref in read if ref in real.weights for helper in real.weights[ref].helpers)
        return {*map(real.stored, read), *helpers}

    @property
    def _there(self) -> str:
        """What messages call what is loaded."""
        return self._label if self.source_at is None else f"{self.source_at} of {self._label}"

    @property
    def _label(self) -> str:
        return self.reader.name if self.planned is None else self.planned.label


def load_weights(
    target: Target,
    source: Target,
    where: Where = None,
    exclude: Where = None,
    *,
    match: By = "auto",
    rename: Mapping[str, str] | None = None,
    source_at: str | None = None,
    target_at: str | None = None,
    on_missing: OnMissing = "error",
    on_mismatch: OnMismatch = "error",
    backend: str | None = None,
    data_format: DataFormat | None = None,
    hard_sigmoid: HardSigmoid = "keep",
    resizing: Resizing = MEAN_ROWS,
    dequantize: bool = False,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    like: Target | None = None,
    allow_nonfinite: bool = False,
    dry_run: bool = False,
) -> Report:
    """Fill a model from a file or another model, or a file from either: ``edit(target, LoadWeights(source))``.

    Either all selected weights are copied or none. Without ``where``, that is everything but the optimizer's state.
    ``match`` to ``dequantize`` are those of `LoadWeights`, and the other arguments are those of `edit`.

    Raises:
        RequestError: ``source`` is the target file.
        WeightkitError: As `LoadWeights` and `edit` do.

    Example:
        >>> load_weights(model, "model.h5", where="encoder")  # doctest: +SKIP
    """
    require_two_files(target, source)
    return edit(
        target,
        LoadWeights(
            source,
            match,
            {} if rename is None else rename,
            source_at,
            target_at,
            on_missing,
            on_mismatch,
            backend,
            data_format,
            hard_sigmoid,
            resizing,
            dequantize,
        ),
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


def _require_one_of(name: str, given: object, known: Sequence[str]) -> None:
    if given not in known:
        raise RequestError(f"{name} must be one of {', '.join(known)}, got {given!r}")


def _require_a(name: str, given: object, kind: type) -> None:
    if not isinstance(given, kind):
        raise RequestError(f"{name} must be a {kind.__name__}, got {given!r}")

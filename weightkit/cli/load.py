"""``weightkit load``: weights of one file into another."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from weightkit.cli import editing, options, output
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_EQUALS = re.compile(r"(?<!\\)=")


def _suggestion(*, file: Path, source: Path, json: bool, dry_run: bool, **others: object) -> output.Result:  # noqa: ARG001
    """What could be loaded where.

    Raises:
        RequestError: There are options of loading, which it would not heed.
    """
    known = inspect.signature(load).parameters
    given = [name for name, value in others.items() if (value or None) != (known[name].default or None)]
    if given:
        raise RequestError(
            f"--suggest must come without options of loading, got --{given[0].replace('_', '-')}",
            hint="leave out one of the two",
        )
    from weightkit.access.suggest import suggest  # noqa: PLC0415  # nothing is loaded for --help
    from weightkit.cli import suggestion  # noqa: PLC0415

    return suggestion.result(suggest(file, source), target=str(file), source=str(source))


@editing.command(file=options.Target, instead={"suggest": _suggestion})
def load(
    source: options.Source,
    *,
    match: options.Match = "auto",
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            "-r",
            metavar="OLD=NEW",
            show_default=False,
            help="Where a layer of SOURCE is in TARGET: predictions=logits, 'model_1/**=**'. What * and ** stand for "
            "in OLD takes their places in NEW. May be given several times; the first that matches counts.",
        ),
    ] = None,
    source_at: Annotated[
        str | None,
        typer.Option(metavar="LAYER", show_default=False, help="Load this layer of SOURCE, in place of all of it."),
    ] = None,
    target_at: Annotated[
        str | None,
        typer.Option(metavar="LAYER", show_default=False, help="Fill this layer of TARGET, in place of all of it."),
    ] = None,
    on_missing: Annotated[
        Literal["error", "skip"],
        typer.Option(help="With a weight that SOURCE does not have: refuse, or leave it as it is."),
    ] = "error",
    on_mismatch: Annotated[
        Literal["error", "skip", "resize"],
        typer.Option(
            help="With a weight of another shape: refuse, leave it as it is, or resize vocabularies, learned positions "
            "and channels of images by what they are, and leave a head for other classes."
        ),
    ] = "error",
    new_rows: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="New rows of a vocabulary: mean (of the old), zeros, or a built-in Keras initializer."
        ),
    ] = "mean",
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", "-s", metavar="NUMBER", show_default=False, help="An integer >= 0, for an initializer that draws."
        ),
    ] = None,
    positions: Annotated[
        Literal["sequence", "grid"] | None,
        typer.Option(show_default=False, help="What learned positions are, where their names and numbers do not tell."),
    ] = None,
    backend: Annotated[
        Literal["theano", "tensorflow", "cntk"] | None,
        typer.Option(show_default=False, help="The backend that wrote SOURCE, where it does not say."),
    ] = None,
    data_format: Annotated[
        Literal["channels_first", "channels_last"] | None,
        typer.Option(show_default=False, help="Where the images of SOURCE have their channels, where it does not say."),
    ] = None,
    hard_sigmoid: Annotated[
        Literal["keep", "rescale"],
        typer.Option(
            help="With gates of older recurrent layers, whose function Keras 3 changed: keep their numbers, or rescale "
            "them to compute the same."
        ),
    ] = "keep",
    dequantize: Annotated[
        bool,
        typer.Option(
            "--dequantize",
            help="Fill float layers from quantized ones (int8, int4, GPTQ, AWQ, float8) with the real numbers that "
            "these compute with.",
        ),
    ] = False,
    suggest: Annotated[  # noqa: ARG001  # answered before
        bool,
        typer.Option(
            "--suggest",
            help="Propose which layer of SOURCE each layer of TARGET is, with how sure it is; load nothing.",
        ),
    ] = False,
) -> Any:
    """Load the weights of SOURCE into TARGET, which is almost the same model.

    Weights are matched by name, structure, order or shapes, the first of these that decides, and the report says which.
    A backbone is found in a model with a new head. Weights of older layers are converted, and what is left is listed.
    All weights are loaded or none, unless --on-missing or --on-mismatch says otherwise.

    \b
    Examples:
      weightkit load old.h5 new.h5 --dry-run
      weightkit load old.h5 new.h5 --suggest
      weightkit load old.h5 new.h5 --rename predictions=logits
      weightkit load encoder.h5 new.h5 --target-at encoder -o loaded.h5
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.transforms.load_weights import LoadWeights  # noqa: PLC0415  # it loads NumPy
    from weightkit.transforms.loading import Resizing  # noqa: PLC0415

    return LoadWeights(
        source,
        match,
        _renaming(rename or ()),
        source_at,
        target_at,
        on_missing,
        on_mismatch,
        backend,
        data_format,
        hard_sigmoid,
        Resizing(new_rows, seed, positions),
        dequantize,
    )


def _renaming(pairs: Sequence[str]) -> dict[str, str]:
    """Each pair at its first equals sign that no backslash stands before.

    Raises:
        RequestError: A pair has none or nothing beside it, or one address is given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        parts = _EQUALS.split(pair, maxsplit=1)
        if len(parts) != 2 or not all(parts):  # noqa: PLR2004
            raise RequestError(f"--rename must be OLD=NEW, got {pair!r}", hint="write --rename predictions=logits")
        if parts[0] in found:
            raise RequestError(f"--rename must give each OLD once, got {parts[0]!r} twice")
        found[parts[0]] = parts[1]
    return found

"""``weightkit salvage``: rescue what is whole in a damaged file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.cli import options  # noqa: TC001  # typer reads the types of parameters
from weightkit.cli.output import Column, Result
from weightkit.text import size

if TYPE_CHECKING:
    from weightkit.access.salvage import Remnant
    from weightkit.surgery.salvage import Salvage

_COLUMNS = (
    Column("weight", least=16),
    Column("state"),
    Column("there", number=True),
    Column("size", number=True),
    Column("dtype"),
    Column("digest"),
)
_SHOWN = 8  # digits of a digest


def salvage(
    file: options.File,
    *,
    output: options.Output = None,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,  # noqa: ARG001  # every command takes it; the printing looks at it
) -> Result:
    """Rescue what is whole in a damaged or truncated FILE, as a new file of the same format.

    Each weight is listed as whole, partial or lost; only whole ones are written, and no value is invented. FILE stays
    as it is: OUT must be another file. For a .keras archive, a name that ends in .weights.h5 asks for its weights
    alone. Off a terminal, each line is state, weight, shape, dtype, bytes that are there, bytes, digest (BLAKE2b of
    the values, 16 bytes) and why it is not whole, separated by tabs.

    \b
    Examples:
      weightkit salvage model.h5 --dry-run
      weightkit salvage model.h5 -o rescued.h5
      weightkit salvage model.keras -o rescued.keras
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.surgery import salvage as library  # noqa: PLC0415  # nothing is loaded for --help

    return _result(library.salvage(file, output=output, overwrite=force, dry_run=dry_run))


def _result(done: Salvage) -> Result:
    return Result(
        record=done.to_dict(),
        heading=(f"{done.file}: {done.format}",),
        columns=_COLUMNS,
        rows=tuple(map(_row, done.weights)),
        lines=tuple(map(_line, done.weights)),
        notes=done.notes,
    )


def _row(weight: Remnant) -> tuple[str, ...]:
    there, whole = (size(count) if weight.dtype else "" for count in (weight.present, weight.nbytes))
    return (weight.structure, str(weight.state), there, whole, weight.dtype_text, weight.digest[:_SHOWN])


def _line(weight: Remnant) -> tuple[str, ...]:
    shape = "" if weight.shape is None else str(weight.shape)
    sizes = (str(weight.present), str(weight.nbytes))
    return (str(weight.state), weight.structure, shape, weight.dtype_text, *sizes, weight.digest, weight.why)

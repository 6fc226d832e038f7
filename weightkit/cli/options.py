"""Arguments and options that several commands share, each with one meaning everywhere."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        readable=False,  # opening it gives a better message, and the exit code of a system error
        show_default=False,
        help="A weight file: .h5, .weights.h5 or .keras, detected by content.",
    ),
]
First = Annotated[
    Path,
    typer.Argument(metavar="A", readable=False, show_default=False, help="A weight file: .h5, .weights.h5 or .keras."),
]
Second = Annotated[
    Path, typer.Argument(metavar="B", readable=False, show_default=False, help="Another, of the same format or not.")
]
Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        readable=False,
        show_default=False,
        help="The weight file that is read: .h5, .weights.h5 or .keras, of any Keras.",
    ),
]
Target = Annotated[
    Path,
    typer.Argument(
        metavar="TARGET",
        readable=False,
        show_default=False,
        help="The weight file that is filled, of the same format or not.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "-w",
        metavar="SELECTION",
        show_default=False,
        help="Which weights: a layer, a path with *, **, ?, [ab] and {a,b}, re:REGEX, or a field such as "
        "class:Dense, name:kernel, kind:statistic, role:bias, dtype:float16, rank:2, trainable:false, "
        "last:2:block*. May be given several times.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        "-x",
        metavar="SELECTION",
        show_default=False,
        help="Which of the selected weights to leave out. May be given several times.",
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="OTHER",
        readable=False,
        show_default=False,
        help="Another file of the same model, to take names from where this one has none.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        readable=False,
        show_default=False,
        help="Write to OUT and leave the file unchanged.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite OUT if it exists.")]
NoBackup = Annotated[bool, typer.Option("--no-backup", help="Do not keep the old file.")]
BreakLinks = Annotated[
    bool,
    typer.Option("--break-links", help="Replace a file that has other hard links (they keep the old content)."),
]
Verify = Annotated[
    bool,
    typer.Option("--verify", help="Read the new file back and compare every weight before it replaces anything."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be done; change nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AllowNonfinite = Annotated[bool, typer.Option("--allow-nonfinite", help="Allow new infinities and NaNs.")]
Match = Annotated[
    Literal["auto", "name", "structure", "order", "shape"],
    typer.Option(
        "--match",
        help="How to match weights; auto takes the first of these that decides.",
    ),
]


def _option(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


EDITING = (
    _option("file", File, Parameter.empty),
    _option("where", Where, None),
    _option("exclude", Exclude, None),
    _option("like", Like, None),
    _option("output", Output, None),
    _option("force", Force, default=False),
    _option("no_backup", NoBackup, default=False),
    _option("break_links", BreakLinks, default=False),
    _option("verify", Verify, default=False),
    _option("allow_nonfinite", AllowNonfinite, default=False),
    _option("dry_run", DryRun, default=False),
    _option("json", Json, default=False),
)
"""Options of every editing command."""

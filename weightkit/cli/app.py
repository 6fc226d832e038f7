"""The application: its commands, in the order of the help page."""

from __future__ import annotations

from typing import Annotated

import typer

from weightkit.cli import cast, diff, drop, load, reinitialize, restore, salvage, scale, show, strip

app = typer.Typer(
    name="weightkit",
    # Plain help: the rich one costs 200 ms more at every --help.
    rich_markup_mode=None,
    # Every error becomes one line in `main.py`.
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from weightkit import __version__  # noqa: PLC0415

        typer.echo(f"weightkit {__version__}")
        raise typer.Exit


@app.callback()
def weightkit(
    context: typer.Context,
    *,
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Inspect, compare and edit the weights of Keras models in .h5, .weights.h5 and .keras files.

    An edit never writes to the original file: a new file replaces it when it is complete, and the old file stays as
    NAME.bak.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("show")(show.show)
app.command("diff")(diff.diff)
app.command("load")(load.load)
app.command("scale")(scale.scale)
app.command("reinitialize")(reinitialize.reinitialize)
app.command("reinit", hidden=True)(reinitialize.reinitialize)
app.command("cast")(cast.cast)
app.command("strip")(strip.strip)
app.command("drop")(drop.drop)
app.command("restore")(restore.restore)
app.command("salvage")(salvage.salvage)

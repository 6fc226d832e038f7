"""The least that a command line of two commands costs."""

import typer

app = typer.Typer()


@app.command()
def one(name: str) -> None:
    """Do one thing."""


@app.command()
def two(name: str, count: int = 1) -> None:
    """Do another."""


app()

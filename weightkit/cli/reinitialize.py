"""``weightkit reinitialize``: re-initialize weights."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weightkit.cli import editing


@editing.command()
def reinitialize(
    *,
    initializer: Annotated[
        str | None,
        typer.Option(
            "--initializer",
            "-i",
            metavar="NAME",
            show_default=False,
            help="A built-in Keras initializer, with or without arguments: he_normal, orthogonal, "
            "'random_normal(stddev=0.02)'. Without it, each layer's own, from the configuration in FILE.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            "-s",
            metavar="NUMBER",
            show_default=False,
            help="An integer >= 0; the same seed gives the same weights. Without it, a new random seed, printed.",
        ),
    ] = None,
) -> Any:
    """Re-initialize weights with each layer's own initializer, or with a given one.

    Without --initializer, all parameters and statistics are re-initialized as the model's configuration in FILE says,
    as Keras does by default: forget gates open, moving variances at one. With it, all parameters are. Seeds, integers,
    quantized weights and optimizer state stay unchanged. `weightkit reinit` is a short name for this command.

    \b
    Examples:
      weightkit reinitialize model.keras --seed 7 --dry-run
      weightkit reinitialize model.h5 --seed 7
      weightkit reinitialize model.weights.h5 --initializer he_normal --where role:kernel -o fresh.weights.h5
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.transforms.reinitialize import Reinitialize  # noqa: PLC0415  # it loads NumPy

    return Reinitialize(initializer, seed=seed)

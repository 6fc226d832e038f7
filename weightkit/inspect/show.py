"""Show the weights of a file or a model, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access import opened
from weightkit.arguments import boolean

if TYPE_CHECKING:
    from weightkit.access import Target, Where
    from weightkit.inspect.listing import Listing


def show(
    target: Target,
    where: Where = None,
    exclude: Where = None,
    *,
    stats: bool = False,
    like: Target | None = None,
) -> Listing:
    """List the weights of a file or of a model in memory; printing the result shows a table.

    Args:
        target: Path of a weight file; a model, a layer or a list of variables of Keras 3; or an open store.
        where: Which weights: one or more selections, as text or selector objects; all by default.
        exclude: Which of the selected weights to leave out.
        stats: Measure the values: minimum, maximum, mean, standard deviation, norm, zeros, NaNs and infinities.
        like: Another file or model to take names and kinds from, for a file.

    Raises:
        RequestError: There is no such file, or the model is not built.
        SelectionError: The selection is malformed or selects nothing.
        RefusedError: The file is damaged, unsafe, or has no Keras weights.

    Example:
        >>> print(show("model.h5", where="encoder"))  # doctest: +SKIP
    """
    boolean("stats", stats)
    with opened(target, like=like) as store:
        from weightkit.inspect.listing import list_weights  # noqa: PLC0415  # NumPy, after the reading process starts

        return list_weights(store, where, exclude, stats=stats)

"""The verbs that everything else is made of: plan an edit, do it, and load one thing's weights into another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from weightkit.access import By, Plan, Report, Transform, Where


def plan(
    target: Any,
    transform: Transform,
    where: Where = None,
    exclude: Where = None,
    *,
    like: Any = None,
) -> Plan:
    """What an edit would change, without doing it; printing the result is the preview.

    Args:
        target: Path of a weight file; or a model, a layer or a list of variables of Keras 3.
        transform: What would be done, such as ``scale(0.5)``, ``reinitialize()`` or ``drop()``.
        where: Which weights: a selection or several, as text or selector objects; all parameters by default.
            ``drop()`` has no default, and ``strip()`` takes no selection.
        exclude: Which of them not.
        like: Another file or model to borrow names and kinds from, for a file.

    Raises:
        RequestError: There is no such file, or the model has not been built.
        SelectionError: The selection is malformed, chooses nothing, or leaves a weight undecided.
        RefusedError: The file is damaged, unsafe, or holds no Keras weights.
    """
    from weightkit.access import open_weights  # noqa: PLC0415  # it starts the reading process before NumPy

    with open_weights(target, like=like) as store:
        from weightkit.access import plan_edit  # noqa: PLC0415

        return plan_edit(store, transform, where, exclude)


def edit(
    target: Any,
    transform: Transform,
    where: Where = None,
    exclude: Where = None,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    like: Any = None,
    allow_nonfinite: bool = False,
) -> Report:
    """Change weights, whole or not at all.

    A model in memory is as it was after any failure, its optimizer included. A file is never written to: a new one
    replaces it when it is complete, and the old one stays beside it as ``NAME.bak`` (``NAME.bak.1`` and so on where
    that exists). All but the first four arguments and ``allow_nonfinite`` are for files.

    Args:
        target: Path of a weight file; or a model, a layer or a list of variables of Keras 3.
        transform: What is done, such as ``scale(0.5)``, ``reinitialize()`` or ``drop()``.
        where: Which weights: a selection or several, as text or selector objects; all parameters by default.
            ``drop()`` has no default, and ``strip()`` takes no selection.
        exclude: Which of them not.
        output: Write there instead, and leave ``target`` alone.
        overwrite: Whether ``output`` may exist already.
        backup: Whether an edit in place keeps the file as it was.
        break_links: Whether a file with several hard links may be parted from the others, which hold it as it was.
        verify: Read the new file back before it is put in place, and compare every weight.
        like: Another file or model to borrow names and kinds from, for a file.
        allow_nonfinite: Let new infinities and NaNs by, instead of refusing the edit.

    Raises:
        RequestError: There is no such file, the model has not been built, or it was given a file's arguments.
        SelectionError: The selection is malformed, chooses nothing, or leaves a weight undecided.
        RefusedError: The file is damaged, unsafe, holds no Keras weights, or the edit makes non-finite numbers.
        MachineError: The system failed, or somebody else holds the file; it is untouched.

    Example:
        >>> edit("model.h5", scale(0.5), where="encoder")  # doctest: +SKIP
    """
    from pathlib import Path  # noqa: PLC0415

    from weightkit.access import Destination, open_weights  # noqa: PLC0415  # it starts the reading process before NumPy

    destination = Destination(
        None if output is None else Path(output), overwrite=overwrite, backup=backup, break_links=break_links
    )
    with open_weights(target, editable=True, like=like) as store:
        from weightkit.access import plan_edit  # noqa: PLC0415

        chosen = plan_edit(store, transform, where, exclude)
        return chosen.apply(store, destination, allow_nonfinite=allow_nonfinite, verify=verify)


def load_weights(
    target: Any,
    source: Any,
    where: Where = None,
    exclude: Where = None,
    *,
    match: By = "auto",
    allow_nonfinite: bool = False,
) -> Report:
    """Load the weights of a file, or of another model, into a model; or into a file, in place with a backup.

    Weights find each other by name where all names agree, else by structure, whatever the two formats are. All that
    is chosen is loaded or nothing; values of another floating-point type are rounded once. The optimizer's state
    stays as it is.

    Args:
        target: A model, a layer or a list of variables of Keras 3; or the path of a weight file.
        source: Path of a weight file; or a model, a layer or a list of variables.
        where: Which weights of the target: a selection or several; all but the optimizer's by default.
        exclude: Which of them not.
        match: ``name`` or ``structure`` settles how weights are matched where neither does by itself.
        allow_nonfinite: Let infinities and NaNs replace finite numbers, instead of refusing.

    Raises:
        RequestError: The weights cannot be matched.
        SelectionError: The selection is malformed or chooses nothing, or a chosen weight has no counterpart.
        RefusedError: The file is damaged, unsafe, holds no Keras weights, or non-finite numbers.

    Example:
        >>> load_weights(model, "model.h5", where="encoder")  # doctest: +SKIP
    """
    from weightkit.access import open_weights  # noqa: PLC0415  # it starts the reading process before NumPy

    with open_weights(source) as other:
        from weightkit.transforms.copy_from import copy_from  # noqa: PLC0415

        return edit(target, copy_from(other, match=match), where, exclude, allow_nonfinite=allow_nonfinite)

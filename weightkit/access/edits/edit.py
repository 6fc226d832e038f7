"""Plan an edit, or do it: of a file, of a model in memory, or of an open store."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.edits.perform import Options, perform, planned

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from weightkit.access.edits.plan import Plan, Report
    from weightkit.access.edits.transform import Transform
    from weightkit.access.select import Where
    from weightkit.access.targets import Target

    Acts: TypeAlias = Transform | Sequence[Transform]


def plan(target: Target, act: Acts, where: Where = None, exclude: Where = None, *, like: Target | None = None) -> Plan:
    """Plan an edit without doing it; printing the result shows the preview.

    Args:
        target: Path of a weight file; a model, a layer or a list of variables of Keras 3; or an open store.
        act: What to do, such as ``Scale(0.5)``, ``Reinitialize()`` or ``Drop()``; or a list of acts, in order.
        where: Which weights: one or more selections, as text or selector objects; all parameters by default.
            ``Drop()`` has no default, and ``Strip()`` takes no selection.
        exclude: Which of the selected weights to leave out.
        like: Another file or model to take names and kinds from, for a file.

    Raises:
        RequestError: There is no such file, or the model is not built.
        SelectionError: The selection is malformed, selects nothing, or leaves a weight undecided.
        RefusedError: The file is damaged, unsafe, or has no Keras weights.

    Example:
        >>> print(plan("model.h5", Scale(0.5), where="encoder"))  # doctest: +SKIP
    """
    return planned(target, lambda: act, where, exclude, like=like)


def edit(
    target: Target,
    act: Acts,
    where: Where = None,
    exclude: Where = None,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    like: Target | None = None,
    allow_nonfinite: bool = False,
    dry_run: bool = False,
) -> Report:
    """Change weights, all of them or none.

    If an edit fails, a model in memory stays unchanged, its optimizer included. A file is never written to: a new file
    replaces it when it is complete, and the old one stays next to it as ``NAME.bak`` (``NAME.bak.1`` and so on if that
    exists). All but the first four arguments, ``allow_nonfinite`` and ``dry_run`` are for files. An open store stays
    open; to be edited in place, a store of a file must be opened with ``editable=True``.

    Args:
        target: Path of a weight file; a model, a layer or a list of variables of Keras 3; or an open store.
        act: What to do, such as ``Scale(0.5)``, ``Reinitialize()`` or ``Drop()``; or a list of acts, done in order in
            one edit.
        where: Which weights: one or more selections, as text or selector objects; all parameters by default.
            ``Drop()`` has no default, and ``Strip()`` takes no selection.
        exclude: Which of the selected weights to leave out.
        output: Write to this file and leave ``target`` unchanged.
        overwrite: Whether ``output`` may exist already.
        backup: Whether an edit in place keeps the old file.
        break_links: Whether to replace a file that has other hard links (they keep the old content).
        verify: Read the new file back and compare every weight before it replaces anything.
        like: Another file or model to take names and kinds from, for a file.
        allow_nonfinite: Allow new infinities and NaNs, instead of refusing the edit.
        dry_run: Only say what would be done; the report's ``outcome`` is then None.

    Raises:
        RequestError: There is no such file, the model is not built, or it was given a file's arguments.
        SelectionError: The selection is malformed, selects nothing, or leaves a weight undecided.
        RefusedError: The file is damaged, unsafe, has no Keras weights, or the edit makes non-finite numbers.
        MachineError: The system failed, or another process uses the file; it is unchanged.

    Example:
        >>> edit("model.h5", Scale(0.5), where="encoder").backup  # doctest: +SKIP
        >>> edit("model.h5", [Scale(0.5), Cast("float16")], output="half.h5")  # doctest: +SKIP
    """
    options = Options(output, overwrite, backup, break_links, verify, like, allow_nonfinite, dry_run)
    return perform(target, lambda: act, where, exclude, options)

"""Compile every model again whose training changes with some flags: all of them, or on an error none."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.text import listed
from weightkit.training.freezing.loop_notes import COMPILED_AGAIN, NOT_COMPILED, loop_notes
from weightkit.training.model.compile_arguments import is_compiled, require_compilable
from weightkit.training.model.own_loop import is_trained_by_own_loop
from weightkit.training.optimizer.recompiling import CompileOptions, unchanged_on_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.training.optimizer.recompilation import Recompiled

_NOT_RECOMPILED = "the model was not recompiled: until it is, Keras may train it with the earlier flags"


def compile_all(
    model: Any,
    holders: Sequence[Any],
    options: CompileOptions,
    undo: contextlib.ExitStack,
    *,
    may_unsplit: bool = False,
) -> tuple[str, ...]:
    """Compile a model whose flags changed, and the others that hold its weights.

    Args:
        model: The model; it may be a layer, or not compiled.
        holders: Other models that train other weights since its flags changed; the compiled ones among them count.
        options: Whether and how to compile them.
        undo: Gets what restores the models on an error that comes until it is closed.
        may_unsplit: See `CompileOptions.apply`.

    Returns:
        Notes for the user on what was done.

    Raises:
        RequestError: One of them cannot be compiled again.
    """
    holders = [one for one in holders if one is not model and is_compiled(one)]
    if not options.recompile:
        return tuple(_not_recompiled(model, holders))
    for holder in holders:
        require_compilable_holder(holder, model)
    compiled = [model, *holders] if is_compiled(model) else holders
    if options.rates and not compiled:
        raise RequestError("a learning_rate needs a compiled model", hint="call compile(optimizer, loss) first")
    in_loops = [one for one in compiled if is_trained_by_own_loop(one)]
    reports = _compile_each(compiled, options, undo, may_unsplit=may_unsplit)
    return (*_notes(model, compiled, reports), *(f"{one.name}: {COMPILED_AGAIN}" for one in in_loops))


def compile_holders(model: Any, holders: Sequence[Any]) -> None:
    """Compile other models that hold weights of a model, and carry the state of their optimizers.

    Raises:
        RequestError: One of them cannot be compiled again; all are as before.
    """
    for holder in holders:
        require_compilable_holder(holder, model)
    with contextlib.ExitStack() as undo:
        _compile_each(holders, CompileOptions(), undo, may_unsplit=True)


def require_compilable_holder(holder: Any, model: Any) -> None:
    """Refuse a model that holds another one's weights and cannot be compiled again; see `require_compilable`.

    Raises:
        RequestError: It cannot.
    """
    try:
        require_compilable(holder)
    except RequestError as error:
        problem = f"{holder.name} holds weights of {model.name} and must be compiled again too: {error.problem}"
        raise RequestError(problem, hint=error.hint) from error


def _compile_each(
    models: Sequence[Any], options: CompileOptions, undo: contextlib.ExitStack, *, may_unsplit: bool
) -> list[Recompiled]:
    reports = []
    for one in models:
        undo.enter_context(unchanged_on_error(one))
        reports.append(options.apply(one, may_unsplit=may_unsplit))
    return reports


def _not_recompiled(model: Any, holders: Sequence[Any]) -> Iterator[str]:
    if is_compiled(model):
        yield _NOT_RECOMPILED
    elif not holders:
        yield NOT_COMPILED
    if holders:
        names = listed([holder.name for holder in holders])
        yield (
            f"{names}: compiled, with some of these weights, and not recompiled: until that is done, Keras may train "
            "them with the earlier flags"
        )
    yield from loop_notes()


def _notes(model: Any, compiled: Sequence[Any], reports: Sequence[Recompiled]) -> Iterator[str]:
    if not compiled:
        yield NOT_COMPILED
        yield from loop_notes()
    for one, report in zip(compiled, reports, strict=True):
        about = "" if one is model else f"{one.name} has some of these weights and was recompiled: "
        yield about + report.summary()
        yield from (note if one is model else f"{one.name}: {note}" for note in report.notes)

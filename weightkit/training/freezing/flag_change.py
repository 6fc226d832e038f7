"""Set the flags of a model, and compile again every model whose training this changes: all of it, or nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.restore_on_error import restore_on_error
from weightkit.training.freezing.compiled_models import compile_all
from weightkit.training.freezing.nothing_trained import NOTHING_TRAINED, warn_nothing_trained
from weightkit.training.model.holders import Holders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.training.model.flags import Flags
    from weightkit.training.optimizer.recompiling import CompileOptions


def change_flags(
    model: Any,
    before: Flags,
    after: Flags,
    options: CompileOptions,
    *,
    also: Sequence[Any] = (),
    may_unsplit: bool = False,
    warns: bool = True,
) -> tuple[str, ...]:
    """Set flags, and compile again; on any error or Ctrl-C, flags and models are as before.

    Args:
        model: The model.
        before: Its present flags.
        after: The new ones.
        options: Whether and how to compile the model and the other models whose training this changes.
        also: Other models that must be compiled again where they are compiled, whatever changes.
        may_unsplit: See `CompileOptions.apply`.
        warns: Whether to warn if nothing is trained.

    Returns:
        Notes for the user on what was done.

    Raises:
        RequestError: One of the models cannot be compiled again.
    """
    holders = Holders(model)
    with contextlib.ExitStack() as undo:
        undo.enter_context(restore_on_error(before.set))
        after.set()
        changed = holders.changed()
        is_trained = any(one.trainable_variables for one in (model, *changed))
        if warns and not is_trained:  # before anything is compiled: a filter may turn the warning into an error
            warn_nothing_trained()
        others = {id(one): one for one in (*changed, *also)}
        notes = compile_all(model, list(others.values()), options, undo, may_unsplit=may_unsplit)
        return notes if is_trained else (*notes, NOTHING_TRAINED)

"""What sets several variables sets all of them, or none."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.access.live import handle_of, undone_on_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from weightkit.layers.parametrizations.parametrization import Computed


@contextlib.contextmanager
def or_as_they_were(variables: Iterable[Any], computed: Collection[Computed]) -> Iterator[None]:
    """On any error and interruption, put variables back, and what computed weights keep of their merges."""
    kept = [one.kept for one in computed]
    try:
        with undone_on_error() as log:
            for variable in variables:
                if variable._value is not None:  # noqa: SLF001  # `value` would make one, which a tied weight has not
                    handle = handle_of(variable)
                    log.keep(variable.path, handle, handle.value())
            yield
    except BaseException:
        for one, before in zip(computed, kept, strict=True):
            one.kept = before
        raise

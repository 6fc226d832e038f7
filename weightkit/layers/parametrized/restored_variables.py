"""Set several variables completely, or not at all."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.access.live import undone_on_error
from weightkit.restore_on_error import restore_on_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weightkit.layers.parametrizations.parametrization import ComputedWeight


@contextlib.contextmanager
def restore_variables_on_error(variables: Iterable[Any], computed: Iterable[ComputedWeight]) -> Iterator[None]:
    """On any error and Ctrl-C, restore variables, and the records of merges of computed weights."""
    records = [(one, one.merge_record) for one in computed]

    def restore_records() -> None:
        for one, record in records:
            one.merge_record = record

    with restore_on_error(restore_records), undone_on_error() as log:
        log.keep_all(variables)
        yield

"""A block that fails or is interrupted is undone; one that succeeds is not."""

from __future__ import annotations

import pytest

from weightkit.restore_on_error import restore_on_error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_fails_is_undone_and_the_error_goes_on(error):
    values = [1]
    with pytest.raises(error), restore_on_error(values.clear):
        raise error
    assert values == []


def test_what_succeeds_stays():
    values = [1]
    with restore_on_error(values.clear):
        values.append(2)
    assert values == [1, 2]

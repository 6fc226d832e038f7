"""The undo log restores everything, latest first, whatever interrupts it."""

from __future__ import annotations

import numpy as np
import pytest

from weightkit.access.live.undo import UndoLog
from weightkit.errors import MachineError


class Variable:
    """A handle of a plain array that may be interrupted a few times while it is restored."""

    def __init__(self, number, interruptions=0, error=None, lost=None):
        self.array, self.interruptions, self.error, self.lost = np.array([number]), interruptions, error, lost

    def value(self):
        return self.array

    def look(self, value):
        return value

    def keep(self, value):
        return value.copy()

    def set(self, values):
        self.array[...] = values
        if self.error:
            raise self.error

    def put_back(self, kept):
        if self.interruptions:
            self.interruptions -= 1
            raise KeyboardInterrupt
        if self.lost:
            raise self.lost
        self.array[...] = kept


def set_all(log, variables):
    for number, variable in enumerate(variables):
        log.set(f"v{number}", variable, variable.value(), np.array([9]))


def test_all_variables_are_as_they_were():
    log, variables = UndoLog(), [Variable(1), Variable(2)]
    set_all(log, variables)
    assert [variable.array[0] for variable in variables] == [9, 9]
    log.undo()
    assert [variable.array[0] for variable in variables] == [1, 2]


def test_a_variable_that_failed_while_it_was_set_is_put_back_too():
    log, variable = UndoLog(), Variable(1, error=ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        set_all(log, [variable])
    log.undo()
    assert variable.array[0] == 1


def test_one_that_was_set_twice_gets_its_first_value():
    log, variable = UndoLog(), Variable(1)
    log.set("v", variable, variable.value(), np.array([5]))
    log.set("v", variable, variable.value(), np.array([6]))
    log.undo()
    assert variable.array[0] == 1


def test_an_interruption_waits_until_all_is_as_it_was():
    log, variables = UndoLog(), [Variable(1), Variable(2, interruptions=3), Variable(3)]
    set_all(log, variables)
    with pytest.raises(KeyboardInterrupt):
        log.undo()
    assert [variable.array[0] for variable in variables] == [1, 2, 3]


def test_one_that_cannot_be_put_back_is_named_and_the_others_are_as_they_were():
    log = UndoLog()
    variables = [Variable(1), Variable(2, lost=RuntimeError("gone")), Variable(3, lost=RuntimeError("late"))]
    set_all(log, variables)
    with pytest.raises(MachineError, match="v2, v1 could not be restored: late") as raised:
        log.undo()
    assert str(raised.value.__cause__) == "late"
    assert [variable.array[0] for variable in variables] == [1, 9, 9]

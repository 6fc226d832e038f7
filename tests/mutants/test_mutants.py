"""The checks that ``scripts/mutants.py`` takes out are where it looks for them: else it would take out nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import mutants  # noqa: E402  # it lies among the scripts


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.check)
def test_a_check_is_found_once_and_its_tests_are_there(mutant: mutants.Mutant) -> None:
    assert mutant.source.count(mutant.old) == 1
    assert [test for test in mutant.tests.split() if not (mutants.ROOT / test).exists()] == []

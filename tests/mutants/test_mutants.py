"""The checks that are to be taken out are where they are looked for: else nothing would be taken out."""

from __future__ import annotations

import pytest

from tests import ROOT
from tests.mutants.checks import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.check)
def test_a_check_is_found_once_and_its_tests_are_there(mutant: Mutant) -> None:
    assert mutant.source.count(mutant.old) == 1
    assert [test for test in mutant.tests.split() if not (ROOT / test).exists()] == []

"""What differs between two configurations of optimizers."""

from __future__ import annotations

import pytest

from weightkit.training.state_file.differences import differences


@pytest.mark.parametrize("there", ["[" * 200_000, "{", "3", "[]"], ids=["nested", "cut", "number", "list"])
def test_a_configuration_that_is_none_is_told(there):
    assert differences(there, "{}") == ("the optimizer's configuration in the file is not valid JSON",)

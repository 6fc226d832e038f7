"""The contracts are found where a third party looks for them, and each loads nothing of the others."""

from __future__ import annotations

import subprocess
import sys

import pytest

import weightkit.testing

LOADED = """
import sys, weightkit.testing
weightkit.testing.TransformContract
print(*{"keras", "weightkit.testing.layer", "weightkit.testing.store_contract"}.intersection(sys.modules))
"""


def test_every_name_is_a_class_of_that_name():
    assert dir(weightkit.testing) == weightkit.testing.__all__
    assert [
        getattr(weightkit.testing, name).__name__ for name in weightkit.testing.__all__
    ] == weightkit.testing.__all__


def test_another_name_is_refused_as_python_refuses_it():
    with pytest.raises(AttributeError, match="has no attribute 'ModelContract'"):
        weightkit.testing.ModelContract  # noqa: B018


def test_a_contract_loads_neither_keras_nor_the_others():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

"""A reader's own layer under the contract: README's example passes, and a plain layer is told what it lacks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PLAIN = """
import keras
from weightkit.testing import LayerContract, TransformContract

class Plain(keras.layers.Layer):
    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), name="gain")
        self.offset = self.add_weight(shape=(input_shape[-1],))

    def call(self, inputs):
        return inputs * self.gain + self.offset

class TestPlain(LayerContract):
    def make_layer(self, **overrides):
        return Plain(**overrides)
"""
DEMANDS = ["names_them_all", "regularized_and_constrained", "docstring"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The whole example and some tests of a plain layer: 13 seconds, of Keras in three processes."""
    folder = tmp_path_factory.mktemp("contract")
    example = next(block for block in EXAMPLES if "LayerContract" in block)
    (folder / "test_mine.py").write_text(example, encoding="utf-8")
    (folder / "test_plain.py").write_text(PLAIN, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "--tb=short", "-p", "no:cacheprovider"]
    command += ["-k", f"TestMine or {' or '.join(DEMANDS)}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_example_of_the_readme_passes_every_test_of_the_contract(run):
    outcomes = re.findall(r"^test_mine\.py::TestMine::(\S+) (\w+)", run.stdout, re.MULTILINE)
    assert len(outcomes) > 40, run.stdout + run.stderr
    assert {name for name, outcome in outcomes if outcome != "PASSED"} == set(), run.stdout


@pytest.mark.parametrize(
    "demand",
    [
        'every weight needs a name: `self.add_weight(..., name="kernel")`',
        "no argument regularizes or constrains gain, variable",
        "the docstring of Plain needs an example that runs",
    ],
)
def test_a_plain_layer_is_told_what_it_lacks(run, demand):
    assert demand in run.stdout


def test_pytest_explains_the_asserts_of_the_contract(run):
    assert re.search(r"^E +assert \['plain\S*/variable\S*'\] == \[\]$", run.stdout, re.MULTILINE)

"""Initialisers, beginnings and re-initialised files, held against Keras itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).with_name("reinit_check.py")
BACKEND = os.environ.get("WEIGHTKIT_TEST_BACKENDS", "tensorflow").split(",")[0]


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    quiet = {"KERAS_BACKEND": BACKEND, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(CHECK), str(tmp_path_factory.mktemp("reinit"))]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def wrong(facts, word, count):
    found = {fact: holds for fact, holds in facts.items() if fact.startswith(word)}
    assert len(found) == count
    return [fact for fact, holds in found.items() if not holds]


def test_fans_are_keras_own(facts):
    assert wrong(facts, "fans", 9) == []


def test_draws_have_the_distributions_of_keras_own_and_constants_are_the_same(facts):
    assert wrong(facts, "draws", 91) == []


def test_every_weight_of_freshly_built_layers_begins_as_keras_begins_it(facts):
    assert wrong(facts, "beginning", 84) == []


def test_keras_loads_a_reinitialised_file_whose_weights_are_as_it_begins_them_and_the_models_own(facts):
    assert wrong(facts, "file", 73) == []

"""What Keras itself loads after strip, drop and cast, compared with what it loaded before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import DATA

CHECK = Path(__file__).with_name("surgery_check.py")
LOADED_BY_KERAS_3 = ["keras315_nested.keras", "keras315_recurrent.keras", "keras315_transformer.keras"]
BACKEND = os.environ.get("WEIGHTKIT_TEST_BACKENDS", "tensorflow").split(",")[0]


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    quiet = {"KERAS_BACKEND": BACKEND, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    golden = [str(DATA / name) for name in LOADED_BY_KERAS_3]
    command = [sys.executable, str(CHECK), str(tmp_path_factory.mktemp("surgery")), *golden]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def wrong(facts, verb, count):
    found = {fact: holds for fact, holds in facts.items() if fact.startswith(verb)}
    assert len(found) == count
    return [fact for fact, holds in found.items() if not holds]


def test_what_is_stripped_loads_as_before_but_for_the_optimizer(facts):
    assert wrong(facts, "strip", 13) == []


def test_what_lost_a_layer_fails_to_load_as_the_plan_says_and_its_advice_loads_all_else(facts):
    assert wrong(facts, "drop", 34) == []


def test_what_is_cast_loads_rounded_where_keras_can_load_it_and_the_plan_says_where_not(facts):
    assert wrong(facts, "cast", 12) == []


def test_golden_files_load_the_same_after_a_cast_there_and_back(facts):
    assert wrong(facts, "keras315", len(LOADED_BY_KERAS_3)) == []

"""What Keras saved, trained, built twice and renamed is compared right, on each backend that is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BACKENDS = os.environ.get("WEIGHTKIT_TEST_BACKENDS", "tensorflow").split(",")
CHECK = Path(__file__).with_name("diff_check.py")


@pytest.fixture(scope="module", params=BACKENDS)
def facts(request, tmp_path_factory):
    """The facts that one process found on one backend; a backend that is asked for and missing fails here."""
    quiet = {"KERAS_BACKEND": request.param, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(CHECK), str(tmp_path_factory.mktemp(request.param))]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("backend is") == request.param
    return found


def wrong(facts, word):
    """The facts about something that do not hold; there must be such facts."""
    found = {fact: holds for fact, holds in facts.items() if fact.startswith(word)}
    assert found
    return [fact for fact, holds in found.items() if not holds]


def test_the_same_model_in_two_formats_is_equal_frozen_in_part_or_not(facts):
    assert wrong(facts, "format") == []


def test_the_same_architecture_built_twice_with_the_same_weights_has_no_differences(facts):
    assert wrong(facts, "built twice") == []


def test_two_epochs_of_one_run_are_ranked_by_what_moved_and_the_optimizer_too(facts):
    assert wrong(facts, "epochs") == []


def test_a_renamed_layer_is_told_as_a_rename_and_nothing_else(facts):
    assert wrong(facts, "rename") == []

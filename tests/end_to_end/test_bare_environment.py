"""The command line works where neither Keras nor a backend is installed."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from support import DATA, half, plain_datasets, run_weightkit

NAMES = ["keras23_nested.h5", "keras315_nested.keras", "keras315_bfloat16.weights.h5"]


@pytest.mark.parametrize("package", ["keras", "tensorflow", "jax", "torch", "tf_keras"])
def test_the_environment_really_is_bare(bare_python, package, tmp_path):
    done = subprocess.run(
        [bare_python, "-c", f"import {package}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_show_and_scale_work_there(bare_python, name, tmp_path):
    model = tmp_path / name
    shutil.copyfile(DATA / name, model)
    shown = run_weightkit("show", model, "--stats", "--json", python=bare_python, cwd=tmp_path)
    assert len(json.loads(shown.stdout)["weights"]) == len(plain_datasets(model))
    before = plain_datasets(model)
    done = run_weightkit("scale", model, "--factor", "0.5", "--json", python=bare_python, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for weight in json.loads(done.stdout)["changed"]:
        place = weight["structure"] if weight["structure"] in before else f"model_weights/{weight['structure']}"
        assert plain_datasets(model)[place].tobytes() == half(before[place]).tobytes()


def test_a_model_in_memory_is_refused_in_words_there(bare_python, tmp_path):
    code = (
        "from weightkit import WeightkitError, open_weights\n"
        "try: open_weights(object())\n"
        "except WeightkitError as error: print(error)"
    )
    done = subprocess.run([bare_python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "must be a path" in done.stdout

"""A legacy file whose lists name what is not in it, or the same twice: every command says so, in text and as JSON."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from support import run_weightkit, write_legacy

COMMANDS = {
    "show": ["show", "FILE"],
    "show with statistics": ["show", "FILE", "--stats"],
    "diff": ["diff", "FILE", "OTHER"],
    "diff the other way": ["diff", "OTHER", "FILE"],
    "scale": ["scale", "FILE", "--factor", "2"],
    "reinitialize": ["reinitialize", "FILE", "--initializer", "zeros"],
    "cast": ["cast", "FILE", "--to", "float16", "-o", "OUT"],
    "strip": ["strip", "WHOLE"],
    "drop": ["drop", "FILE", "--where", "one/bias"],
    "restore": ["restore", "FILE"],
}
SAID = ("its lists name 1 layer (gone) and 1 weight (two/bias), which it does not hold", "is listed twice")


@pytest.fixture
def places(tmp_path):
    values = {"kernel": np.ones((2, 3), "f4"), "bias": np.ones(3, "f4")}
    file, other = (write_legacy(tmp_path / name, {"one": values, "two": values}) for name in ("a.h5", "b.h5"))
    with h5py.File(file, "r+") as opened:
        opened.attrs["layer_names"] = [b"one", b"two", b"gone"]
        opened["one"].attrs["weight_names"] = [b"one/kernel:0", b"one/bias:0", b"one/kernel:0"]
        del opened["two/two/bias:0"]
    (tmp_path / "a.h5.bak").write_bytes(file.read_bytes())
    with h5py.File(file) as opened, h5py.File(tmp_path / "whole.h5", "w") as whole:
        opened.copy("/", whole, "model_weights")
        whole.attrs["training_config"] = b"{}"
    return {"FILE": file, "OTHER": other, "OUT": tmp_path / "out.h5", "WHOLE": tmp_path / "whole.h5"}


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_is_wrong_with_the_file(command, form, places):
    done = run_weightkit(*(places.get(word, word) for word in COMMANDS[command]), *form)
    assert done.returncode in {0, 1}, done.stderr
    text = "\n".join(json.loads(done.stdout)["notes"]) if form else done.stderr
    assert all(words in text for words in SAID), text

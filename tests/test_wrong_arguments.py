"""A wrong first guess gets a sentence that says what was expected, and nothing is read or written for it."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest
from support import DATA, Folder

import weightkit
from weightkit import Cast, Scale, cast, diff, edit, open_weights, plan, restore, scale, show
from weightkit.errors import RequestError


@pytest.fixture
def model(tmp_path):
    return Path(shutil.copyfile(DATA / "keras23_nested.h5", tmp_path / "m.h5"))


def refused(model, act, message):
    before = Folder.of(model.parent)
    with pytest.raises(RequestError) as error:
        act()
    assert message in str(error.value)
    assert Folder.of(model.parent) == before


@pytest.mark.parametrize("switch", ["verify", "backup", "dry_run", "overwrite", "break_links", "allow_nonfinite"])
@pytest.mark.parametrize("value", ["no", 1, None])
def test_a_switch_is_true_or_false(model, switch, value):
    message = f"{switch} must be True or False, got {value!r}"
    refused(model, lambda: scale(model, 0.5, **{switch: value}), message)
    refused(model, lambda: edit(model, Scale(0.5), **{switch: value}), message)


@pytest.mark.parametrize("switch", ["backup", "break_links", "dry_run"])
def test_a_switch_of_restore_is_true_or_false(model, switch):
    scale(model, 0.5)
    refused(model, lambda: restore(model, **{switch: "no"}), f"{switch} must be True or False, got 'no'")


def test_other_switches_are_true_or_false(model):
    preview = plan(model, Scale(0.5))
    refused(model, lambda: show(model, stats="no"), "stats must be True or False, got 'no'")
    refused(model, lambda: open_weights(model, editable="no"), "editable must be True or False, got 'no'")
    refused(model, lambda: preview.apply(model, verify="no"), "verify must be True or False, got 'no'")
    refused(model, lambda: preview.apply(model, "out.h5"), "destination must be a Destination, got 'out.h5'")


@pytest.mark.parametrize("output", [3, True, "", b"out.h5", ["out.h5"]])
def test_an_output_is_a_path(model, output):
    refused(model, lambda: scale(model, 0.5, output=output), f"output must be a path, got {output!r}")


@pytest.mark.parametrize("tolerance", ["rtol", "atol"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1e-5", None, True])
def test_a_tolerance_is_a_number(model, tolerance, value):
    message = f"{tolerance} must be a finite number >= 0, got {value!r}"
    refused(model, lambda: diff(model, model, **{tolerance: value}), message)


@pytest.mark.parametrize("to", [[], {}, None, float, "flaot16"])
def test_a_type_is_one_of_four(model, to):
    refused(model, lambda: cast(model, to), "to must be one of float16, bfloat16, float32, float64, got ")
    with pytest.raises(RequestError, match="to must be one of"):
        Cast(to)


@pytest.mark.parametrize(
    ("place", "name", "near"),
    [
        ("", "scal", "scale"),
        ("", "Scael", "Scale"),
        ("", "trainign", "training"),
        (".transforms", "Sacle", "Scale"),
        (".inspect", "list_weight", "list_weights"),
        (".access", "open_weight", "open_weights"),
        (".access.live", "open_liv", "open_live"),
        (".testing", "LayerContrac", "LayerContract"),
    ],
)
def test_a_misspelled_name_gets_the_nearest(place, name, near):
    module = importlib.import_module(f"weightkit{place}")
    with pytest.raises(AttributeError) as error:
        getattr(module, name)
    assert str(error.value) == f"module 'weightkit{place}' has no attribute {name!r}, did you mean {near!r}?"


def test_a_name_that_python_asks_for_is_compared_with_none():
    with pytest.raises(AttributeError, match=r"has no attribute '__all___'$"):
        weightkit.__all___  # noqa: B018

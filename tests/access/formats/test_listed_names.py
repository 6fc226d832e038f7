"""What a store says of lists that name what the file does not hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from support import GOLDEN, REAL, on_a_terminal, run_weightkit, write_legacy

from weightkit import Scale, diff, drop, open_weights, plan, scale, show
from weightkit.access.formats.listed_names import notes_on_lists, readable
from weightkit.access.hdf5.index import Index

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = np.arange(9, dtype=np.float32).reshape(3, 3)
LOST = "two/w is listed twice and stored once: one value is lost"
INCOMPLETE = "the file is incomplete: its lists name 2 layers (d, e) and 1 weight (c/bias), which it does not hold"


def legacy(path: Path, layers: dict[str, tuple[list[str], list[str]]], names: list[str] | None = None) -> Path:
    """A file of weights alone: for each layer what its list names, and what is stored."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(names or list(layers), "S")
        for layer, (listed, stored) in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array(listed, "S")
            for name in stored:
                group[name] = KERNEL
    return path


@pytest.fixture
def repeated(tmp_path: Path) -> Path:
    """As a save of tf.keras leaves it that failed at the second of two weights with one name."""
    return legacy(
        tmp_path / "repeated.h5",
        {"one": (["one/w:0"], ["one/w:0"]), "two": (["two/w:0", "two/w:0"], ["two/w:0"])},
    )


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """As a save leaves it that was killed: it writes the list of layers first, and the weights last."""
    both = ["b/kernel:0", "b/bias:0"]
    layers = {"b": (both, both), "c": (["c/kernel:0", "c/bias:0"], ["c/kernel:0"])}
    return legacy(tmp_path / "half.h5", layers, ["b", "c", "d", "e"])


def notes(path: Path) -> tuple[str, ...]:
    with open_weights(path) as store:
        return store.notes


def test_what_is_listed_and_not_there_is_one_note_with_counts_and_names(half: Path) -> None:
    assert notes(half) == (INCOMPLETE,)


def test_a_group_is_no_weight_and_a_dataset_no_layer(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.h5", {"a": (["w", "g"], ["w", "g/inside"])}, ["a", "d"])
    with h5py.File(path, "r+") as file:
        file["d"] = KERNEL
    assert notes(path) == (
        "the file is incomplete: its lists name 1 layer (d) and 1 weight (a/g), which it does not hold",
    )


def test_many_missing_names_are_folded(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.h5", {"a": ([f"w{number}" for number in range(50)], ["w0"])})
    (note,) = notes(path)
    assert "49 weights (a/w1, a/w2, a/w3 and 46 more)" in note


def test_a_weight_that_is_listed_twice_and_stored_once_is_lost(repeated: Path) -> None:
    assert notes(repeated) == (LOST,)


def test_repeats_are_counted_and_folded(tmp_path: Path) -> None:
    assert notes(legacy(tmp_path / "often.h5", {"a": (["w"] * 5, ["w"])})) == (
        "a/w is listed 5 times and stored once: 4 values are lost",
    )
    several = {name: (["w", "w"], ["w"]) for name in "abcde"}
    assert notes(legacy(tmp_path / "several.h5", several)) == (
        "5 weights are listed several times and stored once, so values are lost: a/w, b/w, c/w and 2 more",
    )
    assert notes(legacy(tmp_path / "layers.h5", {"a": (["w"], ["w"])}, ["a", "a"])) == (
        "1 layer is listed several times and stored once, so weights may be lost: a",
    )


def test_a_missing_weight_that_is_listed_twice_is_only_missing(tmp_path: Path) -> None:
    (note,) = notes(legacy(tmp_path / "m.h5", {"a": (["w", "w", "v"], ["v"])}))
    assert "1 weight (a/w)" in note


@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_a_sound_file_has_no_notes(path: Path) -> None:
    assert notes(path) == ()


def test_a_weight_is_there_under_every_spelling_and_under_a_second_name_of_its_group(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.h5", {"a": (["x//w", "./x/w", "y/w", "z"], ["x/w"])})
    with h5py.File(path, "r+") as file:
        file["a/y"], file["a/z"] = file["a/x"], file["a/x/w"]
    assert notes(path) == ()


def test_the_lists_of_the_optimizer_and_of_a_whole_model_count_too(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"a"]
        weights.create_group("a").attrs["weight_names"] = [b"a/w:0"]
        weights["a/a/w:0"] = KERNEL
        slots = file.create_group("optimizer_weights")
        slots.attrs["weight_names"] = [b"Adam/m/a/w:0", b"Adam/v/a/w:0"]
        slots["Adam/m/a/w:0"] = KERNEL
    (note,) = notes(path)
    assert "1 weight (optimizer_weights/Adam/v/a/w)" in note


def test_notes_are_in_listings_and_their_json(half: Path) -> None:
    listing = show(half)
    assert listing.file_notes == (INCOMPLETE,)
    assert str(listing).splitlines()[-2] == INCOMPLETE
    assert INCOMPLETE in listing._repr_html_()
    assert listing.to_dict()["notes"] == [INCOMPLETE]


def test_notes_are_printed_after_the_table_and_are_not_dim(half: Path) -> None:
    shown = on_a_terminal("show", half, width=200).splitlines()
    (line,) = (line for line in shown if INCOMPLETE in line)
    assert "\x1b" not in line
    assert shown.index(line) > max(number for number, line in enumerate(shown) if "c/kernel" in line)
    done = run_weightkit("show", half)
    assert INCOMPLETE in done.stderr.splitlines()
    assert json.loads(run_weightkit("show", half, "--json").stdout)["notes"] == [INCOMPLETE]


def test_notes_are_in_plans_and_before_the_result_of_reports(half: Path, tmp_path: Path) -> None:
    planned = plan(half, Scale(2))
    assert planned.store_notes == (INCOMPLETE,)
    assert f"note: {INCOMPLETE}" in str(planned)
    assert INCOMPLETE in planned._repr_html_()
    report = scale(half, 2, output=tmp_path / "out.h5")
    lines = report.lines()
    assert lines.index(INCOMPLETE) < lines.index(f"written to {tmp_path / 'out.h5'}")
    assert INCOMPLETE in report.to_dict()["notes"]
    said = run_weightkit("scale", half, "--factor", "2").stderr.splitlines()
    assert said.index(INCOMPLETE) < next(number for number, line in enumerate(said) if line.startswith("written to"))


def test_a_plan_has_the_notes_of_the_file_that_it_is_applied_to(half: Path, tmp_path: Path) -> None:
    whole = write_legacy(tmp_path / "whole.h5", {"b": {"kernel": KERNEL, "bias": KERNEL}, "c": {"kernel": KERNEL}})
    assert INCOMPLETE not in str(plan(half, Scale(2)).apply(whole))
    assert INCOMPLETE in str(plan(whole, Scale(2)).apply(half))


def test_a_weight_that_was_dropped_is_not_missing(repeated: Path) -> None:
    drop(repeated, "two/w")
    assert notes(repeated) == ()


def test_a_note_s_names_are_escaped(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.h5", {"a": (["w\x1b[31m", "v"], ["v"])})
    assert "\x1b[31m" in notes(path)[0]  # the text itself; what prints it escapes it
    assert "\x1b" not in str(show(path))
    assert "\x1b" not in run_weightkit("show", path).stderr


def test_names_in_a_note_are_cut_short(tmp_path: Path) -> None:
    name = "x" * 5000
    found = notes(legacy(tmp_path / "m.h5", {"a": ([name, "w", "w"], ["w"])}, ["a", name, "y", name]))
    assert len(found) == 3
    assert all(len(note) < 400 for note in found)
    assert f"2 layers ({'x' * 100}…, y) and 1 weight (a/{'x' * 98}…)" in found[0]


def test_a_name_that_is_deeper_than_any_group_is_missing() -> None:
    index: Any = Index(0)
    index.aliases["a"] = ""
    assert readable("a", "x/" * 100 + "w:0").startswith("a/x/")
    assert "1 layer" in notes_on_lists(index, "", ["a/" * 40_000], [])[0]


def test_lists_of_one_name_are_read_in_a_single_pass(tmp_path: Path) -> None:
    """Every repeat of the layer times every repeat of the weight would be 4e10 steps."""
    path, many = tmp_path / "m.h5", 200_000
    with h5py.File(path, "w", libver="latest") as file:  # older formats hold no attributes over 64 KiB
        file.attrs["layer_names"] = np.full(many, b"a")
        group = file.create_group("a")
        group.attrs["weight_names"] = np.full(many, b"w")
        group["w"] = KERNEL
    with open_weights(path) as store:
        assert [ref.path for ref in store] == ["a/w"]
        assert f"a/w is listed {many} times and stored once" in store.notes[1]


def test_a_comparison_says_which_of_the_two_files_has_the_notes(half: Path, repeated: Path) -> None:
    assert diff(half, repeated, match="name").notes[:2] == (f"{half}: {INCOMPLETE}", f"{repeated}: {LOST}")

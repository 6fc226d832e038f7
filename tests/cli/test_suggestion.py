"""How a proposed mapping is printed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import write_legacy

from weightkit import suggest
from weightkit.cli.output import show
from weightkit.cli.suggestion import result


@pytest.fixture
def suggested(tmp_path):
    """The mapping between two files of layers: {"target's": ("source's", width)}; None where a side has none."""

    def make(layers):
        paths = [tmp_path / "target.h5", tmp_path / "source.h5"]
        names = (list(layers), [theirs for theirs, _ in layers.values()])
        widths = [width for _, width in layers.values()]
        for path, side in zip(paths, names, strict=True):
            kernels = {name: np.zeros((2, width), "f4") for name, width in zip(side, widths, strict=True) if name}
            write_legacy(path, {name: {"kernel": kernel} for name, kernel in kernels.items()})
        return suggest(*paths)

    return make


def test_lines_off_a_terminal_have_four_fields_and_what_is_left_over_comes_last(suggested, capsys):
    found = suggested({"first": ("one", 3), "second": ("second", 4), "third": ("", 5)})
    show(result(found, target="target.h5", source="source.h5"), as_json=False)
    printed = capsys.readouterr()
    assert [line.split("\t")[:3] for line in printed.out.splitlines()] == [
        ["first", "one", "likely"],
        ["second", "second", "sure"],
        ["third", "", "open"],
    ]
    assert {len(line.split("\t")) for line in printed.out.splitlines()} == {4}
    assert printed.err.splitlines() == [
        "layers of source.h5 for target.h5",
        "2 of 3 layers have a proposal: 1 sure, 1 likely, 0 open",
        "--rename 'one=first'",
    ]


def test_source_layers_that_are_left_over_are_lines_and_a_note(tmp_path):
    kernel = np.zeros((2, 3), "f4")
    target = write_legacy(tmp_path / "t.h5", {"a": {"kernel": kernel}})
    source = write_legacy(tmp_path / "s.h5", {"a": {"kernel": kernel}, "b": {"kernel": kernel.T}})
    printed = result(suggest(target, source))
    assert printed.lines[1:] == (("", "b", "unused", ""),)
    assert printed.notes[1:] == ("not used of the source: b",)
    assert [row[:3] for row in printed.rows] == [("a", "a", "sure")]


def test_at_most_eight_options_are_shown(suggested):
    found = suggested({f"layer_x{n}": (f"other_y{n}", n + 1) for n in range(11)})
    notes = result(found).notes
    assert notes[1] == "--rename 'other_y0=layer_x0'"
    assert len([note for note in notes if note.startswith("--rename ")]) == 8
    assert notes[-1] == "and 3 more: --json lists them all"


def test_options_are_quoted_for_a_shell_and_left_to_json_where_a_note_cannot_show_them(suggested):
    found = suggested({"it's": ("mine", 3), "plain": ("a[0]", 4), "other": ("b=c", 5)})
    notes = result(found).notes
    assert notes[1:] == ("""--rename 'mine=it'"'"'s'""", "and 2 more: --json lists them all")
    assert result(found).record["rename"] == {"mine": "it's", r"a\[0\]": "plain", "b=c": "other"}


def test_with_json_the_whole_record_is_one_object(suggested, capsys):
    found = suggested({"first": ("one", 3)})
    show(result(found), as_json=True)
    assert json.loads(capsys.readouterr().out) == found.to_dict()

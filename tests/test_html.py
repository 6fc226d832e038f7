"""Tables for notebooks: nothing from a file can become markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from support import DATA, write_legacy

from weightkit import Scale, diff, edit, open_weights, plan
from weightkit.access.matching import match
from weightkit.html import table

EVIL = "<script>x</script>\x1b[31m\u202e&'\""


class Seen(HTMLParser):
    """The tags and the text of a piece of HTML; complains where tags do not close."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.open, self.text = set(), [], ""
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert attrs == []
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def require_safe(content):
    seen = Seen(content)
    assert seen.tags <= {"table", "caption", "tr", "th", "td", "div"}
    assert "\x1b" not in seen.text
    assert "\u202e" not in seen.text
    return seen


def test_captions_headings_cells_and_notes_are_escaped():
    seen = require_safe(table(EVIL, [EVIL], [[EVIL]], [EVIL]))
    assert seen.text.count("<script>x</script>\\x1b[31m\\u202e&'\"") == 4


def test_long_tables_are_cut_and_say_so():
    content = table("", ["n"], [[str(number)] for number in range(1000)])
    assert content.count("<tr>") == 201
    assert "and 800 more" in content


@pytest.fixture
def evil(tmp_path):
    return [
        write_legacy(tmp_path / f"{n}.h5", {f"d{EVIL}".replace("/", ""): {"kernel": [1.0, 2, value]}})
        for n, value in enumerate([3, 4, 5])
    ]


def test_stores_plans_reports_matches_and_diffs_are_safe_tables(evil):
    act = Scale(0.5)
    with open_weights(evil[0]) as ours, open_weights(evil[1]) as theirs:
        shown = [ours, match(ours, theirs), match(list(ours), [], "name")]
        shown += [diff(ours, theirs), plan(evil[0], act, "**"), edit(evil[2], act, "**")]
        for thing in shown:
            seen = require_safe(thing._repr_html_())
            assert "table" in seen.tags
            assert thing._repr_html_() == thing._repr_html_()
            for text in (repr(thing), str(thing)):
                assert "\x1b" not in text
                assert "\u202e" not in text
            assert "\n" not in repr(thing)


def test_a_table_of_a_store_has_a_row_a_weight():
    with open_weights(DATA / "keras315_nested.keras") as store:
        assert store._repr_html_().count("<tr>") == 1 + 22
        assert repr(store) == f"<FileStore '{DATA / 'keras315_nested.keras'}': .keras archive, 22 weights>"


def test_a_table_of_a_report_has_the_changed_weights_and_the_sentences(tmp_path):
    out = tmp_path / "out.keras"
    report = edit(DATA / "keras315_nested.keras", Scale(0.5), "role:kernel", output=out)
    content = report._repr_html_()
    assert content.count("<tr>") == 1 + 4
    assert f"written to {out}" in content


def test_a_report_prints_what_was_done_left_and_written(tmp_path):
    out, source = tmp_path / "out.keras", DATA / "keras315_nested.keras"
    report = edit(source, Scale(0.5), "role:kernel", output=out)
    assert str(report).splitlines() == [
        f"Scale(0.5) changed 4 of 22 weights (56 bytes) of {source}",
        "  unchanged: 18, not selected",
        f"  written to {out}",
    ]
    assert repr(report) == f"<Report: Scale(0.5) changed 4 of 22 weights (56 bytes) of {source}>"


def test_a_reference_is_one_readable_line():
    with open_weights(DATA / "keras315_nested.keras") as store:
        assert repr(next(iter(store))) == "<WeightRef 'dense_2/kernel': 2x2 float32, parameter of 'Dense'>"
    with open_weights(DATA / "keras315_subclassed.weights.h5") as store:
        assert repr(next(iter(store))) == "<WeightRef 'vars/0': scalar float32, unknown>"

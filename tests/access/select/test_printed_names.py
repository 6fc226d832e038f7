"""A name as it is printed selects its weight when it is pasted into a selection."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import write_legacy

from weightkit import diff, open_weights, plan, show
from weightkit.access.select.parse import parse
from weightkit.errors import SelectionError, UnknownWeightError
from weightkit.escape import escape, escape_cell, quoted
from weightkit.transforms.scale import Scale

NAMES = [
    "a\tb", "a\\tb", "ab", "a\u3164b", "a\u034fb", "a\u2800b", "a\ufe0fb", "a\\u3164b", "e\u0301", "\xe9", "k", "k ",
    " k", "f[0]", "f0", "g*", "g*h",
]  # fmt: skip
# Braces and brackets that do not close are no pattern, and the error says how to write them.
PRINTED = st.text("ab/\\*?,!|#^ \n\t\u3164\u0301e\xe9x20u", min_size=1, max_size=8)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    layers = {name: {"w": np.ones(2, "f4")} for name in NAMES}
    return write_legacy(tmp_path_factory.mktemp("names") / "m.h5", layers)


def printed(lines):
    return {line.removeprefix("  ").split("/w  ")[0] for line in str(lines).splitlines() if "/w  " in line}


def test_no_two_names_are_printed_alike(file):
    wanted = {escape_cell(f"{name}/w").removesuffix("/w") for name in NAMES}
    assert len(wanted) == len(NAMES)
    assert printed(show(file)) == printed(plan(file, Scale(2), where="**")) == wanted
    other = write_legacy(file.with_name("other.h5"), {name: {"w": np.zeros(2, "f4")} for name in NAMES})
    assert printed(diff(file, other)) == wanted


def test_no_two_representations_and_no_two_summaries_are_alike(tmp_path):
    file = write_legacy(tmp_path / "m.h5", {name: {"w": np.ones(2, "f4")} for name in NAMES})
    with open_weights(file) as store:
        assert {repr(ref).split(":")[0] for ref in store} == {f"<WeightRef {quoted(f'{name}/w')}" for name in NAMES}
    odd = file.rename(tmp_path / "m\u3164\x1b.h5")
    with open_weights(odd) as store:
        assert repr(store).startswith(f"<FileStore '{tmp_path}/m\\u3164\\x1b.h5': ")
        preview = plan(store, Scale(2), where="**")
    assert preview.summary().endswith("m\\u3164\\x1b.h5")
    assert str(preview).splitlines()[0] == preview.summary() == repr(preview).removeprefix("<Plan: ")[:-1]
    assert repr(show(odd)).startswith(f"<Listing of '{tmp_path}/m\\u3164\\x1b.h5': ")


def test_errors_and_their_hints_print_a_name_in_one_way(file):
    with open_weights(file) as store:
        for name in NAMES:
            with pytest.raises(UnknownWeightError) as raised:
                store[name]
            wanted = f"'{escape(name)}' is a layer, not a weight \u2014 give one of {escape_cell(f'{name}/w')}"
            assert str(raised.value) == f"{file}: {wanted}"
            with pytest.raises(UnknownWeightError) as raised:
                store[f"{name}/v"]
            wanted = f"there is no weight '{escape(f'{name}/v')}' \u2014 "
            assert str(raised.value).startswith(f"{file}: {wanted}")


def test_a_printed_name_selects_its_weight(file):
    with open_weights(file) as store:
        chosen = {name: {ref.layer for ref in store.select(escape_cell(name))} for name in NAMES}
    patterns = {"f[0]": {"f[0]", "f0"}, "g*": {"g*", "g*h"}}
    assert chosen == {name: patterns.get(name, {name}) for name in NAMES}


@given(path=PRINTED)
def test_any_printed_path_selects_its_weight(weight, path):
    try:
        selector = parse(escape_cell(path))
    except SelectionError:  # an empty name beside a slash
        return
    assert selector(weight(path, "vars/0", layer="", name=path))

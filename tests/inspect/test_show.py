"""The library's show: the listing of the command line, on whatever holds weights."""

from __future__ import annotations

import json

import pytest
from support import DATA, run_weightkit

from weightkit import open_weights, show
from weightkit.errors import SelectionError

GOLDEN = DATA / "keras315_nested.keras"


def test_it_gives_the_object_that_the_command_prints():
    assert show(GOLDEN, where="encoder", exclude="name:bias", stats=True).to_dict() == json.loads(
        run_weightkit("show", GOLDEN, "--where=encoder", "--exclude=name:bias", "--stats", "--json").stdout
    )


def test_printing_it_shows_a_table_of_every_weight():
    first, headings, *rows, last = str(show(GOLDEN)).splitlines()
    assert first.startswith(f"{GOLDEN}: .keras archive, Keras 3.15.1, ")
    assert headings.split() == ["weight", "class", "shape", "dtype", "kind", "size"]
    assert len(rows) == 22
    assert rows[0].split() == ["dense_2/kernel", "Dense", "2x2", "float32", "parameter", "16", "bytes"]
    assert len({row.index("float32") for row in rows if "float32" in row}) == 1
    assert last == "22 weights, 50 elements, 204 bytes: 10 parameter, 2 statistic, 10 optimizer"


def test_with_measures_these_are_the_columns():
    headings = str(show(GOLDEN, where="encoder", stats=True)).splitlines()[1].split()
    assert headings == ["weight", "shape", "min", "max", "mean", "std", "norm", "zeros"]


def test_notebooks_get_the_same_table():
    page = show(GOLDEN, where="dense_1")._repr_html_()
    assert page.count("<tr>") == 3
    assert "dense_1/kernel" in page


def test_an_open_store_is_shown_and_stays_open():
    with open_weights(GOLDEN) as store:
        assert show(store).to_dict() == show(GOLDEN).to_dict()
        assert store.read(next(iter(store))).size


def test_a_selection_that_matches_nothing_is_refused():
    with pytest.raises(SelectionError, match="nothing"):
        show(GOLDEN, where="no_such_layer")

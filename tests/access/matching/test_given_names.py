"""Given names that both sides have, against pairs by place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weightkit.access.matching import match
from weightkit.access.matching.given_names import crosses, given_names
from weightkit.errors import RequestError


def _at(dense, *places):
    """Dense layers with these names, at the paths of one structure."""
    refs = dense(dict.fromkeys(places, (2, 2)))
    return [replace(ref, structure=f"layers/dense_{place // 2}/vars/{place % 2}") for place, ref in enumerate(refs)]


def test_names_are_those_that_somebody_gave(weight):
    assert given_names(weight("enc/dense_3/kernel")) == ("enc",)
    known = replace(weight("block_1/dense/kernel"), around=("Block", "Dense"))
    assert given_names(known) == ()
    assert given_names(replace(known, around=(None, "Dense"))) == ("block_1",)
    assert given_names(replace(known, layer=None, near=("enc", "/d"), around=(None, None))) == ("enc",)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (("enc/dense", "dec/dense"), ("dec/dense", "enc/dense"), True),
        (("enc/dense", "dense"), ("dense", "enc/dense"), True),
        (("enc/dense", "dec/dense"), ("enc/dense", "other/dense"), False),
        (("enc/dense", "enc/dense_1"), ("enc/dense", "enc/head"), False),
        (("dense", "dense_1"), ("dense_1", "dense"), False),
    ],
)
def test_a_name_of_both_sides_at_another_place_is_crossed(dense, ours, theirs, expected):
    first, second = _at(dense, *ours), _at(dense, *theirs)
    assert crosses(zip(first, second, strict=True), first, second) is expected


def test_nested_models_that_changed_places_do_not_go_by_place_for_a_renamed_head(dense, layers_of, store_of):
    ours, theirs = _at(dense, "enc/dense", "dec/dense", "h"), _at(dense, "dec/dense", "enc/dense", "head")
    found = match(store_of(ours), store_of(theirs))
    assert layers_of(found.pairs) == {"enc/dense": "enc/dense", "dec/dense": "dec/dense"}
    assert {ref.layer for ref in found.missing} == {"h"}


def test_nor_where_the_weights_have_no_names(dense):
    def file(*places):
        return [replace(ref, name=None, layer_class=None) for ref in _at(dense, *places)]

    with pytest.raises(RequestError, match="cannot be matched"):
        match(file("enc/dense", "dec/dense", "h"), file("dec/dense", "enc/dense", "head"))

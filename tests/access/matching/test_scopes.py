"""A backbone in a model with a new head, and a model whose backbone is taken out."""

from __future__ import annotations

import pytest

from weightkit.access.matching import Told, match
from weightkit.access.ref import Kind
from weightkit.errors import RequestError

BACKBONE = {"conv_a": (2, 3), "conv_b": (3, 3), "dense": (3, 4)}
WHOLE = {f"backbone/{name}": shape for name, shape in BACKBONE.items()} | {"head": (4, 2)}


@pytest.mark.parametrize("names", [list(BACKBONE), ["dense", "dense_1", "dense_2"]], ids=["given", "automatic"])
def test_a_backbone_fills_its_place_in_a_model_and_the_head_is_fresh(dense, layers_of, names):
    whole = {f"backbone/{name}": shape for name, shape in zip(names, BACKBONE.values(), strict=True)} | {"head": (4, 2)}
    found = match(dense(whole), dense(dict(zip(names, BACKBONE.values(), strict=True))))
    assert layers_of(found.pairs) == {f"backbone/{name}": name for name in names}
    assert ([ref.path for ref in found.fresh], found.missing, found.unused) == (["head/kernel", "head/bias"], (), ())


def test_the_backbone_of_a_model_fills_a_model_that_is_only_that(dense, layers_of):
    found = match(dense(BACKBONE), dense(WHOLE))
    assert layers_of(found.pairs) == {name: f"backbone/{name}" for name in BACKBONE}
    assert (found.fresh, found.missing, [ref.path for ref in found.unused]) == ((), (), ["head/kernel", "head/bias"])


def test_a_part_is_found_at_any_depth_and_said(dense):
    inner = {f"wrap/core/dense_{n}": (2, 2) for n in (4, 5)}
    ours = inner | {"wrap/neck": (2, 3), "head": (4, 2)}
    found = match(dense(ours), dense({"dense": (2, 2), "dense_1": (2, 2)}))
    assert (found.part, len(found.pairs), len(found.fresh)) == ("wrap/core", 4, 4)
    assert str(found).startswith("matched by name: 4 weights, with all of one as wrap/core of the other\n  fresh: ")
    assert found.to_dict()["part"] == "wrap/core"


def test_two_places_for_one_model_are_refused_with_both(dense):
    ours = {f"{side}/dense_{n}": (2, 2) for side in ("left", "right") for n in (1, 2)}
    with pytest.raises(RequestError, match="fit into several layers of the other: left, right"):
        match(dense(ours), dense({"dense": (2, 2), "dense_1": (2, 2)}))


def test_whole_layers_beside_all_of_the_other_model_are_fresh(dense):
    found = match(dense({"conv_a": (2, 3), "top": (3, 5)}), dense({"conv_a": (2, 3)}))
    assert ([ref.layer for ref in found.fresh], found.missing) == (["top", "top"], ())


def test_a_gap_inside_a_layer_or_a_weight_without_a_place_is_no_new_head(dense, weight):
    ours = dense({"conv_a": (2, 3), "top": (3, 5)})
    without_bias = match(ours, [weight("conv_a/kernel", (2, 3))])
    assert ([ref.path for ref in without_bias.missing], without_bias.fresh) == (
        ["conv_a/bias", "top/kernel", "top/bias"], (),
    )  # fmt: skip
    with_other = match(ours, dense({"conv_a": (2, 3), "old": (3, 7)}))
    assert ([ref.layer for ref in with_other.missing], with_other.fresh) == (["top", "top"], ())


def test_automatic_names_do_not_tell_which_of_several_layers_is_new(dense):
    """The new one may be the first, and all others stand one place later."""
    longer = dense(dict.fromkeys(["dense", "dense_1", "dense_2"], (2, 2)))
    with pytest.raises(RequestError, match="dense and dense_1 look the same in the first"):
        match(longer, dense({"dense": (2, 2), "dense_1": (2, 2)}))
    other = match(
        dense({"conv2d": (2, 3), "conv2d_1": (3, 3), "dense": (3, 2)}), dense({"conv2d": (2, 3), "conv2d_1": (3, 3)})
    )
    assert [ref.layer for ref in other.fresh] == ["dense", "dense"]


def test_a_few_layers_of_a_large_model_are_no_backbone(dense):
    found = match(dense({"head": (4, 2), **{f"conv_{n}x": (2, n) for n in range(3)}}), dense({"head": (4, 2)}))
    assert (len(found.pairs), len(found.missing), found.fresh) == (2, 6, ())


def test_strictly_nothing_is_fresh(dense):
    assert match(dense(BACKBONE | {"head": (4, 2)}), dense(BACKBONE), strict=True).fresh == ()


class _Named(list):
    """References of a layer that was opened alone."""

    def __init__(self, refs, name):
        super().__init__(refs)
        self.root = (name, "Sequential")


def test_what_a_layer_of_one_name_does_not_have_is_missing_and_what_is_around_it_fresh(dense):
    whole = dense({"enc/x1": (2, 2), "enc/x2": (2, 2), "head": (2, 3)})
    found = match(whole, _Named(dense({"x1": (2, 2)}), "enc"))
    assert ({ref.layer for ref in found.missing}, {ref.layer for ref in found.fresh}) == ({"enc/x2"}, {"head"})
    back = match(_Named(dense({"x1": (2, 2), "x2": (2, 2)}), "enc"), dense({"enc/x1": (2, 2), "head": (2, 3)}))
    assert ({ref.layer for ref in back.missing}, {ref.layer for ref in back.unused}) == ({"x2"}, {"head"})
    assert (found.as_part, back.as_part) == ("all of one as enc of the other", "one as enc of the other")


def test_what_a_layer_that_is_told_does_not_have_is_missing_also_beside_a_part(dense, weight):
    ours = dense({"core/dense_4": (2, 2), "core/dense_5": (3, 3), "logits": (2, 3), "top": (9, 9)})
    theirs = [*dense({"dense": (2, 2), "dense_1": (3, 3)}), weight("predictions/kernel", (2, 3))]
    found = match(ours, theirs, told=Told({"predictions": "logits"}))
    assert ([ref.path for ref in found.missing], {ref.layer for ref in found.fresh}) == (["logits/bias"], {"top"})


def test_a_counter_beside_a_part_is_no_gap(dense, weight):
    seed = weight("drop/seed_generator_state", (2,), kind=Kind.STATE, dtype="u4")
    found = match([*dense(WHOLE), seed], dense(BACKBONE))
    assert (found.missing, seed in found.fresh) == ((), True)

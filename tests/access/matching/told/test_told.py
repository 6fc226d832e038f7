"""Where a user says that layers are: ``rename``, ``source_at``, ``target_at``."""

from __future__ import annotations

import pytest

from weightkit import match
from weightkit.access.matching.told.addresses import Addresses
from weightkit.errors import RequestError


def by_path(found):
    return {ours.path: theirs.path for ours, theirs in found.pairs.items()}


def paths(refs):
    return [ref.path for ref in refs]


def test_a_renamed_layer_is_matched_with_the_one_it_is_now(dense, layers_of):
    ours, theirs = dense({"body": (2, 2), "logits": (2, 3)}), dense({"body": (2, 2), "predictions": (2, 3)})
    found = match(ours, theirs, rename={"predictions": "logits"})
    assert layers_of(found.pairs) == {"body": "body", "logits": "predictions"}
    assert (found.by, found.fits, found.pairs[ours[2]]) == ("name", True, theirs[2])


def test_what_is_told_holds_against_names_and_order(dense, layers_of):
    ours, theirs = (dense(dict.fromkeys(["a", "b", "dense", "dense_1"], (2, 2))) for _ in range(2))
    told = {"a": "b", "b": "a", "dense": "dense_1", "dense_1": "dense"}
    assert layers_of(match(ours, theirs, rename=told).pairs) == {
        "a": "b",
        "b": "a",
        "dense": "dense_1",
        "dense_1": "dense",
    }


def test_an_automatic_name_may_be_told_and_the_others_go_by_order(dense, layers_of):
    ours = dense({"dense_5": (2, 2), "dense_6": (2, 2), "dense_7": (2, 2)})
    theirs = dense({"dense": (2, 2), "dense_1": (2, 2), "dense_2": (2, 2)})
    found = match(ours, theirs, rename={"dense": "dense_7"})
    assert layers_of(found.pairs) == {"dense_7": "dense", "dense_5": "dense_1", "dense_6": "dense_2"}


@pytest.mark.parametrize("numbered", [False, True])
def test_order_says_nothing_of_the_others_where_what_is_told_goes_against_it(dense, weight, store_of, numbered):
    def store(*names):
        if not numbered:
            return store_of(dense(dict.fromkeys(names, (2, 2))))
        keys = enumerate(names)
        return [weight(f"{name}/kernel", structure=f"layers/dense_{n}/vars/0") for n, name in keys]

    ours, theirs = store("x", "y", "z", "end"), store("a", "b", "c", "d")
    along = match(ours, theirs, rename={"b": "y"})
    assert [ref.layer for ref in along.pairs.values()][:: 1 if numbered else 2] == ["a", "b", "c", "d"]
    against = match(ours, theirs, rename={"a": "z"})
    assert by_path(against)["z/kernel"] == "a/kernel"
    assert "x/kernel" in paths(against.missing)
    if not numbered:  # a way that is asked for is taken at its word
        asked = match(ours, theirs, "order", rename={"a": "z"})
        assert [ref.layer for ref in asked.pairs.values()][::2] == ["b", "c", "a", "d"]


def test_a_layer_of_another_shape_is_matched_and_reported(dense):
    found = match(dense({"logits": (2, 3)}), dense({"predictions": (2, 9)}), rename={"predictions": "logits"})
    assert [one.what for one in found.mismatched] == ["shape (2, 3) and (2, 9)", "shape (3,) and (9,)"]


def test_a_whole_nested_model_moves_and_its_own_names_decide(dense, layers_of):
    names = ["stem", "conv2d_4", "conv2d_5"]
    theirs = dense({f"model_1/{name}": (2, 2) for name in names} | {"head": (2, 3)})
    ours = dense(dict.fromkeys(["stem", "conv2d", "conv2d_1"], (2, 2)) | {"head": (2, 3)})
    found = match(ours, theirs, rename={"model_1/**": "**"})
    assert layers_of(found.pairs) == {
        "stem": "model_1/stem", "conv2d": "model_1/conv2d_4", "conv2d_1": "model_1/conv2d_5", "head": "head",
    }  # fmt: skip
    back = match(theirs, ours, rename={"stem": "model_1/stem"})
    assert layers_of(back.pairs)["model_1/stem"] == "stem"


def test_all_of_one_layer_is_all_of_another_whatever_their_order(dense, store_of, layers_of):
    ours, theirs = (
        store_of(dense({f"sequential_{outer}/dense_{2 * outer + n}": (2, 2) for outer in models for n in (0, 1)}))
        for models in ((3, 4), (1, 2))
    )
    for below in ("", "/**"):
        told = {f"sequential_1{below}": f"sequential_4{below}", f"sequential_2{below}": f"sequential_3{below}"}
        assert layers_of(match(ours, theirs, rename=told).pairs) == {
            "sequential_3/dense_6": "sequential_2/dense_4", "sequential_3/dense_7": "sequential_2/dense_5",
            "sequential_4/dense_8": "sequential_1/dense_2", "sequential_4/dense_9": "sequential_1/dense_3",
        }  # fmt: skip


def test_the_path_of_what_moved_says_no_more_which_weight_it_is(weight):
    there = {"core/dense": "layers/functional/layers/dense", "dense_9": "layers/dense", "head": "layers/dense_1"}
    theirs = [weight(f"{name}/kernel", structure=f"{path}/vars/0") for name, path in there.items()]
    here = {"dense": "layers/dense", "dense_1": "layers/dense_1", "top": "layers/dense_2"}
    ours = [weight(f"{name}/kernel", structure=f"{path}/vars/0") for name, path in here.items()]
    found = match(ours, theirs, rename={"core/**": "**"})
    assert by_path(found) == {"dense/kernel": "core/dense/kernel", "dense_1/kernel": "dense_9/kernel"}
    assert paths(found.missing) == ["top/kernel"]


def test_paths_that_are_told_are_those_that_match(weight):
    def file(*layers):
        return [weight("n/x", structure=f"layers/{layer}/layers/dense/vars/0", named=False) for layer in layers]

    ours, theirs = file("functional", "functional_1"), file("functional", "functional_1")
    told = {"layers/functional/**": "layers/functional_1/**", "layers/functional_1/**": "layers/functional/**"}
    for rename in (told, {a.removesuffix("/**"): b.removesuffix("/**") for a, b in told.items()}):
        found = match(ours, theirs, rename=rename).pairs
        assert [b.structure for b in found.values()] == [ref.structure for ref in reversed(theirs)]
    flat = [weight("n/x", structure="layers/dense/vars/0", named=False)]
    moved = match(flat, file("core"), "structure", rename={"layers/core/layers/**": "layers/**"})
    assert len(moved.pairs) == 1


def test_what_is_told_to_stay_where_it_is_changes_nothing(weight):
    """Of a file that names some of its layers."""
    refs = [
        weight(f"{name}/x", structure=f"layers/{name}/vars/0", named=known)
        for name, known in {"dense": True, "dense_1": False}.items()
    ]
    assert match(refs, refs, rename={"**": "**"}).pairs == dict(zip(refs, refs, strict=True))


def test_many_layers_are_told_by_one_pattern(dense, layers_of):
    theirs = dense({f"block{n}_conv{m}": (2, n) for n in (1, 2) for m in (1, 2)})
    ours = dense({f"stage{n}/conv/{m}": (2, n) for n in (2, 1) for m in (2, 1)})
    found = match(ours, theirs, rename={"block*_conv*": "stage*/conv/*"})
    assert layers_of(found.pairs) == {f"stage{n}/conv/{m}": f"block{n}_conv{m}" for n in (2, 1) for m in (2, 1)}


def test_one_weight_may_be_told_and_the_rest_of_its_layer_matches_by_name(weight):
    ours = [weight("d/gain", (3,)), weight("d/bias", (3,))]
    theirs = [weight("d/gamma", (3,)), weight("d/bias", (3,))]
    assert by_path(match(ours, theirs, rename={"d/gamma": "d/gain"})) == {"d/gain": "d/gamma", "d/bias": "d/bias"}


def test_a_plain_name_is_looked_for_in_other_layers(dense, layers_of):
    ours, theirs = dense({"top/logits": (2, 3)}), dense({"top/predictions": (2, 3)})
    assert layers_of(match(ours, theirs, rename={"predictions": "logits"}).pairs) == {"top/logits": "top/predictions"}
    flat = dense({"logits": (2, 3), "body": (2, 2)})
    nested = dense({"top/predictions": (2, 3), "body": (2, 2)})
    assert layers_of(match(flat, nested, rename={"top/predictions": "logits"}).pairs)["logits"] == "top/predictions"


def test_what_is_not_told_and_fits_nowhere_is_missing_and_unused(dense):
    ours = dense({"logits": (2, 3), "new": (9, 9)})
    theirs = dense({"predictions": (2, 3), "old": (8, 8)})
    found = match(ours, theirs, rename={"predictions": "logits"})
    assert (paths(found.missing), paths(found.unused)) == (["new/kernel", "new/bias"], ["old/kernel", "old/bias"])


def test_a_layer_of_keras_1_that_is_told_is_converted_later(weight):
    ours = [weight(f"rnn/lstm_cell/{name}", (4, 8), cls="LSTMCell") for name in ("kernel", "recurrent_kernel", "bias")]
    theirs = [weight(f"lstm_1/{name}_{gate}", (4, 2), cls="LSTM") for name in "WUb" for gate in "icfo"]
    found = match(ours, theirs, "name", rename={"lstm_1": "rnn"})
    assert (found.pairs, len(found.unlike)) == ({}, 1)


def test_names_of_layers_that_only_a_file_has_are_told_by_its_paths(weight):
    ours = [weight("head/kernel"), weight("head/bias", (2,))]
    theirs = [
        weight("x/kernel", structure="layers/dense_3/vars/0", named=False, index=0),
        weight("x/bias", (2,), structure="layers/dense_3/vars/1", named=False, index=1),
    ]
    found = match(ours, theirs, rename={"layers/dense_3": "head"})
    assert {a.path: b.structure for a, b in found.pairs.items()} == {
        "head/kernel": "layers/dense_3/vars/0", "head/bias": "layers/dense_3/vars/1",
    }  # fmt: skip


def test_a_wrapper_is_told_whatever_the_layers_in_it_are_called(weight, store_of, layers_of):
    def bidirectional(name):
        return store_of(
            weight(f"{name}/{way}_{name}_rnn/lstm_cell/{one}", shape, structure=f"b/{way}_layer/cell/vars/{n}", index=n)
            for way in ("forward", "backward")
            for n, (one, shape) in enumerate({"kernel": (3, 8), "recurrent_kernel": (2, 8), "bias": (8,)}.items())
        )

    ours, theirs = bidirectional("new"), bidirectional("old")
    assert layers_of(match(ours, theirs, rename={"old": "new"}).pairs) == {
        f"new/{way}_new_rnn/lstm_cell": f"old/{way}_old_rnn/lstm_cell" for way in ("forward", "backward")
    }
    crossed = {"old/forward_old_rnn": "new/backward_new_rnn", "old/backward_old_rnn": "new/forward_new_rnn"}
    assert layers_of(match(ours, theirs, rename=crossed).pairs)["new/forward_new_rnn/lstm_cell"].startswith("old/backw")


def test_one_weight_told_to_a_name_that_is_not_there_is_refused_although_its_shape_fits(weight):
    with pytest.raises(RequestError, match="d/gamma=d/gian leads to a layer whose weights have other names: gain"):
        match([weight("d/gain", (3,))], [weight("d/gamma", (3,))], rename={"d/gamma": "d/gian"})


@pytest.fixture
def subclassed(weight):
    """A model with ``self.dense = Dense(name="head")``, and a layer in another one whose name is ``dense``."""
    return [
        weight("block/dense/kernel", structure="block/layers/dense/vars/0"),
        weight("head/kernel", structure="dense/vars/0"),
    ]


def test_the_name_of_one_layer_that_is_the_attribute_of_another_is_refused(subclassed, dense, weight, layers_of):
    of_both = "block/dense, head|head, block/dense"
    with pytest.raises(RequestError, match=f"target_at must be one layer, got 'dense', which matches 2: ({of_both})"):
        match(subclassed, dense({"x": (2, 2)}), target_at="dense")
    with pytest.raises(RequestError, match=f"'dense' is the name of one layer and the path of another .*: ({of_both})"):
        match([weight("x/kernel")], subclassed, rename={"dense": "x"})
    for one in ("block/dense", "head"):  # the way out
        assert layers_of(match(subclassed, [weight("x/kernel")], target_at=one).pairs) == {one: "x"}
        assert layers_of(match([weight("x/kernel")], subclassed, rename={one: "x"}).pairs) == {"x": one}


def test_a_name_at_the_top_is_not_an_attribute_of_that_name(weight, layers_of):
    theirs = [weight("head/kernel", structure="dense/vars/0"), weight("dense/kernel", structure="other/vars/0")]
    assert layers_of(match([weight("x/kernel")], theirs, rename={"dense": "x"}).pairs) == {"x": "dense"}
    assert layers_of(match([weight("x/kernel")], theirs, source_at="dense").pairs) == {"x": "dense"}


def test_only_weights_with_a_name_are_looked_at_for_it(dense):
    known = Addresses(refs := dense({f"dense_{n}": (2, 2) for n in range(100)}))
    found = [[ref.layer for ref, _ in known.by(name=True, names=names)] for names in (["dense_7", "kernel"], ["nope"])]
    assert found == [["dense_7", "dense_7"], []]
    assert [ref for ref, _ in known.by(name=False)] == refs


def test_a_name_is_made_free_for_another_layer(dense, layers_of):
    ours, theirs = dense({"body": (2, 2)}), dense({"body": (2, 2), "predictions": (2, 2)})
    found = match(ours, theirs, rename={"body/**": "unused/**", "predictions": "body"})
    assert (layers_of(found.pairs), {ref.layer for ref in found.unused}) == ({"body": "predictions"}, {"body"})


@pytest.mark.parametrize(
    ("rename", "problem"),
    [
        ({"predictionz": "logits"}, "'predictionz' matches no weight .* did you mean 'predictions'"),
        (
            {"predictions": "logitz"},
            "what 'predictions' becomes must be a layer with weights, got 'logitz', .* 'logits'",
        ),
        ({"pred*": "log*"}, "must be layers with weights, got 'log\\*'"),
        (
            {"predictions": "body"},
            "are both body/kernel .* rename 'body/\\*\\*' to 'unused/\\*\\*' before it",
        ),
        (
            {"body": "logits", "predictions": "at/logits"},
            "two weights of the source lead to logits/kernel: body/kernel ",
        ),
        ({"predictions": "logits/kernel"}, "got 'logits/kernel', and there is none .* did you mean 'logits'"),
        ({"name:kernel": "logits"}, "'name:kernel' matches no weight .* did you mean 'body/kernel'"),
        ({"predictions/kernle": "logits"}, "matches no weight .* did you mean 'predictions/kernel'"),
        ({"**": "logits"}, "are both logits"),
        ({"predictions": "logits", "pred*": "logits"}, "'pred\\*' matches no weight of the source that is not renamed"),
        ([("a", "b")], "rename must map addresses"),
        ({"a": 1}, "rename must map addresses"),
        ({"a": "{b,c}"}, "is not one address"),
    ],
)
def test_what_leads_nowhere_is_refused(dense, rename, problem):
    ours, theirs = dense({"body": (2, 2), "logits": (2, 3)}), dense({"body": (2, 2), "predictions": (2, 3)})
    with pytest.raises(RequestError, match=problem):
        match(ours, theirs, rename=rename)


def test_one_layer_of_each_side_is_looked_at_alone(dense, layers_of):
    tower = {"dense": (2, 2), "dense_1": (2, 2)}
    ours = dense({f"{side}/{name}": shape for side in ("left", "right") for name, shape in tower.items()})
    with pytest.raises(RequestError, match="fit into several layers of the other: left, right") as caught:
        match(ours, dense(tower))
    assert caught.value.hint == "choose a layer with target_at= (--target-at)"
    found = match(ours, dense(tower), target_at="right")
    assert layers_of(found.pairs) == {"right/dense": "dense", "right/dense_1": "dense_1"}
    assert (found.missing, found.fresh, found.unused) == ((), (), ())
    back = match(dense(tower), ours, source_at="left")
    assert layers_of(back.pairs) == {"dense": "left/dense", "dense_1": "left/dense_1"}
    both = match(ours, ours, source_at="left", target_at="right")
    assert layers_of(both.pairs) == {"right/dense": "left/dense", "right/dense_1": "left/dense_1"}


def test_several_places_for_the_rest_are_refused_with_what_chooses_one_of_them(dense, layers_of):
    ours = dense({f"rnn/{way}/cell": (2, 8) for way in ("there", "back")} | {"body": (2, 2)})
    with pytest.raises(RequestError, match=r"several layers of the other: rnn/back, rnn/there — choose .* target_at="):
        match(ours, dense({"cell": (2, 8)}), target_at="rnn")
    assert layers_of(match(ours, dense({"cell": (2, 8)}), target_at="rnn/back").pairs) == {"rnn/back/cell": "cell"}
    theirs = dense({"cell": (2, 8), "trunk": (2, 2)})
    with pytest.raises(RequestError, match=r"several .* rnn/back, rnn/there — say which layer is which with rename="):
        match(ours, theirs, rename={"trunk": "body"})
    told = {"trunk": "body", "cell": "rnn/back/cell"}
    assert layers_of(match(ours, theirs, rename=told).pairs) == {"body": "trunk", "rnn/back/cell": "cell"}


def test_the_layer_at_the_same_address_is_taken_where_others_have_its_name(dense, layers_of):
    both = dense({f"{side}/block/d{n}": (2, 2) for side in ("enc", "dec") for n in (1, 2)} | {"top": (3, 3)})
    for told in ({"target_at": "enc/block"}, {"source_at": "enc/block"}):
        found = match(both, both, **told)
        assert layers_of(found.pairs) == {f"enc/block/d{n}": f"enc/block/d{n}" for n in (1, 2)}


@pytest.mark.parametrize("known", [("MyBlock", "MyBlock"), ("MyBlock", None), (None, "MyBlock")])
def test_an_automatic_name_of_a_class_of_ones_own_is_no_name(weight, known):
    ours, theirs = (
        [weight(f"my_block_{first + n}/w", structure=f"layers/my_block_{n}/vars/0", cls=cls) for n in range(3)]
        for first, cls in zip((2, 0), known, strict=True)
    )
    with pytest.raises(RequestError, match="fit into several layers of the other: my_block_2, my_block_3, my_block_4"):
        match(ours, theirs, source_at="my_block_2")


def test_a_layer_is_found_by_its_last_name_or_by_the_paths_of_a_file(dense, weight, layers_of):
    ours = dense({"a/core/d": (2, 2), "b": (2, 2)})
    assert layers_of(match(ours, dense({"x": (2, 2)}), target_at="core").pairs) == {"a/core/d": "x"}
    file = [
        weight(f"n/{n}", structure=f"layers/functional/layers/dense/vars/{n}", named=False, index=n) for n in (0, 1)
    ]
    alone = [weight(f"n/{n}", structure=f"layers/dense/vars/{n}", named=False, index=n) for n in (0, 1)]
    found = match(alone, file, "structure", source_at="layers/functional")
    assert [b.structure for b in found.pairs.values()] == [ref.structure for ref in file]


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        ("encoder", "target_at must be a layer with weights, got 'encoder', and there is none"),
        ("d", "target_at must be one layer, got 'd', which matches 2: a/d, b/d"),
        ("*/d", "target_at must be one layer, got '\\*/d', which matches 2: a/d, b/d"),
        ("", "has an empty name"),
        (7, "target_at must be the address of a layer, got 7"),
    ],
)
def test_a_layer_that_is_none_or_several_is_refused(dense, layer, problem):
    with pytest.raises(RequestError, match=problem):
        match(dense({"a/d": (2, 2), "b/d": (2, 2)}), dense({"d": (2, 2)}), target_at=layer)


def test_renaming_and_one_layer_go_together_and_addresses_are_those_below_it(dense, layers_of):
    ours = dense({"core/logits": (2, 3), "top": (2, 3)})
    theirs = dense({"old/predictions": (2, 3), "other": (2, 3)})
    found = match(ours, theirs, source_at="old", target_at="core", rename={"predictions": "logits"})
    assert layers_of(found.pairs) == {"core/logits": "old/predictions"}

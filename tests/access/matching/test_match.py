"""Two stores are matched by name where all names agree, else by structure, else refused."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from support import DATA, GOLDEN, plain_datasets, write_legacy, write_variables

from weightkit import open_weights
from weightkit.access.matching import Match, match
from weightkit.access.ref import Kind
from weightkit.errors import RequestError, UnmatchedError

FORMATS = [
    ("keras315_bfloat16.h5", "keras315_bfloat16.weights.h5"),
    ("tfkeras215_nested.h5", "tfkeras215_nested.keras"),
    ("keras1_layers.h5", "keras1_layers.weights_only.h5"),
    ("tfkeras212_three_dense.weights.h5", "tfkeras213_three_dense.weights.h5"),
]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_a_file_matches_itself_weight_for_weight(path):
    with open_weights(path) as store:
        found = match(store, store)
        assert found.pairs == {ref: ref for ref in store}
        assert found.fits
        assert (found.missing, found.unused, found.mismatched) == ((), (), ())


@pytest.mark.parametrize(("first", "second"), FORMATS + [pair[::-1] for pair in FORMATS])
def test_one_model_in_two_formats_matches_and_the_values_are_the_same(first, second):
    with open_weights(DATA / first) as ours, open_weights(DATA / second) as theirs:
        found = match(ours, theirs)
        assert found.fits
        for a, b in found.pairs.items():
            assert ours.read(a).tobytes() == theirs.read(b).tobytes(), (a, b)


def test_the_layers_of_keras_2_13_are_matched_in_order_though_it_numbers_them_by_two(tmp_path):
    """Keras 3.15 loads the second's weights into the third."""
    values = plain_datasets(DATA / "tfkeras213_three_dense.weights.h5")
    by_one = {"dense": "dense", "dense_2": "dense_1", "dense_4": "dense_2"}
    again = {
        f"layers/{by_one[key]}/vars/{n}": values[f"_layer_checkpoint_dependencies/{key}/vars/{n}"]
        for key in by_one
        for n in (0, 1)
    }
    with (
        open_weights(DATA / "tfkeras213_three_dense.weights.h5") as ours,
        open_weights(write_variables(tmp_path / "m.weights.h5", again)) as theirs,
    ):
        found = match(ours, theirs)
        assert {a.structure.split("/")[1]: b.structure.split("/")[1] for a, b in found.pairs.items()} == by_one
        assert all(np.array_equal(ours.read(a), theirs.read(b)) for a, b in found.pairs.items())


def test_a_legacy_file_matches_one_without_any_names_by_class_and_turn(tmp_path):
    """The values, which are all different, show what was matched."""
    values = plain_datasets(DATA / "tfkeras213_three_dense.weights.h5")
    layers = {
        f"layer_{turn}": {
            "kernel": values[f"_layer_checkpoint_dependencies/{key}/vars/0"],
            "bias": values[f"_layer_checkpoint_dependencies/{key}/vars/1"],
        }
        for turn, key in enumerate(["dense", "dense_2", "dense_4"])
    }
    renamed = {f"dense_{7 + turn}": weights for turn, weights in enumerate(layers.values())}
    with (
        open_weights(write_legacy(tmp_path / "m.h5", renamed)) as ours,
        open_weights(DATA / "tfkeras213_three_dense.weights.h5") as theirs,
    ):
        known = [replace(ref, layer_class="Dense") for ref in ours]
        found = match(known, theirs)
        assert (found.by, found.fits) == ("structure", True)
        for (a, b), ref in zip(found.pairs.items(), ours, strict=True):
            assert np.array_equal(ours.read(ref), theirs.read(b)), a


def test_a_renamed_layer_of_a_version_3_file_is_matched_by_structure(dense):
    ours = [replace(ref, structure=f"layers/d{n}") for n, ref in enumerate(dense({"a": (2, 2), "b": (2, 3)}))]
    theirs = [replace(ref, structure=f"layers/d{n}") for n, ref in enumerate(dense({"a": (2, 2), "x": (2, 3)}))]
    found = match(ours, theirs)
    assert (found.by, found.fits) == ("structure", True)
    assert {a.layer: b.layer for a, b in found.pairs.items()} == {"a": "a", "b": "x"}


def test_layers_that_changed_places_are_matched_by_their_given_names_never_by_structure(dense):
    ours = [replace(ref, structure=f"layers/d{n}") for n, ref in enumerate(dense({"a": (2, 2), "b": (2, 2)}))]
    theirs = [replace(ref, structure=f"layers/d{n}") for n, ref in enumerate(dense({"b": (2, 2), "x": (2, 2)}))]
    found = match(ours, theirs)
    assert found.by == "name"
    assert {a.layer: b.layer for a, b in found.pairs.items()} == {"b": "b"}
    assert [ref.path for ref in found.missing] == ["a/kernel", "a/bias"]
    assert [ref.path for ref in found.unused] == ["x/kernel", "x/bias"]
    assert {a.layer: b.layer for a, b in match(ours, theirs, "structure").pairs.items()} == {"a": "b", "b": "x"}


def test_what_neither_names_nor_structure_settle_is_refused_with_what_was_tried(dense):
    with pytest.raises(RequestError) as caught:
        match(dense({"a": (2, 2)}), dense({"b": (3, 3)}, cls=None))
    assert str(caught.value) == (
        "the weights cannot be matched: of 2 are none by name and none by structure; not by order, since layer 1 is a "
        "(2x2, 2) in the first and b (3x3, 3) in the second; not by shape, since some layers have shapes that only one "
        "of the two has; by name a/kernel 2x2, a/bias 2 is only in the first, b/kernel 3x3, b/bias 3 only in the "
        "second — compare what `show` lists"
    )
    found = match(dense({"a": (2, 2)}), dense({"b": (3, 3)}, cls=None), "name")
    assert (found.pairs, len(found.missing), len(found.unused)) == ({}, 2, 2)


def test_what_only_the_order_decides_is_not_matched_where_that_is_not_enough(dense, store_of):
    ours, theirs = (store_of(dense(dict.fromkeys(layers, (2, 2)), cls=None)) for layers in ("ab", "xy"))
    found = match(ours, theirs)
    assert (found.by, found.fits, {a.layer: b.layer for a, b in found.pairs.items()}) == (
        "order", True, {"a": "x", "b": "y"},
    )  # fmt: skip
    with pytest.raises(RequestError, match="cannot be matched"):
        match(ours, theirs, strict=True)
    assert match(ours, theirs, "shape").pairs == {}


def test_weights_that_only_shapes_tell_apart_are_matched_by_them(dense):
    ours, theirs = dense({"a": (2, 2), "b": (2, 3)}, cls=None), dense({"y": (2, 3), "x": (2, 2)}, cls=None)
    found = match(ours, theirs)
    assert (found.by, found.fits, {a.layer: b.layer for a, b in found.pairs.items()}) == (
        "shape", True, {"a": "x", "b": "y"},
    )  # fmt: skip


def test_the_state_of_metrics_is_no_part_of_the_model(dense, weight):
    metric = weight("metrics/mean/total", (), structure="metrics/mean/vars/0", cls=None, kind=Kind.STATE)
    found = match(dense({"a": (2, 2)}), [*dense({"x": (2, 2)}), metric])
    assert (found.by, len(found.pairs), found.unused) == ("structure", 2, (metric,))


def test_a_word_that_is_no_way_of_matching_is_refused(dense):
    with pytest.raises(RequestError, match="match must be a known rule, got 'nmae' — give one of auto"):
        match(dense({"a": (2, 2)}), dense({"a": (2, 2)}), "nmae")


def test_other_shapes_and_types_are_told(dense):
    found = match(dense({"a": (2, 2)}), dense({"a": (2, 3)}, dtype="f2"))
    assert [mismatch.what for mismatch in found.mismatched] == [
        "shape (2, 2) and (2, 3), type float32 and float16",
        "shape (2,) and (3,), type float32 and float16",
    ]
    assert (found.complete, found.fits, found.reshaped) == (True, False, 2)


def test_the_order_of_bytes_is_no_other_type(dense):
    assert match(dense({"a": (2, 2)}), dense({"a": (2, 2)}, dtype=">f4")).mismatched == ()


def test_an_optimizers_state_goes_by_its_own_names_else_by_its_order(weight):
    def state(*names):
        return [weight(f"optimizer/{name}", (n,), kind=Kind.OPTIMIZER) for n, name in enumerate(names)]

    def matched(ours, theirs):
        return [(a.name, b.name) for a, b in match(ours, theirs).pairs.items()]

    assert matched(state("m", "v"), state("m", "v")) == [("m", "m"), ("v", "v")]
    assert matched(state("dense_m", "dense_v"), state("dense_3_m", "dense_3_v")) == [
        ("dense_m", "dense_3_m"), ("dense_v", "dense_3_v"),
    ]  # fmt: skip
    assert matched(state("m", "v"), state("v")) == [("v", "v")]


def test_a_match_is_printed_and_has_a_json(dense):
    found = match(dense({"a": (2, 2), "b\x1b": (2, 2)}), dense({"a": (2, 3), "c": (2, 2)}))
    assert str(found).splitlines() == [
        "matched by name: 2 weights",
        "  mismatched: a/kernel and a/kernel, shape (2, 2) and (2, 3)",
        "  mismatched: a/bias and a/bias, shape (2,) and (3,)",
        "  missing: b\\x1b/kernel  (2, 2)  float32",
        "  missing: b\\x1b/bias  (2,)  float32",
        "  unused: c/kernel  (2, 2)  float32",
        "  unused: c/bias  (2,)  float32",
    ]
    record = json.loads(json.dumps(found.to_dict()))
    assert record["matched"][0] == {"ours": "at/a/kernel", "theirs": "at/a/kernel"}
    assert record["mismatched"][0]["shapes"] == [[2, 2], [2, 3]]
    assert record["unused"] == ["c/kernel", "c/bias"]


def test_matching_ten_thousand_weights_needs_no_quadratic_time(dense):
    """Comparing every pair of layers takes 25 million comparisons; then this test hangs."""
    shapes = itertools.cycle([(2, 2), (2, 3), (3, 2)])
    ours = {f"dense_{n}": next(shapes) for n in range(5000)}
    shapes = itertools.cycle([(2, 2), (2, 3), (3, 2)])
    theirs = {f"dense_{n + 5000}": next(shapes) for n in range(5000)}
    assert match(dense(ours), dense(theirs)).fits


def test_automatic_names_do_not_choose_between_a_nested_model_and_the_layers_around_it(dense, store_of):
    whole = store_of(dense(dict.fromkeys(["enc/dense", "enc/dense_1", "dense_2", "dense_3"], (2, 2))))
    part = store_of(dense(dict.fromkeys(["dense", "dense_1"], (2, 2))))
    for ours, theirs in ((whole, part), (part, whole)):
        with pytest.raises(RequestError, match="several layers of the other: enc, those around"):
            match(ours, theirs)


def test_a_lone_automatic_name_is_not_doubted_for_a_layer_of_a_given_name(dense, layers_of, store_of):
    found = match(store_of(dense(dict.fromkeys(["head", "dense_1"], (2, 2)))), store_of(dense({"dense": (2, 2)})))
    assert layers_of(found.pairs) == {"dense_1": "dense"}


def test_layers_that_look_the_same_are_not_guessed_where_one_side_has_more(dense, layers_of):
    """Any of the three may be the new one; the others are certain."""
    ours = dense({"dense_3": (4, 4), "dense_4": (4, 4), "dense_5": (4, 4), "dense_6": (4, 9), "top": (9, 2)})
    theirs = dense({"dense": (4, 4), "dense_1": (4, 4), "dense_2": (4, 9), "top": (9, 2), "old": (8, 8)})
    assert layers_of(match(ours, theirs).pairs) == {"dense_6": "dense_2", "top": "top"}
    assert len(match(ours, theirs, "name").pairs) == 8  # whoever says so


def test_a_nested_model_is_no_neighbor_of_what_is_flat_and_no_way_out_that_guesses_is_offered(dense, store_of):
    nested = dense({"core/dense": (4, 4), "core/dense_1": (4, 4), "dense_2": (4, 4)})
    with pytest.raises(UnmatchedError) as caught:
        match(store_of(dense({f"dense_{n}": (4, 4) for n in (3, 4, 5)})), nested)
    assert (caught.value.ways, caught.value.hint) == ((), "compare what `show` lists")


def test_paths_do_not_guess_either_where_names_have_nothing_in_common(weight):
    def models(*names):
        return [weight(f"{name}/kernel", structure=f"layers/dense_{n}/vars/0") for n, name in enumerate(names)]

    with pytest.raises(UnmatchedError):
        match(models("cc", "dd", "ee"), models("aa", "bb"))


def test_a_layer_that_is_called_metrics_is_a_layer_in_a_legacy_file(weight):
    ours = [weight("metrics/kernel", structure="metrics/metrics/kernel:0"), weight("b/kernel")]
    assert len(match(ours, ours).pairs) == 2
    assert not any(map(Match.trains, ours))
    assert Match.trains(weight("mean/total", structure="metrics/mean/vars/0"))

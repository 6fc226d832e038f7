"""Weights paired by position."""

from __future__ import annotations

from weightkit.access.matching.pairing import by_class, by_structure, by_turn


def test_the_same_path_of_the_format_is_the_same_weight(weight):
    ours, theirs = (
        weight("a/kernel", structure="layers/dense/vars/0"),
        weight("b/kernel", structure="layers/dense/vars/0"),
    )
    assert by_structure([ours], [theirs, weight("c/kernel")]) == {ours: theirs}


def test_layers_of_a_class_are_counted_where_one_side_has_no_names(dense, weight):
    ours = dense({"first": (2, 2), "second": (2, 2)})
    theirs = [
        weight(name, structure=f"layers/{key}/vars/{index}", index=index)
        for key in ("dense", "dense_1")
        for index, name in enumerate(["kernel", "bias"])
    ]
    unnamed = [type(ref)(**{f: getattr(ref, f) for f in ref.__slots__} | {"layer": None}) for ref in theirs]
    pairs = by_class(ours, unnamed)
    assert [(a.path, b.structure) for a, b in pairs.items()] == [
        ("first/kernel", "layers/dense/vars/0"),
        ("first/bias", "layers/dense/vars/1"),
        ("second/kernel", "layers/dense_1/vars/0"),
        ("second/bias", "layers/dense_1/vars/1"),
    ]


def test_weights_of_unknown_class_are_not_counted(weight):
    assert by_class([weight("a/kernel", cls=None)], [weight("b/kernel", cls=None)]) == {}


def test_by_turn_needs_every_shape_to_agree(weight):
    ours = [weight("a/m", (2,)), weight("a/v", (3,))]
    assert by_turn(ours, [weight("b/m", (2,)), weight("b/v", (3,))])[ours[1]].path == "b/v"
    assert by_turn(ours, [weight("b/m", (3,)), weight("b/v", (2,))]) == {}
    assert by_turn(ours, [weight("b/m", (2,))]) == {}


def test_the_eleventh_layer_of_a_class_is_not_the_third_though_files_sort_it_so(weight):
    ours = [weight(f"l{n}/kernel", structure=f"l{n}/l{n}/kernel:0") for n in range(12)]
    keys = ["dense", *(f"dense_{n}" for n in range(1, 12))]
    theirs = [weight(f"m{n}/kernel", structure=f"layers/{key}/vars/0") for n, key in enumerate(keys)]
    pairs = by_class(ours, sorted(theirs, key=lambda ref: ref.structure))
    assert [(a.path, b.path) for a, b in pairs.items()] == [(f"l{n}/kernel", f"m{n}/kernel") for n in range(12)]

"""Mappings that are proposed between models whose names do not match: pairs with known answers, and random ones."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import numpy as np
import pytest
from suggest_cases import (
    CASES,
    Case,
    Model,
    Unordered,
    branches,
    conv,
    counted_from_one,
    dense,
    embedding,
    gan,
    keras1,
    layer_norm,
    nested,
    new_head,
    norm,
    one_in_front,
    recurrent,
    refs,
    resized_vocabulary,
    resnet50,
    vgg16,
)
from support import DATA

from weightkit import match, open_weights, suggest
from weightkit.access.ref import Kind
from weightkit.access.suggest import Certainty
from weightkit.errors import RequestError

SURE, LIKELY, OPEN = Certainty.SURE, Certainty.LIKELY, Certainty.OPEN


def wrong(case, suggestion, *certainties):
    return {
        found.target: (found.source, case.answer[found.target], str(found.certainty))
        for found in suggestion.proposals
        if found.source != case.answer[found.target] and found.certainty in certainties
    }


def test_95_percent_of_the_known_answers_are_proposed_and_no_wrong_one_is_sure():
    right = total = 0
    for make in CASES:
        case = make()
        suggestion = case.suggested()
        assert [found.target for found in suggestion.proposals] == list(case.target), make.__name__
        assert wrong(case, suggestion, SURE) == {}, make.__name__
        answered = {ours: theirs for ours, theirs in case.answer.items() if theirs is not None}
        total += len(answered)
        right += sum(answered.get(found.target) == found.source is not None for found in suggestion.proposals)
    assert len(CASES) >= 20
    assert right >= 0.95 * total


@pytest.mark.parametrize(("make", "least"), [(new_head, 7), (nested, 8), (resized_vocabulary, 32)])
def test_layers_that_kept_their_names_are_sure(make, least):
    sure = [found for found in make().suggested().proposals if found.certainty == SURE]
    assert len(sure) >= least


ALIKE = {"conv": conv(3, 8, 8), "fc": dense(8, 8), "wide": dense(8, 16)}
WORDS = ["alpha", "beta", "gamma", "delta", "query", "key", "value", "stem", "block", "layer", "expand", "project"]


def random_layers(rng):
    """Layers of few looks, as (name, spec)."""
    specs = rng.sample(sorted(ALIKE.values(), key=str), rng.randint(1, 3))
    style = rng.choice(["{word}_{letter}", "layer{n}", "block{tens}_conv{ones}", "enc/layer_{n}/q", "dense_{n}"])
    return [
        (
            style.format(word=rng.choice(WORDS), letter="abcdefghijkl"[n], n=n, tens=n // 3, ones=n % 3),
            rng.choice(specs),
        )
        for n in range(rng.randint(2, 12))
    ]


RENAMED = {
    "kept": lambda name, _: name,
    "prefix": lambda name, _: f"features/{name}",
    "suffix": lambda name, _: f"{name}_new",
    "other separators": lambda name, _: name.replace("_", "."),
    "other words": lambda _, place: f"unit_{'abcdefghijkl'[place]}",
    "counted from one": lambda name, _: re.sub(r"\d+", lambda number: str(int(number[0]) + 1), name),
    "automatic": lambda _, place: f"dense_{place + 20}",
}


def random_case(rng):
    """One side has lost some layers, the target other names, and maybe two of its layers have changed places."""
    layers = random_layers(rng)
    how = RENAMED[rng.choice(sorted(RENAMED))]
    names = {name: how(name, place) for place, (name, _) in enumerate(layers)}
    ours, theirs = list(layers), list(layers)
    shorter = rng.choice([ours, theirs])
    for _ in range(rng.randint(0, len(layers) // 2)):
        shorter.pop(rng.randrange(len(shorter)))
    if rng.random() < 0.3:
        first, second = rng.randrange(len(ours)), rng.randrange(len(ours))
        ours[first], ours[second] = ours[second], ours[first]
    there = dict(theirs)
    return Case(
        {names[name]: spec for name, spec in ours},
        there,
        {names[name]: name if name in there else None for name, _ in ours},
        rng.choice([Model, Unordered]),
    )


def test_nothing_is_sure_and_wrong_in_random_renamings_deletions_and_exchanges():
    sure = 0
    for seed in range(200):
        case = random_case(random.Random(seed))  # noqa: S311
        suggestion = case.suggested()
        assert wrong(case, suggestion, SURE) == {}, seed
        sure += sum(found.certainty == SURE for found in suggestion.proposals)
    assert sure > 160


def test_nothing_is_sure_where_equal_layers_exchanged_their_names():
    for seed in range(60):
        rng = random.Random(seed)  # noqa: S311
        layers = {f"{word}_layer": dense(8, 8) for word in rng.sample(WORDS, rng.randint(2, 8))}
        exchanged = rng.sample(sorted(layers), len(layers))
        case = Case(dict.fromkeys(exchanged, dense(8, 8)), layers, dict(zip(exchanged, layers, strict=True)))
        assert wrong(case, case.suggested(), SURE) == {}, seed


@pytest.mark.parametrize("counted", ["block1234", "abcd"])
def test_layers_counted_again_after_a_deletion_are_not_sure(counted):
    spec = dense(8, 8)
    source = {f"block_{one}/conv": spec for one in counted[-4:]}
    target = {f"block_{one}/conv": spec for one in counted[-4:-1]}
    assert {found.certainty for found in suggest(refs(target), refs(source)).proposals} <= {LIKELY, OPEN}


def certainties(target, source):
    return {one.target: one.certainty for one in suggest(refs(target), refs(source)).proposals}


def test_a_layer_that_could_change_places_with_one_across_it_is_not_sure():
    spec = dense(8, 8)
    found = certainties({"alpha": spec, "beta": spec}, {"beta": spec, "alpha": spec, "gamma": spec})
    assert SURE not in found.values()


def test_a_name_that_the_order_of_all_others_contradicts_is_not_sure():
    body = [dense(8, 9), dense(9, 10), dense(10, 11)]
    target = {f"first_{n}": spec for n, spec in enumerate(body)} | {"norm": norm(4)}
    source = {"norm": norm(4)} | {f"other_{n}": spec for n, spec in enumerate(body)}
    found = suggest(refs(target), refs(source)).proposals[-1]
    assert (found.source, found.certainty) == ("norm", LIKELY)
    assert found.why == "same name, same class, only one of these shapes, against the order"


def test_equal_layers_with_automatic_names_in_a_model_with_a_name_are_not_sure():
    target, source = ({f"encoder/dense_{n}": dense(8, 8) for n in numbers} for numbers in ((0, 1), (4, 5)))
    assert set(certainties(target, source).values()) == {LIKELY}


def test_what_was_added_stays_in_one_piece():
    source = {}
    for n in range(2):
        source |= {f"conv2d_{n}": conv(3, 8, 8), f"batch_normalization_{n}": norm(8)}
    in_front = suggest(refs({"conv2d_9": conv(3, 8, 8)} | source), refs(source))
    assert [one.source for one in in_front.proposals] == [None, *source]
    at_the_end = suggest(refs(source | {"batch_normalization_9": norm(8)}), refs(source))
    assert [one.source for one in at_the_end.proposals] == [*source, None]


def test_near_layers_of_equal_looks_are_told_apart_by_their_names():
    case = resnet50()
    found = {one.target: one.source for one in case.suggested().proposals}
    shortcuts = [name for name in found if name.endswith(("block1_0_bn", "block1_3_bn"))]
    assert len(shortcuts) == 8
    assert {name: found[name] for name in shortcuts} == {name: case.answer[name] for name in shortcuts}


def test_equal_layers_without_names_are_never_sure():
    target, source = ({f"dense_{n}": dense(8, 8) for n in numbers} for numbers in (range(3), range(7, 11)))
    found = suggest(refs(target), refs(source))
    assert {one.certainty for one in found.proposals} == {OPEN}
    assert found.rename == {}


def test_another_class_of_the_same_weights_is_open_at_most():
    found = suggest(refs({"up": conv(2, 8, 8, "Conv2DTranspose")}), refs({"up": conv(2, 8, 8)}))
    assert [(one.source, one.certainty) for one in found.proposals] == [("up", OPEN)]


def test_layers_of_other_weights_are_not_paired():
    found = suggest(refs({"x": dense(8, 8), "n": norm(4)}), refs({"x": embedding(8, 8), "n": layer_norm(4)}))
    assert [one.source for one in found.proposals] == [None, None]
    assert found.missing == ("x", "n")
    assert found.unused == ("x", "n")
    assert {one.why for one in found.proposals} == {"no layer has weights of these shapes"}


def test_other_shapes_are_likely_at_most_and_said():
    found = suggest(refs({"head": dense(8, 3)}), refs({"head": dense(8, 5)})).proposals[0]
    assert (found.source, found.certainty) == ("head", LIKELY)
    assert found.why == "same name, same class, other shapes"


def test_the_last_layers_of_other_shapes_are_proposed_without_order_too():
    layers = {"body": dense(8, 8)}
    found = suggest(refs(layers | {"logits": dense(8, 3)}, Unordered), refs(layers | {"top": dense(8, 5)}, Unordered))
    assert [(one.source, one.certainty) for one in found.proposals] == [("body", SURE), ("top", OPEN)]
    assert found.rename == {}


def test_reasons_name_the_layers_around():
    names = ("a", "b", "c")
    found = suggest(refs({f"{n}_one": dense(4, 4) for n in names}), refs({f"x{n}": dense(4, 4) for n in "uvw"}))
    assert found.proposals[1].why == "same class, one of 3 of these shapes, between a_one and c_one in order"
    assert found.proposals[0].why.endswith("before b_one in order")
    assert found.proposals[2].why.endswith("after b_one in order")


def test_an_optimizer_and_counters_are_left_out():
    layers = {"fc": dense(4, 4)}
    step = replace(refs(layers)[0], structure="optimizer/momentum", layer="optimizer", kind=Kind.OPTIMIZER)
    seed = replace(refs(layers)[0], structure="d/seed", layer="d", kind=Kind.STATE, dtype=np.dtype("u4"))
    found = suggest(Model([step, seed, *refs(layers)]), refs(layers))
    assert [one.target for one in found.proposals] == ["fc"]


def test_nothing_on_a_side_is_no_error():
    assert suggest([], refs({"fc": dense(4, 4)})).unused == ("fc",)
    assert suggest(refs({"fc": dense(4, 4)}), []).missing == ("fc",)
    assert suggest([], []).proposals == ()


def test_the_mapping_renames_what_is_sure_or_likely_and_escapes_its_keys():
    target = {"body/conv": conv(3, 3, 8), "fc": dense(8, 4), "kept": dense(4, 4)}
    source = {"net[0]/conv": conv(3, 3, 8), "top*": dense(8, 4), "kept": dense(4, 4)}
    found = suggest(refs(target), refs(source))
    assert found.rename == {r"net\[0\]/conv": "body/conv", r"top\*": "fc"}


@pytest.mark.parametrize("make", [vgg16, counted_from_one, keras1, new_head, branches, one_in_front, gan, recurrent])
def test_a_match_with_the_renaming_follows_the_proposal(make):
    case = make()
    found = case.suggested()
    followed(case, found)
    assert found.rename


def followed(case, found):
    """Match with the renaming, and hold it to all that is sure or likely and has another address."""
    matched = match(refs(case.target, case.into), refs(case.source, case.into), "name", rename=found.rename)
    layers = {(ours.layer, theirs.layer) for ours, theirs in matched.pairs.items()}
    proposed = [one for one in found.proposals if one.certainty != OPEN and one.source != one.target]
    assert [one for one in proposed if (one.target, one.source) not in layers] == []


def test_a_match_with_the_renaming_follows_random_proposals_too():
    renamed = 0
    for seed in range(40):
        case = random_case(random.Random(seed))  # noqa: S311
        found = case.suggested()
        if found.rename:
            followed(case, found)
            renamed += 1
    assert renamed > 15


def test_a_layer_that_is_left_over_makes_room_for_one_that_gets_its_address():
    target = {"a": dense(8, 8), "b": dense(8, 9)}
    source = {"a": norm(7), "z": dense(8, 8), "y": dense(8, 9), "b": norm(5)}
    found = suggest(refs(target), refs(source))
    assert found.rename == {"z": "a", "y": "b", "a/**": "unused/a/**", "b/**": "unused/b/**"}
    followed(Case(target, source, {}), found)


def test_a_layer_in_one_that_moves_goes_its_own_way():
    target = {"body": dense(8, 8), "body/inner": norm(8), "cell/gate": dense(4, 4)}
    source = {"cell": dense(8, 8), "cell/norm": norm(8), "cell/gate": dense(4, 4)}
    found = suggest(refs(target), refs(source))
    assert list(found.rename.items())[-1] == ("cell", "body")
    assert found.rename["cell/gate"] == "cell/gate"
    followed(Case(target, source, {}), found)


def test_weights_without_known_names_go_by_their_shapes():
    nameless = Model(replace(ref, name=None) for ref in refs({"dense_4": dense(8, 4), "dense_5": dense(4, 2)}))
    found = suggest(refs({"first": dense(8, 4), "second": dense(4, 2)}), nameless)
    assert [one.source for one in found.proposals] == ["dense_4", "dense_5"]


def test_too_many_layers_to_compare_go_by_what_only_one_has():
    many = {f"layer_{n}": dense(8, 8) for n in range(2100)} | {"odd": dense(3, 7)}
    other = {name.replace("odd", "strange"): spec for name, spec in many.items()}
    found = suggest(refs(many), refs(other))
    assert {one.certainty for one in found.proposals} == {LIKELY}
    assert {one.target: one.source for one in found.proposals} == {name: name for name in many} | {"odd": "strange"}


def test_it_prints_within_80_columns_as_json_and_as_a_table():
    found = resnet50().suggested()
    assert max(len(line) for line in str(found).splitlines()) <= 80
    assert str(found).splitlines()[0] == f"107 of 107 layers have a proposal: {counts_of(found)}"
    record = json.loads(json.dumps(found.to_dict()))
    assert record["schema"] == "weightkit.suggestion/1"
    assert record["rename"]["layer1.0.conv1"] == "conv2_block1_1_conv"
    assert record["proposals"][0]["certainty"] in {"sure", "likely"}
    assert "<td>conv1_conv</td><td>conv1</td>" in found._repr_html_()


def counts_of(found):
    return ", ".join(f"{sum(one.certainty == kind for one in found.proposals)} {kind}" for kind in (SURE, LIKELY, OPEN))


def test_names_with_terminal_codes_are_printed_by_their_codes():
    found = suggest(refs({"a\x1b[31m": dense(4, 4)}), refs({"b\u202e<i>": dense(4, 4)}))
    for text in (str(found), found._repr_html_()):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<i>" not in found._repr_html_()


def test_files_models_and_stores_are_opened_as_for_a_match():
    path = DATA / "tfkeras215_nested.h5"
    with open_weights(path) as store:
        found = suggest(path, store)
        assert found == suggest(str(path), DATA / "tfkeras215_nested.h5")
        assert len(store) > 0
    assert found.proposals
    assert all(one.source == one.target for one in found.proposals)
    with pytest.raises(RequestError, match="there is no such file"):
        suggest(path, "nothing.h5")

"""Names, classes, flags and kinds in the files of every era, compared with what the live models said."""

from __future__ import annotations

import hashlib
import json

import pytest
from support import DATA, ERAS

from weightkit import open_weights
from weightkit.access.matching import match
from weightkit.access.ref import Kind

FLAT = ".weights_only.h5"  # it does not say which models are in a model, nor what a TimeDistributed holds


def live(path):
    """What the live model said of each weight, by the digest of its values."""
    records = json.loads((DATA / "eras" / "expected" / f"{path.name}.json").read_text())["weights"]
    return {record["sha256"]: record for record in records}


def described(path):
    """Each weight with what the live model said of it."""
    known = live(path)
    with open_weights(path) as store:
        return [(ref, known[hashlib.sha256(store.read(ref).tobytes()).hexdigest()]) for ref in store]


def is_part(names, of):
    """Whether names come in this order in a list that may have more."""
    rest = iter(of)
    return all(name in rest for name in names)


@pytest.fixture(scope="module", params=ERAS, ids=lambda path: path.name)
def file(request):
    return request.param, described(request.param)


def test_every_weight_of_the_live_model_is_there_once(file):
    path, weights = file
    assert sorted(record["sha256"] for _, record in weights) == sorted(live(path))


def test_a_name_that_is_known_is_the_live_models(file):
    _, weights = file
    assert {ref.structure: (ref.name, record["name"]) for ref, record in weights if ref.name != record["name"]} == {
        ref.structure: (None, record["name"]) for ref, record in weights if ref.name is None
    }


def test_the_layers_around_it_are_the_live_models(file):
    path, weights = file
    for ref, record in weights:
        if ref.layer is not None:
            layers = ref.layer.split("/")
            known = is_part(layers, record["layers"]) if path.name.endswith(FLAT) else layers == record["layers"]
            assert known, (ref.layer, record["layers"])


def test_class_and_flag_are_the_live_models_or_unknown(file):
    _, weights = file
    for ref, record in weights:
        assert ref.layer_class in (None, record["layer_class"]), ref
        assert ref.trainable in (None, record["trainable"]), ref


def test_a_whole_model_tells_all_of_it_and_weights_alone_tell_the_names_in_the_legacy_format(file):
    path, weights = file
    names, classes = ([getattr(ref, what) for ref, _ in weights] for what in ("name", "layer_class"))
    if not path.name.endswith(".weights.h5"):
        assert None not in names
        assert (None in classes) is path.name.endswith(FLAT)


def test_a_weight_of_a_known_name_has_a_kind_but_for_a_custom_layers(file):
    _, weights = file
    assert {ref.name for ref, _ in weights if ref.kind is Kind.UNKNOWN} <= {None, "gain"}


def test_a_file_matches_itself_weight_for_weight(file):
    with open_weights(file[0]) as store:
        found = match(store, store)
    assert found.fits
    assert all(ours is theirs for ours, theirs in found.pairs.items())

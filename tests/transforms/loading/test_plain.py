"""A layer that is told to be copied as it is needs no conversion, whatever is asked of its configuration."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from loading_layers import weights
from support import GOLDEN

from weightkit import Kind, open_weights
from weightkit.transforms.loading import conversions, facts_of, is_plain


class Store:
    def __init__(self, version=None, backend=None):
        self.keras_version, self.backend = version, backend


def plain(ours, theirs, target="3.15.1", source="3.15.1", backend=None):
    return is_plain(ours, theirs, Store(target), Store(source, backend))


DENSE = weights("d", {"kernel": (2, 3), "bias": (3,)})


def test_layers_of_today_with_the_same_weights_are_plain():
    assert plain(DENSE, weights("other", {"kernel": (2, 3), "bias": (3,)}))
    assert plain(DENSE, DENSE, source=None)
    assert plain(DENSE, DENSE, backend="tensorflow")


@pytest.mark.parametrize("field", [{"shape": (3, 2)}, {"name": "W"}, {"dtype": "f2"}, {"kind": Kind.QUANTIZATION}])
def test_another_name_shape_type_or_kind_is_not_plain(field):
    (kernel,) = weights("d", {"kernel": (2, 3)}, dtype=field.get("dtype", "f4"))
    other = kernel if "dtype" in field else dataclasses.replace(kernel, **field)
    assert not plain(weights("d", {"kernel": (2, 3)}), [other])


def test_what_only_versions_backends_or_configurations_tell_is_not_plain():
    assert not plain(DENSE, DENSE, source="2.15.0")
    assert not plain(DENSE, DENSE, target="2.1.6")
    assert not plain(DENSE, DENSE, source="2.1.6")
    assert not plain(DENSE, DENSE, backend="theano")
    gru = weights("g", {"kernel": (2, 9), "recurrent_kernel": (3, 9)})
    assert not plain(gru, gru)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_no_layer_of_a_golden_file_that_is_plain_needs_a_conversion(path):
    with open_weights(path) as store:
        for layer, group in itertools.groupby(store, key=lambda ref: ref.layer):
            refs = [ref for ref in group if ref.kind is not Kind.OPTIMIZER]
            facts = facts_of(store, refs)
            made = conversions(refs, refs, target=facts, source=facts)
            assert made.of == {}, layer
            if is_plain(refs, refs, store, store):
                assert made.notes == ()

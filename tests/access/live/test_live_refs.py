"""Kinds of weights in memory."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from weightkit.access.live.live_refs import refs_of_object
from weightkit.access.live.object_walk import SavedObject
from weightkit.access.ref import Kind


@pytest.mark.parametrize(("module", "kind"), [("weightkit.layers", Kind.STATISTIC), ("mine.layers", Kind.STATE)])
def test_only_weightkit_s_own_wrapper_has_kinds_by_the_endings_of_names(module, kind):
    variable = SimpleNamespace(name="kernel_u", trainable=False, _value=np.ones(3), _shape=(3,))
    members = {"__module__": module, "_obj_type": lambda _: "Layer", "_trainable_variables": ()}
    wrapper = type("Parametrized", (), members)()
    [ref] = refs_of_object(SavedObject(wrapper, "layers/p", "p", {"0": variable}), {})
    assert ref.kind is kind

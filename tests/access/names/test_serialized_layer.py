"""Layers in a configuration."""

from __future__ import annotations

from typing import Any

import pytest

from weightkit.access.names.serialized_layer import serialized, serialized_list


def test_a_users_class_is_told_from_kerass_own_by_its_module_and_registered_name() -> None:
    dense = {"class_name": "Dense", "config": {}}
    for more, builtin in (
        ({"module": "keras.layers", "registered_name": None}, True),
        ({"module": "tf_keras.layers"}, True),
        ({"module": "mine", "registered_name": "Dense"}, False),
        ({"module": None, "registered_name": "mine>Dense"}, False),
        ({"module": "keras_hub.layers"}, False),
    ):
        one = serialized(dense | more)
        assert one is not None
        assert one.builtin is builtin


@pytest.mark.parametrize("value", [None, 3, [], "Dense", {}, {"class_name": "Dense"}, {"class_name": 3, "config": {}}])
def test_what_is_no_layer_is_none(value: Any) -> None:
    assert serialized(value) is None
    assert serialized_list([value]) == []
    assert serialized_list(value) == []


@pytest.mark.parametrize("name", [None, 3, "", ["a"]])
def test_a_name_is_text(name: Any) -> None:
    one = serialized({"class_name": "Dense", "config": {"name": name}})
    assert one is not None
    assert one.name is None

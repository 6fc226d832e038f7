"""What counts as Keras' own: anything defined in that package, not in one with a similar name."""

from __future__ import annotations

import pytest

from weightkit.access.live.live_refs import class_of
from weightkit.access.live.object_walk import is_builtin, saved_values


def made_in(module, name="Dense", **members):
    return type(name, (), {"__module__": module, **members})


@pytest.mark.parametrize(
    ("module", "own"),
    [
        ("keras.src.layers.core.dense", True),
        ("keras", True),
        ("keras_hub.src.layers", False),
        ("kerasmine.layers", False),
        ("mine.keras.layers", False),
        ("__main__", False),
    ],
)
def test_a_class_is_keras_own_by_the_package_that_it_was_defined_in(module, own):
    assert is_builtin(made_in(module)()) is own


def test_a_user_s_subclass_of_a_layer_of_keras_is_the_user_s():
    assert not is_builtin(type("Mine", (made_in("keras.src.layers"),), {"__module__": "mine"})())


def test_only_a_class_of_keras_own_has_another_name_by_its_alias():
    assert class_of(made_in("mine", "GlobalAvgPool2D")()) == "GlobalAvgPool2D"
    assert class_of(made_in("keras.src.layers", "GlobalAvgPool2D")()) == "GlobalAveragePooling2D"


def optimizer(module):
    def save_own_variables(_self, store):
        store["own"] = "what it says"

    save_own_variables.__module__ = module
    members = {"_obj_type": lambda _: "Optimizer", "variables": ["a", "b"], "save_own_variables": save_own_variables}
    return type("Adam", (), members)()


def test_an_optimizer_that_saves_as_keras_does_gives_its_variables_and_another_what_it_saves():
    assert saved_values(optimizer("keras.src.optimizers.base_optimizer")) == {"0": "a", "1": "b"}
    assert saved_values(optimizer("mine")) == {"own": "what it says"}

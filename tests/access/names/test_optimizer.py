"""Names of what training saves."""

from __future__ import annotations

from typing import Any

import pytest

from weightkit.access.names.naming import Stored
from weightkit.access.names.objects import name_objects
from weightkit.access.ref import Kind, Source

COUNT, SCALAR = ((), "int64"), ((), "float32")


def names(config: Any, *arrays: tuple[tuple[int, ...], str], at: str = "optimizer") -> list[str | None]:
    stored = [Stored(f"{at}/vars/{i}", *array) for i, array in enumerate(arrays)]
    namings, *_ = name_objects(stored, {}, config)
    assert {n.kind for n in namings} == {Kind.OPTIMIZER}
    return [n.name for n in namings]


def compiled(**optimizer: Any) -> dict[str, Any]:
    return {
        "class_name": "X",
        "config": {},
        "compile_config": {"optimizer": {"module": "keras.optimizers", "class_name": "Adam", "config": optimizer}},
    }


@pytest.mark.parametrize(
    ("config", "second"),
    [
        (compiled(learning_rate=0.1), "learning_rate"),
        (compiled(learning_rate={"class_name": "CosineDecay", "config": {}}), None),
        (compiled(learning_rate=True), None),
        (compiled(learning_rate=0.1, is_legacy_optimizer=False), None),  # Keras 2 stores no rate
        (compiled(learning_rate=0.1, inner_optimizer={}), None),  # LossScaleOptimizer
        ({"compile_config": {"optimizer": "adam"}}, None),
        ({"compile_config": None}, None),
        (None, None),
    ],
)
def test_the_second_scalar_is_the_rate_only_where_the_configuration_says_so(config: Any, second: str | None) -> None:
    assert names(config, COUNT, SCALAR, ((3, 4), "float32")) == ["iteration", second, None]


def test_a_slot_is_no_learning_rate() -> None:
    assert names(compiled(learning_rate=0.1), COUNT, ((3, 4), "float32")) == ["iteration", None]


def test_the_optimizer_of_a_nested_model_is_found_by_its_step_count() -> None:
    assert names(None, COUNT, SCALAR, at="layers/functional/optimizer") == ["iteration", None]
    stored = [Stored("layers/mine/optimizer/vars/0", (3, 4), "float32")]
    assert name_objects(stored, {}, None)[0][0].kind is Kind.UNKNOWN


def test_keras_2s_metrics_are_state() -> None:
    stored = [Stored(f"metrics/mean/vars/{i}", (), "float32") for i in range(2)]
    namings, *_ = name_objects(stored, {}, None)
    assert [(n.kind, n.name, n.known_from) for n in namings] == [(Kind.STATE, None, Source.KEY)] * 2

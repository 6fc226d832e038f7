"""What names an initializer: a name, a name with arguments, a configuration, an object."""

from __future__ import annotations

import pytest

from weightkit.errors import RequestError
from weightkit.transforms.initializers import get
from weightkit.transforms.initializers.constant import Constant, Ones, Zeros
from weightkit.transforms.initializers.matrices import Identity, Orthogonal
from weightkit.transforms.initializers.random import RandomNormal, RandomUniform, TruncatedNormal
from weightkit.transforms.initializers.variance_scaling import VarianceScaling

NAMES = {
    "constant": Constant(),
    "identity": Identity(),
    "IdentityInitializer": Identity(),
    "ones": Ones(),
    "one": Ones(),
    "orthogonal": Orthogonal(),
    "OrthogonalInitializer": Orthogonal(),
    "random_normal": RandomNormal(),
    "RandomNormal": RandomNormal(),
    "normal": RandomNormal(),
    "random_uniform": RandomUniform(),
    "uniform": RandomUniform(),
    "truncated_normal": TruncatedNormal(),
    "TruncatedNormalV2": TruncatedNormal(),
    "variance_scaling": VarianceScaling(),
    "VarianceScaling": VarianceScaling(),
    "zeros": Zeros(),
    "zero": Zeros(),
    "GlorotUniform": VarianceScaling(1.0, "fan_avg", "uniform"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_keras_is_enough_in_any_of_its_spellings(name):
    assert get(name) == NAMES[name]
    assert get({"class_name": name, "config": {}}) == NAMES[name]
    assert get({"class_name": name}) == NAMES[name]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("random_normal(stddev=0.02)", RandomNormal(stddev=0.02)),
        (" RandomUniform(-1, 1) ", RandomUniform(-1, 1)),
        ("VarianceScaling(mode='fan_out', distribution='uniform')", VarianceScaling(1.0, "fan_out", "uniform")),
        ("constant(-1)", Constant(-1)),
        ("constant([1, 2])", Constant([1, 2])),
        ("he_normal()", VarianceScaling(2.0)),
        ("Orthogonal(gain=1.1)", Orthogonal(1.1)),
    ],
)  # fmt: skip
def test_a_name_may_have_arguments(text, meant):
    assert get(text) == meant


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_as_the_text_that_makes_it(name):
    assert get(repr(get(name))) == get(name)


@pytest.mark.parametrize(
    ("config", "meant"),
    [
        ({"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform",
          "seed": None}}, get("glorot_uniform")),
        ({"class_name": "GlorotUniform", "config": {"seed": 3, "dtype": "float32"}}, get("glorot_uniform")),
        ({"module": "keras.initializers", "class_name": "Constant", "config": {"value": 0.5},
          "registered_name": None}, Constant(0.5)),
        ({"module": "builtins", "class_name": "Zeros", "config": {}, "registered_name": "Zeros"}, Zeros()),
        ({"class_name": "GlorotUniform", "config": {"seed": None, "input_axes": [0], "output_axes": [1, 2]}},
         VarianceScaling(1.0, "fan_avg", "uniform", (0,), (1, 2))),
    ],
)  # fmt: skip
def test_a_configuration_of_any_keras_says_it_and_its_own_seed_is_left_aside(config, meant):
    assert get(config) == meant


def test_an_initializer_of_ours_is_one():
    assert get(RandomNormal(1.0)) == RandomNormal(1.0)


@pytest.mark.parametrize(
    "said",
    [
        "he", "", "STFT(window=None)", "he_normal(", "he_normal; 1", "os.system('true')", "zeros()()", "lambda: 0", 3,
        None, {}, {"class_name": None}, {"class_name": "Mine", "config": {}}, {"class_name": "Zeros", "config": []},
        {"class_name": "Zeros", "config": {}, "registered_name": "mine>Zeros"},
        {"module": "mine", "class_name": "Zeros", "config": {}}, RandomNormal, "(" * 5000,
    ],
)  # fmt: skip
def test_what_is_none_of_keras_own_is_refused_with_what_to_give(said):
    with pytest.raises(RequestError) as refused:
        get(said)
    assert "he_normal" in refused.value.hint
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["random_normal(sigma=1)", "zeros(3)", "he_normal(2)", "orthogonal(1, 2)"])
def test_arguments_that_it_does_not_take_are_refused_with_those_it_takes(text):
    with pytest.raises(RequestError) as refused:
        get(text)
    assert "takes" in refused.value.hint

"""The contract finds what is wrong with a layer, and lets a sound one of somebody else by."""

from __future__ import annotations

import types

import keras
import pytest

from weightkit.testing.layer.contract import LayerContract
from weightkit.testing.layer.exemptions import Exemption
from weightkit.testing.layer.report import summary


@keras.saving.register_keras_serializable(package="toys")
class Gain(keras.layers.Layer):
    """A sound toy of a third party.

    Example:
        >>> Gain(2.0).begin
        2.0
    """

    def __init__(self, begin=1.0, gain_regularizer=None, gain_constraint=None, **options):
        super().__init__(**options)
        if begin == 0:
            raise ValueError(f"begin={begin!r} makes everything zero")
        self.begin = begin
        self.gain_regularizer = keras.regularizers.get(gain_regularizer)
        self.gain_constraint = keras.constraints.get(gain_constraint)
        self.supports_masking = True

    def build(self, input_shape):
        begin = keras.initializers.Constant(self.begin)
        arguments = {"regularizer": self.gain_regularizer, "constraint": self.gain_constraint}
        self.gain = self.add_weight(name="gain", shape=(input_shape[-1],), initializer=begin, **arguments)

    def call(self, inputs):
        return inputs * self.gain

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        regularizer = keras.regularizers.serialize(self.gain_regularizer)
        constraint = keras.constraints.serialize(self.gain_constraint)
        own = {"begin": self.begin, "gain_regularizer": regularizer, "gain_constraint": constraint}
        return super().get_config() | own


class TestGain(LayerContract):
    bad_arguments = ({"begin": 0},)

    def make_layer(self, **overrides):
        return Gain(**{"begin": 0.5} | overrides)

    def expected(self, weights, inputs, *, training):
        return inputs * weights["gain"]


class Nameless(Gain):
    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones")


class Eager(Gain):
    def __init__(self, **options):
        super().__init__(**options)
        self.early = self.add_weight(name="early", shape=(4,), initializer="ones")


class Shifted(Gain):
    def call(self, inputs):
        return inputs * self.gain + 1e-3


class Stopped(Gain):
    def call(self, inputs):
        return keras.ops.stop_gradient(inputs) * self.gain


class StoppedGain(Gain):
    def call(self, inputs):
        return inputs * keras.ops.stop_gradient(keras.ops.convert_to_tensor(self.gain))


class Forgetful(Gain):
    def get_config(self):
        return super().get_config() | {"begin": 3.0}


class Single(Gain):
    def call(self, inputs):
        return keras.ops.cast(inputs * self.gain, "float32")


class Noisy(Gain):
    def __init__(self, **options):
        super().__init__(**options)
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs):
        shape = keras.ops.shape(inputs)
        return inputs * self.gain + keras.random.normal(shape, dtype=inputs.dtype, seed=self.seed_generator)


class Unmasked(Gain):
    def compute_mask(self, inputs, mask=None):
        return None


class Unregularized(Gain):
    def build(self, input_shape):
        self.gain = self.add_weight(name="gain", shape=(input_shape[-1],), initializer="ones")


class Careless(Gain):
    def __init__(self, begin=1.0, **options):
        super().__init__(begin=begin or 1.0, **options)


class Lengthening(Gain):
    def compute_output_shape(self, input_shape):
        return (*input_shape, 1)


class Undocumented(Gain):
    __doc__ = "No example."


class Large(Gain):
    def call(self, inputs):
        powers = keras.ops.square(keras.ops.square(keras.ops.square(inputs)))
        return inputs * self.gain * powers / powers


class FixedBatch(Gain):
    def call(self, inputs):
        return keras.ops.reshape(inputs * self.gain, (3, -1))


BROKEN = {
    Nameless: "test_it_makes_its_weights_when_it_is_built_and_names_them_all",
    Eager: "test_it_makes_its_weights_when_it_is_built_and_names_them_all",
    Lengthening: "test_its_output_has_the_shape_and_type_that_it_says",
    Shifted: "test_it_gives_the_numbers_that_are_expected",
    Stopped: "test_the_gradient_of_its_input_is_its_derivative",
    StoppedGain: "test_the_gradient_of_every_weight_is_its_derivative",
    Forgetful: "test_its_configuration_is_json_that_makes_it_again",
    Single: "test_its_types_are_those_of_its_policy_and_large_numbers_make_no_nan",
    Large: "test_its_types_are_those_of_its_policy_and_large_numbers_make_no_nan",
    Unmasked: "test_masks_come_out_as_they_are_meant_to",
    Noisy: "test_outside_training_it_gives_the_same_again",
    Careless: "test_a_wrong_argument_is_refused_with_its_name_and_value",
    Unregularized: "test_regularizers_act_on_their_weights",
    FixedBatch: "test_unknown_sizes_and_batches_of_none_and_one_will_do",
    Undocumented: "test_the_example_in_its_docstring_runs",
}
EXTRA = {
    "test_it_gives_the_numbers_that_are_expected": ("float32",),
    "test_its_types_are_those_of_its_policy_and_large_numbers_make_no_nan": ("mixed_float16",),
}


def subject_of(layer_class):
    class Subject(TestGain):
        def make_layer(self, **overrides):
            return layer_class(**overrides)

    return Subject()


@pytest.mark.parametrize("layer_class", BROKEN, ids=lambda c: c.__name__)
def test_the_contract_finds_a_broken_layer(layer_class):
    name = BROKEN[layer_class]
    with pytest.raises(BaseException) as found:  # noqa: PT011  # a failure of pytest is no Exception
        getattr(subject_of(layer_class), name)(*EXTRA.get(name, ()))
    assert not isinstance(found.value, (KeyboardInterrupt, SystemExit))


@pytest.mark.parametrize("name", sorted(set(BROKEN.values())))
def test_what_finds_a_broken_layer_lets_the_sound_one_by(name):
    getattr(TestGain(), name)(*EXTRA.get(name, ()))


@pytest.mark.parametrize(
    ("ground", "name"),
    [
        ("stochastic", "test_in_training_it_gives_the_same_again"),
        ("stateful_in_training", "test_training_leaves_its_own_state"),
        ("gradient=none", "test_the_gradient_of_its_input_is_its_derivative"),
        ("gradient=straight_through", "test_the_gradient_of_its_input_is_its_derivative"),
        ("gradient=reversed", "test_the_gradient_of_its_input_is_its_derivative"),
    ],
)
def test_an_exemption_that_is_not_needed_is_found(ground, name):
    subject = TestGain()
    subject.exemptions = (Exemption(ground, "it is said to be so"),)
    with pytest.raises(AssertionError):
        getattr(subject, name)()


@keras.ops.custom_gradient
def turned(inputs):
    """The identity, whose gradient is minus a quarter of what comes back."""

    def grad(*cotangents, upstream=None):
        return -0.25 * (cotangents[0] if upstream is None else upstream)

    return inputs, grad


@keras.ops.custom_gradient
def doubled(inputs):
    """Twice the input, whose gradient goes straight through."""

    def grad(*cotangents, upstream=None):
        return cotangents[0] if upstream is None else upstream

    return 2 * inputs, grad


class Turned(Gain):
    def call(self, inputs):
        return turned(inputs * 1.0)


class Doubled(Gain):
    def call(self, inputs):
        return doubled(inputs * 1.0)


class Still(Gain):
    def call(self, inputs):
        return inputs * 1.0


GRADIENT = "test_the_gradient_of_its_input_is_its_derivative"


def exempt_on(ground, layer_class, factor=None):
    subject = subject_of(layer_class)
    subject.exemptions, subject.gradient_factor = (Exemption(ground, "it is said to be so"),), factor
    return subject


@pytest.mark.parametrize(
    ("ground", "layer_class", "factor"),
    [
        ("gradient=reversed", Turned, None),
        ("gradient=reversed", Turned, 0.25),
        ("gradient=straight_through", Doubled, None),
        ("gradient=none", Stopped, None),
    ],
)
def test_an_exemption_of_the_gradient_that_is_true_passes(ground, layer_class, factor):
    getattr(exempt_on(ground, layer_class, factor), GRADIENT)()


@pytest.mark.parametrize(
    ("ground", "layer_class", "factor"),
    [
        ("gradient=reversed", Turned, 0.5),
        ("gradient=reversed", Doubled, None),
        ("gradient=straight_through", Turned, None),
        ("gradient=straight_through", Still, None),
        ("gradient=straight_through", Stopped, None),
    ],
)
def test_an_exemption_of_the_gradient_that_is_not_true_is_found(ground, layer_class, factor):
    with pytest.raises(AssertionError):
        getattr(exempt_on(ground, layer_class, factor), GRADIENT)()


def test_a_layer_of_which_nothing_is_expected_fails():
    class Silent(LayerContract):
        def make_layer(self, **overrides):
            return Gain(**overrides)

    with pytest.raises(NotImplementedError):
        Silent().test_it_gives_the_numbers_that_are_expected("float32")


def told_by(subject, name):
    told = {}
    subject._tell = told.__setitem__
    getattr(subject, name)()
    return told.get("not_looked_at")


def test_what_is_not_looked_at_is_told():
    assert told_by(TestGain(), "test_its_configuration_is_what_it_was") == "no golden configuration is declared"
    told = told_by(TestGain(), "test_every_argument_of_its_own_that_can_be_wrong_is_tried")
    assert told == "no wrong value is declared for gain_regularizer, gain_constraint"
    if keras.backend.backend() != "tensorflow":
        subject = TestGain()
        subject._tell = (told := {}).__setitem__
        subject.test_exported_it_gives_the_same(None)
        assert told == {"not_looked_at": "not on this backend"}


def test_no_wrong_argument_at_all_fails():
    subject = TestGain()
    subject.bad_arguments = ()
    with pytest.raises(AssertionError, match="no wrong value is declared for any of begin"):
        subject.test_every_argument_of_its_own_that_can_be_wrong_is_tried()


@pytest.mark.parametrize(("ground", "reason"), [("slow", "it takes long"), ("stochastic", " ")])
def test_exemptions_are_of_a_closed_list_and_have_reasons(ground, reason):
    with pytest.raises(ValueError, match=r"got 'slow'|got ' '"):
        Exemption(ground, reason)


def test_the_report_counts_what_passed_and_tells_the_exemptions_with_their_reasons():
    def report(**told):
        return types.SimpleNamespace(nodeid="tests/x.py::TestMine::test_it", user_properties=list(told.items()))

    reports = [report(point=1, exempt=""), report(point=3, exempt="stochastic: it draws"), report()]
    told = ["1 tests of 1 points passed, 1 exempt", "  TestMine, point 3: stochastic: it draws"]
    assert summary(reports) == told
    unseen = report(point=20, exempt="", not_looked_at="not on this backend")
    assert summary([*reports, unseen]) == [*told, "1 not tested", "  point 20, not on this backend: TestMine"]
    assert summary([report()]) == []


@pytest.mark.parametrize("thorough", [False, True])
def test_a_thorough_subject_is_trained_in_compiled_steps_and_compiled_on_every_shape(thorough, monkeypatch):
    subject = TestGain()
    subject.thorough, subject.input_shapes = thorough, ((3, 4), (2, 3, 4))
    model, _ = subject._compiled_model(subject.built())
    assert model.run_eagerly is not thorough
    shapes = []
    monkeypatch.setattr(subject, "_compiled_on", lambda shape, *_, **__: shapes.append(shape))
    subject.test_compiled_it_gives_the_same()
    assert set(shapes) == set(subject.input_shapes[: 2 if thorough else 1])


def test_every_point_but_that_of_the_benchmark_is_tested():
    tests = [getattr(LayerContract, name) for name in dir(LayerContract) if name.startswith("test_")]
    assert {test.point for test in tests} == set(range(1, 25)) - {22}

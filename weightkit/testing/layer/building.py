"""Points 1, 7, 8, 16 and 23: how a layer is created, described, copied and documented."""

from __future__ import annotations

import copy
import doctest
import json
import pickle
import re
import sys
from typing import Any

import numpy as np
import pytest

from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import point
from weightkit.testing.layer.subject import LayerSubject

# What Keras calls a variable that was given no name.
_AUTOMATIC = re.compile(r"variable(_\d+)?")


def configuration(layer: Any) -> str:
    """A layer's configuration as the text of a golden file."""
    return json.dumps(backends.keras.saving.serialize_keras_object(layer), indent=1, sort_keys=True) + "\n"


class BuildingPoints(LayerSubject):
    """How a layer is made, described, copied and documented."""

    @point(1)
    def test_it_makes_its_weights_when_it_is_built_and_names_them_all(self) -> None:
        layer = self.make_layer()
        assert layer.weights == [], "weights must be made in `build`, not in the constructor"
        assert not layer.built, "a new layer must not be built before it is called"
        layer(self.make_inputs(self.shape))
        names = [variable.path for variable in layer.weights]
        assert len(set(names)) == len(names), f"two weights have one path: {sorted(names)}"
        unnamed = [name for name in names if _AUTOMATIC.fullmatch(name.rpartition("/")[2])]
        assert unnamed == [], 'every weight needs a name: `self.add_weight(..., name="kernel")`'

    @point(1)
    def test_two_of_it_in_a_model_share_no_path(self) -> None:
        keras = backends.keras
        first, second = (self.make_layer(name=name) for name in ("first", "second"))
        models = [self.model(layer) for layer in (first, second)]
        whole = keras.Model([m.inputs for m in models], [m.output for m in models])
        paths = [variable.path for variable in whole.weights]
        assert len(set(paths)) == len(paths) == len(first.weights) + len(second.weights)

    @point(1)
    def test_its_output_has_the_shape_and_type_that_it_says(self) -> None:
        for shape in self.input_shapes:
            layer = self.make_layer()
            output = layer(self.make_inputs(shape))
            assert tuple(layer.compute_output_shape(shape)) == tuple(output.shape)
            symbolic = self.model(self.make_layer(), shape).output
            assert symbolic.shape[1:] == tuple(output.shape)[1:]
            assert symbolic.dtype == backends.keras.backend.standardize_dtype(output.dtype)

    @point(7)
    def test_its_configuration_is_json_that_makes_it_again(self) -> None:
        text = configuration(self.make_layer(name="subject"))
        again = backends.keras.saving.deserialize_keras_object(json.loads(text))
        assert type(again) is type(self.make_layer())
        assert configuration(again) == text

    @point(7)
    def test_its_configuration_is_what_it_was(self) -> None:
        if self.golden is None:
            self.not_looked_at("no golden configuration is declared")
        else:
            held = self.golden.read_text(encoding="utf-8")
            assert configuration(self.described()) == held
            assert configuration(backends.keras.saving.deserialize_keras_object(json.loads(held))) == held

    @point(8)
    def test_a_clone_with_its_weights_gives_the_same(self) -> None:
        model, inputs = self.model(self.built()), self.make_inputs(self.shape)
        clone = backends.keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        np.testing.assert_array_equal(backends.array(clone(inputs)), backends.array(model(inputs)))

    @point(8)
    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301
    def test_a_copy_gives_the_same_and_shares_nothing(self, duplicate: Any) -> None:
        model, inputs = self.model(self.built()), self.make_inputs(self.shape)
        other = duplicate(model)
        np.testing.assert_array_equal(backends.array(other(inputs)), backends.array(model(inputs)))
        assert {id(v) for v in other.variables}.isdisjoint(id(v) for v in model.variables)

    @point(16)
    def test_a_wrong_argument_is_refused_with_its_name_and_value(self) -> None:
        for overrides in self.bad_arguments:
            argument, value = next(iter(overrides.items()))
            with pytest.raises(Exception) as refused:  # noqa: PT011  # of which class is the layer's own affair
                self.built(**overrides)
            assert argument in str(refused.value), refused.value
            assert str(value) in str(refused.value), refused.value

    @point(16)
    def test_every_argument_of_its_own_that_can_be_wrong_is_tried(self) -> None:
        """At least one is declared; the report lists arguments without a wrong value."""
        tried = {next(iter(overrides)) for overrides in self.bad_arguments}
        own = self.own_arguments()
        assert tried or not own, f"no wrong value is declared for any of {', '.join(own)}"
        left = [name for name in own if name not in tried]
        if left:
            self.not_looked_at(f"no wrong value is declared for {', '.join(left)}")

    @point(23)
    def test_the_example_in_its_docstring_runs(self) -> None:
        layer_class = type(self.make_layer())
        module = sys.modules[layer_class.__module__]
        # The names of the layer's module, as when its own doctests run.
        found = doctest.DocTestFinder(recurse=False).find(layer_class, globs=dict(vars(module)))
        examples = [test for test in found if test.examples]
        assert examples, f"the docstring of {layer_class.__name__} needs an example that runs, with lines of `>>> `"
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
        assert sum(runner.run(test).failed for test in examples) == 0

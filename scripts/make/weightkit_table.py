"""Make ``weightkit/access/names/weightkit_layers.json`` from weightkit's own layers and parametrizations.

It has the form of the table of Keras' classes, and is made in the same way: every class that ``weightkit.layers``
exports is built under every setting of its flags. After a layer was added or changed, give it a recipe below, and run

    KERAS_BACKEND=tensorflow python scripts/make/weightkit_table.py
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from keras import layers
from layer_table import OUTPUT as KERAS_TABLE
from layer_table import (
    SIZES,
    Recipe,
    Table,
    build,
    dump_entries,
    holds_weights,
    own_variables,
    saved_children,
    symbols,
)

import weightkit.layers
from weightkit.layers import Parametrization, Parametrized

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUT = KERAS_TABLE.with_name("weightkit_layers.json")
PACKAGE = "weightkit"

Sizes = tuple[int, ...]


def _vector(s: Sizes) -> Sizes:
    return (2, s[0])


def _pair(s: Sizes) -> list[Sizes]:
    return [(2, s[2]), (2, s[0])]


LAYERS: dict[str, Recipe] = {
    "CheckedEmbedding": Recipe(
        lambda s: {"input_dim": s[0], "output_dim": s[1]},
        lambda _: (2,),
        values={"on_invalid": ["raise", "clip", "oov", "zero", "nan"]},
    ),
    "CosineDense": Recipe(lambda s: {"units": s[1]}, _vector),
    "FiLM": Recipe(lambda _: {}, _pair, values={"data_format": ["channels_last", "channels_first"]}),
    "GlobalResponseNorm": Recipe(
        lambda _: {}, lambda s: (2, s[0], s[0]), values={"data_format": ["channels_last", "channels_first"]}
    ),
    "GradientReversal": Recipe(lambda _: {}, _vector),
    "HyperDense": Recipe(lambda s: {"units": s[1], "hidden": s[3]}, _pair),
    "LayerScale": Recipe(lambda _: {}, _vector, ranks=(({"axis": (-2, -1)}, (2, 5, 7)),)),
    "Maxout": Recipe(lambda s: {"units": s[1], "pieces": 3}, _vector),
    "NoisyDense": Recipe(lambda s: {"units": s[1]}, _vector, values={"noise": ["factorized", "independent"]}),
    "StochasticDepth": Recipe(lambda _: {}, _vector, values={"per": ["sample", "batch"]}),
}


def _around_kernel(s: Sizes) -> list[tuple[Any, Any]]:
    """Layers whose kernels have two, three and four dimensions, the last one matrix for each channel."""
    convolution, depthwise = layers.Conv1D(s[1], 3), layers.DepthwiseConv2D(2, depth_multiplier=s[1])
    return [(layers.Dense(s[1]), (2, s[0])), (convolution, (2, 9, s[0])), (depthwise, (2, 8, 8, s[0]))]


def _around_matrix(s: Sizes) -> list[tuple[Any, Any]]:
    """A layer whose kernel has two dimensions, as the other layer's weight has."""
    return [(layers.Dense(s[1]), (2, s[0]))]


def _other(s: Sizes) -> Any:
    other = layers.Embedding(s[1], s[0])
    other.build((2,))
    return other


PARAMETRIZATIONS: dict[str, Recipe] = {
    "Held": Recipe(lambda _: {"entries": "[0]"}, _around_kernel),
    "LowRank": Recipe(lambda s: {"rank": s[2], "dropout": 0.5}, _around_kernel, values={"scaling": ["lora", "rslora"]}),
    "Mask": Recipe(lambda _: {}, _around_kernel),
    "SpectralNorm": Recipe(lambda _: {"warm_up": 0}, _around_kernel),
    "StandardizedWeight": Recipe(lambda _: {}, _around_kernel),
    "Tied": Recipe(lambda s: {"other": _other(s)}, _around_matrix),
    "WeightNorm": Recipe(lambda _: {}, _around_kernel),
}


class OwnTable(Table):
    """The table of weightkit's layers, while it grows."""

    def children(self, built: list[Any]) -> list[list[Any]]:
        """None: names in files are read of layers that make no others."""
        inside = [path for path, child in saved_children(built[0]) if holds_weights(child)]
        assert not inside, f"{type(built[0]).__name__} must have weights of its own alone, and has {', '.join(inside)}"
        return []


class ParametrizationTable(Table):
    """The table of what parametrizations add to the layer around, while it grows."""

    def case(self, name: str, cls: type, recipe: Recipe, flags: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """What one parametrization adds under one setting, and what becomes of the weight that it computes."""
        wrappers = list(_wrappers(cls, recipe, flags))
        variables = zip(*(own_variables(wrapper) for wrapper in wrappers), strict=True)
        columns = [(column[0], tuple(tuple(v.shape) for v in column)) for column in variables]
        forms = symbols([shapes for _, shapes in columns])
        updated = wrappers[0].computed[0].steps[0][0].updates_added
        weights = [
            f"{_pattern(variable.name)} {_kind(variable, updated=updated)} float {form}"
            for (variable, _), form in zip(columns, forms, strict=True)
        ]
        (base,) = {_base(wrapper) for wrapper in wrappers}
        return {"weights": weights, "base": "" if base == "trained" else base}


def _wrappers(cls: type, recipe: Recipe, flags: dict[str, Any]) -> Iterator[Any]:
    """Layers with their kernel computed: the first of the recipe at each size, and all at one size."""
    for sizes in SIZES:
        inside = recipe.inputs(sizes)
        for layer, shape in inside if sizes is SIZES[0] else inside[:1]:
            yield _wrapped(layer, shape, cls(**recipe.arguments(sizes), **flags))


def _wrapped(layer: Any, shape: Sizes, parametrization: Parametrization) -> Any:
    """A layer with its kernel computed, built."""
    wrapper = Parametrized(layer, kernel=parametrization)
    build(wrapper, shape)
    return wrapper


def _pattern(name: str) -> str:
    """An added weight's name with ``{}`` for the weight's."""
    pattern = name.replace("kernel", "{}", 1)
    assert pattern != name, f"{name} must have the name of the weight that is computed in it"
    return pattern


def _kind(variable: Any, *, updated: bool) -> str:
    """What is not trained but changes in training is a statistic."""
    if variable.trainable:
        return "parameter"
    return "statistic" if updated else "state"


def _base(wrapper: Any) -> str:
    """What becomes of the layer's own weight: the file has it trained, frozen, or not at all."""
    kernel = wrapper.computed[0].weight.variable
    if all(variable is not kernel for variable in own_variables(wrapper.layer)):
        return "absent"
    return "trained" if kernel.trainable else "frozen"


def classes(base: type) -> dict[str, type]:
    """What weightkit exports of one kind, without the class that they are all made with."""
    exported = (getattr(weightkit.layers, name) for name in weightkit.layers.__all__)
    found = [one for one in exported if inspect.isclass(one) and issubclass(one, base)]
    return {one.__name__: one for one in found if one not in (Parametrization, Parametrized)}


def entries(table: Table, found: dict[str, type], recipes: dict[str, Recipe]) -> dict[str, dict[str, Any]]:
    """The entries of all classes of one kind."""
    missing = sorted(found.keys() - recipes.keys())
    assert not missing, f"{', '.join(missing)} must have a recipe in {__file__}"
    for name, cls in found.items():
        table.add_cases(name, cls, recipes[name])
    return table.entries


def lines() -> Iterator[str]:
    """The table, one case a line."""
    yield f'{{"package": {json.dumps(PACKAGE)},'
    yield dump_entries("classes", entries(OwnTable(), classes(layers.Layer), LAYERS)) + ","
    own = classes(Parametrization)
    yield dump_entries("parametrizations", entries(ParametrizationTable(), own, PARAMETRIZATIONS)) + "}"


def made() -> str:
    """The table as the file has it."""
    return "\n".join(lines()) + "\n"


def main() -> None:
    """Write the table beside the code that reads it."""
    OUTPUT.write_text(made(), encoding="utf-8")
    print(f"{OUTPUT}: {', '.join([*LAYERS, *PARAMETRIZATIONS])}")


if __name__ == "__main__":
    main()

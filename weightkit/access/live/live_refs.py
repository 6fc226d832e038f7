"""References to the weights of live objects: names come from the variables, kinds from Keras' own classes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from weightkit.access.live.object_walk import is_builtin, is_optimizer
from weightkit.access.names import class_weights, reading, wrapper
from weightkit.access.names.class_table import canonical
from weightkit.access.names.naming import Stored
from weightkit.access.names.object_tree import Node
from weightkit.access.ref import Kind, Source, WeightRef
from weightkit.builtin import defined_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weightkit.access.live.object_walk import SavedObject


def is_variable(value: Any) -> bool:
    """Whether a saved value is a Keras variable, not something computed for the file."""
    return hasattr(value, "_value") and hasattr(value, "assign")


def refs_of_object(
    saved: SavedObject, computed: Mapping[str, np.ndarray], other_paths: Sequence[str] = ()
) -> Iterator[WeightRef]:
    """The weights of one object, in its save order.

    Args:
        saved: The object with what it saves.
        computed: The values among them that are not variables, by key.
        other_paths: Where else Keras looks for the object.
    """
    of_optimizer = is_optimizer(saved.thing)
    # Variables know their names; only computed values need those of the class.
    names = _names_by_class(saved, computed) if computed else {}
    describe = _of_optimizer if of_optimizer else _of_layer
    prefix = f"{saved.path}/vars/" if saved.path else "vars/"
    class_name = class_of(saved.thing)
    for position, (key, value) in enumerate(saved.values.items()):
        array = computed.get(key)
        shape, dtype = (shape_of(value), dtype_of(value)) if array is None else (array.shape, array.dtype)
        # A layer may save under names of its own; a file has them too.
        name = key if not key.isdecimal() else value.name if array is None else names.get(key)
        kind, trainable = describe(saved.thing, value if array is None else None, name, dtype)
        yield WeightRef(
            structure=prefix + key,
            layer=saved.path if of_optimizer else saved.layer,
            index=int(key) if key.isdecimal() else position,
            name=name,
            shape=shape,
            dtype=dtype,
            kind=kind,
            layer_class=class_name,
            trainable=trainable,
            known_from=Source.MODEL,
            around=saved.around,
            also=tuple(f"{path}/vars/{key}" for path in other_paths),
        )


def ref_of_variable(variable: Any, structure: str, index: int) -> WeightRef:
    """A weight of a list of variables; everything known about it comes from the variable."""
    layer, _, name = variable.path.rpartition("/")
    dtype = dtype_of(variable)
    kind = _kind_of(name, None, trained=bool(variable.trainable), integer=_is_integer(dtype))
    return WeightRef(
        structure=structure,
        layer=layer,
        index=index,
        name=name,
        shape=shape_of(variable),
        dtype=dtype,
        kind=kind,
        layer_class=None,
        trainable=bool(variable.trainable),
        known_from=Source.MODEL,
    )


def class_of(thing: Any) -> str:
    """The name of an object's class, without aliases."""
    name = type(thing).__name__
    return canonical(name) if is_builtin(thing) else name


@functools.lru_cache(maxsize=64)
def _dtype_named(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else np.dtype(name)


def shape_of(variable: Any) -> tuple[int, ...]:
    """A variable's shape; on TensorFlow the public property builds a new TensorShape on each access."""
    shape = getattr(variable, "_shape", None)
    return tuple(variable.shape if shape is None else shape)


def dtype_of(variable: Any) -> np.dtype:
    """NumPy's type of a variable's values; it may be narrower than the declared type."""
    # JAX holds float64 as float32 unless x64 is enabled.
    held = getattr(variable._value, "dtype", None)  # noqa: SLF001  # `dtype` is another one within an autocast scope
    name = getattr(held, "name", None) or str(held or variable._dtype).removeprefix("torch.")  # noqa: SLF001
    return _dtype_named(name)


def _of_optimizer(_thing: Any, _variable: Any, _name: str | None, _dtype: np.dtype) -> tuple[Kind, bool | None]:
    return Kind.OPTIMIZER, None


def _of_layer(thing: Any, variable: Any, name: str | None, dtype: np.dtype) -> tuple[Kind, bool | None]:
    class_name = class_of(thing) if is_builtin(thing) else None
    trained = variable is not None and _is_declared_trainable(thing, variable)
    kind = _kind_of(name or "", class_name, trained=trained, integer=_is_integer(dtype), known=variable is not None)
    if kind is Kind.STATE and name and _is_wrapper(type(thing)):
        kind = wrapper.kind_in_wrapper(name)
    if kind is not Kind.PARAMETER:
        return kind, None if kind is Kind.UNKNOWN else False
    return kind, None if variable is None else bool(variable.trainable)


def _is_wrapper(cls: type) -> bool:
    return cls.__name__ == wrapper.WRAPPER and defined_in(cls, "weightkit")


def _is_declared_trainable(thing: Any, variable: Any) -> bool:
    """Whether its layer created it as trainable, even if it is frozen now."""
    made = getattr(thing, "_trainable_variables", None)
    return bool(variable.trainable) if made is None else any(variable is one for one in made)


@functools.lru_cache(maxsize=4096)
def _kind_of(name: str, class_name: str | None, *, trained: bool, integer: bool, known: bool = True) -> Kind:
    """The kind from Keras' own class; else from how the layer created it."""
    kind = class_weights.kind_of_name(name, class_name, integer=integer)
    if class_name is not None and kind is not Kind.UNKNOWN:
        return kind
    if not known:
        return Kind.UNKNOWN
    if trained:
        return Kind.PARAMETER
    return kind if kind in {Kind.STATISTIC, Kind.QUANTIZATION} else Kind.STATE


@functools.lru_cache(maxsize=64)
def _is_integer(dtype: np.dtype) -> bool:
    return dtype.kind in "iub" or dtype.name in {"int4", "uint4"}  # of ml_dtypes, whose kind is "V"


def _names_by_class(saved: SavedObject, computed: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Names of the values of a built-in layer that computes some of them, if its class is known to."""
    if not is_builtin(saved.thing):
        return {}
    stored = [
        Stored(key, *((shape_of(value), dtype_of(value).name) if key not in computed else _look_of(computed[key])))
        for key, value in saved.values.items()
    ]
    node = Node("", "", variables=stored, indices=[int(key) for key in saved.values if key.isdecimal()])
    weights = reading.weights_by_config(node, class_of(saved.thing), _config_of(saved.thing))
    return {} if weights is None else {key: w.name for key, w in zip(saved.values, weights, strict=True)}


def _look_of(array: np.ndarray) -> tuple[tuple[int, ...], str]:
    return array.shape, array.dtype.name


def _config_of(thing: Any) -> Mapping[str, Any]:
    """A layer's configuration, with its dtype as text, as in ``config.json``."""
    config = dict(thing.get_config())
    mode = getattr(thing, "quantization_mode", None)
    config["dtype"] = f"{mode}_from_float32" if mode else "float32"
    return config

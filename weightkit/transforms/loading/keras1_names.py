"""Names of Keras 1 as later versions have them, and the gates of its recurrent layers joined.

Keras 1 kept each gate of an LSTM, a GRU or a ConvLSTM2D in arrays of its own, in the order i, c, f, o; since Keras 2
one kernel holds all gates side by side, in the order i, f, c, o (GRU: z, r, h).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from weightkit.errors import RequestError
from weightkit.text import listed
from weightkit.transforms.loading.conversion import Conversion

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from weightkit.access import WeightRef

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "W": "kernel",
        "U": "recurrent_kernel",
        "b": "bias",
        "alphas": "alpha",
        "running_mean": "moving_mean",
        "running_std": "moving_variance",
    }
)
_ALIKE: Mapping[str, str] = MappingProxyType({"embeddings": "kernel"})
"""Names of later versions that share Keras 1's ``W``; no layer has both."""
_GATES: Mapping[frozenset[str], str] = MappingProxyType({frozenset("ifco"): "ifco", frozenset("zrh"): "zrh"})
"""The order of the gates in a joined kernel, by which gates there are."""
_SPLIT = frozenset(f"{weight}_{gate}" for weight in "WUb" for gate in "ifcozrh")


def is_keras_1(weights: Iterable[WeightRef]) -> bool:
    """Whether weights have names that only Keras 1 gave."""
    return any(ref.name in _NAMES or ref.name in _SPLIT for ref in weights)


def meaning(name: str, layer: Iterable[str]) -> str:
    """What a weight is called today, with one word for what Keras 1 called ``W``.

    Args:
        name: The weight's own name.
        layer: The names of all weights of its layer.
    """
    # A DepthwiseConv2D's only kernel, which Keras 3 calls kernel; a separable convolution has two.
    if name == "depthwise_kernel" and "pointwise_kernel" not in layer:
        return "kernel"
    return _NAMES.get(name) or _ALIKE.get(name, name)


def gates_in(name: str) -> int:
    """Over how many arrays Keras 1 spread the weight of which this is one gate: 4, 3, or 0 for a whole weight."""
    return next((len(gates) for gates in _GATES if name in _SPLIT and name[2] in gates), 0)


def whole_weights(
    weights: Sequence[WeightRef], prepared: Callable[[WeightRef], Conversion], kept: Container[str] = ()
) -> dict[str, Conversion]:
    """The weights of a layer by what they are today, gates joined.

    Args:
        weights: All weights of one layer with their names.
        prepared: Gives each weight in the layout of later versions.
        kept: Names that are no gates of Keras 1, whatever they look like: those of a user's own layer.

    Raises:
        RequestError: A gate is missing.
    """
    names = {ref.name for ref in weights if ref.name}
    found: dict[str, Conversion] = {}
    gates: dict[str, dict[str, WeightRef]] = {}
    for ref in weights:
        name = ref.name or ""
        if name in _SPLIT and name not in kept:
            gates.setdefault(name[0], {})[name[2]] = ref
        elif name:
            found[meaning(name, names)] = prepared(ref)
    return found | {_NAMES[weight]: _joined(weight, parts, prepared) for weight, parts in gates.items()}


def _joined(weight: str, parts: Mapping[str, WeightRef], prepared: Callable[[WeightRef], Conversion]) -> Conversion:
    order = _GATES.get(frozenset(parts))
    if order is None:
        names = listed([f"{weight}_{gate}" for gate in sorted(parts)], most=4)
        raise RequestError(
            f"a recurrent layer of Keras 1 must have all of its gates (i, f, c, o or z, r, h), got {names}",
            hint="give the whole file",
        )
    made = [prepared(parts[gate]) for gate in order]
    shapes = {part.shape for part in made}
    if len(shapes) > 1:
        raise RequestError(f"the gates of {weight} must have one shape, got {listed(map(str, sorted(shapes)))}")
    shape = made[0].shape
    return Conversion.joined(made, f"gates {', '.join(order)} of Keras 1 joined", (*shape[:-1], shape[-1] * len(order)))

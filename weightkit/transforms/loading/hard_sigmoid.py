"""The gates of recurrent layers: `hard_sigmoid` is not one function in all versions of Keras.

Keras 1 and 2 compute clip(0.2 x + 0.5, 0, 1), Keras 3 clip(x / 6 + 0.5, 0, 1). Until TensorFlow 2 it was the default
of LSTM and GRU. As 0.2 x = 1.2 x / 6, gates whose kernels and biases are multiplied by 1.2 compute in Keras 3 what they
did before; the candidate state has another activation and stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from weightkit.transforms.loading.conversion import Conversion
    from weightkit.transforms.loading.facts import LayerFacts

HardSigmoid = Literal["keep", "rescale"]
"""What to do with gates of `hard_sigmoid` between versions in which it differs."""

_SLOPES = {1: 0.2, 2: 0.2, 3: 1 / 6}
_KEYS = ("recurrent_activation", "inner_activation")
_DEFAULT = frozenset({"LSTM", "GRU", "ConvLSTM2D", "ConvLSTMCell"})
_GATES = {"LSTM": (0, 1, 3), "ConvLSTM2D": (0, 1, 3), "ConvLSTMCell": (0, 1, 3), "GRU": (0, 1)}
"""The gates among the parts of a kernel: i, f, o of i, f, c, o; z, r of z, r, h."""
_PARTS = {"LSTM": 4, "ConvLSTM2D": 4, "ConvLSTMCell": 4, "GRU": 3}
_NAME = "hard_sigmoid"


def activation_of(facts: LayerFacts) -> str | None:
    """The activation of a layer's gates, as the configuration says; None where it does not."""
    if facts.class_name.startswith("CuDNN"):
        return "sigmoid"
    return _named(next((facts.config[key] for key in _KEYS if key in facts.config), None))


def _named(said: object) -> str | None:
    name = said.get("class_name") if isinstance(said, dict) else said
    if not isinstance(name, str):
        return None
    return _NAME if name.lower().replace("_", "") == "hardsigmoid" else name


def notes_on_activation(theirs: LayerFacts, ours: LayerFacts) -> Iterator[str]:
    """What is to be said of a layer whose outputs, not gates, go through `hard_sigmoid`."""
    slopes = (_SLOPES.get(theirs.major or 0), _SLOPES.get(ours.major or 0))
    both = all(_named(side.config.get("activation")) == _NAME for side in (theirs, ours))
    if both and None not in slopes and slopes[0] != slopes[1]:
        yield "this layer's activation hard_sigmoid is another function in the source's version of Keras"


def default_of(facts: LayerFacts, *, keras_1: bool) -> str | None:
    """What the Keras that wrote a file uses for gates unless it is told otherwise."""
    version = facts.keras_version or ("1" if keras_1 else "")
    # "2.2.4-tf" may be TensorFlow 1 or 2, which differ in it; all but the "-tf" are Keras alone.
    alone = version.partition(".")[0] in {"1", "2"} and "-" not in version
    minor = version.split(".")[1:2]
    return _NAME if alone and (version[0] == "1" or (minor and minor[0] in {"0", "1", "2", "3"})) else None


class Gates:
    """The gates of a pair of recurrent layers."""

    def __init__(self, kind: str, theirs: LayerFacts, ours: LayerFacts, *, keras_1: bool) -> None:
        """Compare the activations of both sides.

        Args:
            kind: ``LSTM``, ``GRU`` or ``ConvLSTM2D``.
            theirs: The source's layer.
            ours: The target's.
            keras_1: Whether the source has names of Keras 1.
        """
        self._kind = kind
        self._said = activation_of(theirs)
        self._source = self._said or default_of(theirs, keras_1=keras_1)
        self._target = activation_of(ours)
        self._from = _SLOPES.get(theirs.major or (1 if keras_1 else 0))
        self._to = _SLOPES.get(ours.major or 0)

    @property
    def factor(self) -> float:
        """By what gates are multiplied so that both sides compute the same; 1 where nothing helps or is needed."""
        if self._source == self._target == _NAME and self._from and self._to:
            return self._from / self._to
        return 1.0

    def rescaled(self, part: Conversion) -> Conversion:
        """A kernel or bias with its gates multiplied, along its last axis."""
        factor, parts, gates = self.factor, _PARTS[self._kind], _GATES[self._kind]

        def multiply(values: np.ndarray) -> np.ndarray:
            width = values.shape[-1] // parts
            result = values.copy()
            for gate in gates:
                result[..., gate * width : (gate + 1) * width] *= values.dtype.type(factor)
            return result

        return part.then(f"gates of hard_sigmoid times {factor:.4g}", part.shape, multiply)

    def notes(self, how: HardSigmoid) -> Iterator[str]:
        """What differs although the weights load."""
        if self._source is None or self._target is None:
            return
        if self.factor != 1:
            if how == "keep":
                yield (
                    f"hard_sigmoid of this {self._kind} is another function in the source's version of Keras; "
                    f"hard_sigmoid='rescale' multiplies its gates by {self.factor:.4g}, which is exact"
                )
        elif self._source != self._target:
            unless = "" if self._said else f", unless its {self._kind} was told otherwise"
            yield (
                f"the gates of this {self._kind} use {self._target}, those of the source {self._source}{unless}: "
                f"the outputs differ until the target has recurrent_activation={self._source!r}"
            )

"""Low-rank adaptation: a frozen weight and the product of two small factors, which are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import keras
from keras import ops

from weightkit.layers.parametrizations.parametrization import Added, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.layers.parametrizations.axes import Axes


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True)
class LowRank(Parametrization):
    """``W + alpha / rank * A B``, in which ``W`` is frozen (Hu 2021, arXiv 2106.09685, section 4.1).

    Any weight is read as one matrix ``(fan_in, fan_out)``: a convolution's as ``(height * width * channels,
    filters)``, a depthwise kernel as ``(height * width, channels * multiplier)``. The factors
    ``lora_kernel_a`` ``(fan_in, rank)`` and ``lora_kernel_b`` ``(rank, fan_out)`` are added; the second begins at
    zero, so that wrapping changes nothing.

    Args:
        rank: Columns of the first factor.
        alpha: The update's scale; the rank by default, which makes it 1.
        scaling: ``lora`` for ``alpha / rank``; ``rslora`` for ``alpha / sqrt(rank)``, which stays stable as the rank
            grows (Kalajdzievski 2023, arXiv 2312.03732, theorem 3.2).
        magnitude: DoRA (Liu 2024, arXiv 2402.09353, equation 5): ``lora_kernel_magnitude``, one length for each
            output, is trained apart from the direction ``W + A B``.
        dropout: The rate at which, in training, inputs are dropped on the way through the factors. The weight is
            computed once for a batch, so that one draw holds for all its examples, where the paper's code draws for
            each.
        seed: Of the dropout.
        freeze: Whether ``W`` is taken out of training.
    """

    rank: int
    alpha: float | None = None
    scaling: Literal["lora", "rslora"] = "lora"
    magnitude: bool = False
    dropout: float = 0.0
    seed: int | None = None
    freeze: bool = True

    def __post_init__(self) -> None:
        """Check the settings."""
        self._require("rank", self._is_integer("rank") and self.rank >= 1, "give an integer of at least 1")
        is_above = self.alpha is None or (isinstance(self.alpha, int | float) and self.alpha > 0)
        self._require("alpha", is_above, "give a number above 0, or None")
        self._require("scaling", self.scaling in ("lora", "rslora"), "give 'lora' or 'rslora'")
        is_rate = isinstance(self.dropout, int | float) and 0 <= self.dropout < 1
        self._require("dropout", is_rate, "give a rate in [0, 1)")
        self._require("seed", self.seed is None or self._is_integer("seed"), "give an integer, or None")
        self._require_flags("magnitude", "freeze")

    @property
    def freezes_base(self) -> bool:  # type: ignore[override]
        """As asked."""
        return self.freeze

    @property
    def wants_seeds(self) -> bool:  # type: ignore[override]
        """For the dropout."""
        return self.dropout > 0

    @property
    def scale(self) -> float:
        """What the product of the factors is multiplied by."""
        alpha = self.rank if self.alpha is None else self.alpha
        return float(alpha / (self.rank if self.scaling == "lora" else self.rank**0.5))

    def build(self, weight: Weight) -> dict[str, Added]:
        """The two factors, and the lengths under DoRA."""
        axes, label = weight.axes.merged(), weight.label
        added = {
            "a": weight.add(f"lora_{label}_a", (axes.fan_in, self.rank), _he_uniform(self.seed)),
            "b": weight.add(f"lora_{label}_b", (self.rank, axes.fan_out), _zeros),
        }
        if self.magnitude:

            def initial(_shape: Any, dtype: Any = None) -> Any:
                return ops.cast(_lengths(axes.to_matrices(weight.before())), dtype)

            added["magnitude"] = weight.add(f"lora_{label}_magnitude", (axes.fan_out,), initial)
        return added

    def compute(self, base: Any, added: Mapping[str, Added], weight: Weight, *, training: bool) -> Any:
        """The frozen weight and the update."""
        axes = weight.axes.merged()
        a, b = added["a"].variable.value, added["b"].variable.value
        if training and self.dropout:
            a = a * self._kept(axes, weight, a.dtype)
        update = ops.matmul(a, b if self.scale == 1 else b * self.scale)
        if not self.magnitude:
            return base + axes.from_matrices(update)
        adapted = axes.to_matrices(base) + update
        return axes.from_matrices(adapted * (added["magnitude"].variable.value / _lengths(adapted)))

    def _kept(self, axes: Axes, weight: Weight, dtype: Any) -> Any:
        """A column that drops inputs and scales up the others."""
        drawn = keras.random.uniform((axes.fan_in, 1), seed=weight.seeds)
        return ops.cast(drawn >= self.dropout, dtype) / (1 - self.dropout)

    def merge(self, added: Mapping[str, Added], weight: Weight, value: Any) -> dict[str, Any]:
        """Put the update into the weight; what was there before is returned, to be put back.

        The second factor becomes zero and lengths those of the merged weight: the computation, which may have been
        compiled, stays as it is.
        """
        before = {"base": _copy(weight.variable)} | {key: _copy(one.variable) for key, one in added.items()}
        weight.variable.assign(value)
        added["b"].variable.assign(ops.zeros_like(added["b"].variable.value))
        if self.magnitude:
            added["magnitude"].begin()
        lengths = {"magnitude": _copy(added["magnitude"].variable)} if self.magnitude else {}
        return {"before": before, "merged": {"base": _copy(weight.variable), **lengths}}

    def is_merged(self, weight: Weight, kept: Mapping[str, Any]) -> bool:
        """Whether the weight is what a merge made of it, and nobody has changed it since."""
        return not _differs(weight.variable, kept["merged"]["base"])

    def is_trained(self, added: Mapping[str, Added], kept: Mapping[str, Any]) -> bool:
        """Whether the factors, or the lengths, say something again since a merge."""
        lengths = kept["merged"].get("magnitude")
        is_longer = lengths is not None and _differs(added["magnitude"].variable, lengths)
        return is_longer or _differs(added["b"].variable, 0)

    def unmerge(self, added: Mapping[str, Added], weight: Weight, kept: Mapping[str, Any]) -> None:
        """Put everything back as it was before the merge."""
        weight.variable.assign(kept["before"]["base"])
        for key, one in added.items():
            one.variable.assign(kept["before"][key])


def _he_uniform(seed: int | None) -> Any:
    """As Keras begins its own factors."""

    def initial(shape: Any, dtype: Any = None) -> Any:
        return keras.initializers.HeUniform(seed)(shape, dtype=dtype)

    return initial


def _zeros(shape: Any, dtype: Any = None) -> Any:
    return ops.zeros(shape, dtype=dtype)


def _lengths(matrix: Any) -> Any:
    """Of the columns; 1 for one of zeros, which stays so."""
    squares = ops.sum(ops.square(matrix), axis=0)
    return ops.sqrt(ops.where(squares > 0, squares, 1))


def _copy(variable: Any) -> Any:
    return ops.copy(variable.value)


def _differs(variable: Any, value: Any) -> bool:
    return bool(ops.any(ops.not_equal(variable.value, value)))

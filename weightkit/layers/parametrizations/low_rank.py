"""Low-rank adaptation: a frozen weight plus the product of two small trained factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import keras
from keras import ops

from weightkit.arguments import boolean, integer_or_none, number, one_of, positive_integer
from weightkit.layers.parametrizations.parametrization import AddedVariable, Parametrization, Weight

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
    zero, so that wrapping does not change the output.

    Args:
        rank: How many columns the first factor has.
        alpha: The scale of the update; by default the rank, which makes it 1.
        scaling: ``lora`` for ``alpha / rank``; ``rslora`` for ``alpha / sqrt(rank)``, which is stable for
            large ranks (Kalajdzievski 2023, arXiv 2312.03732, theorem 3.2).
        magnitude: DoRA (Liu 2024, arXiv 2402.09353, equation 5): ``lora_kernel_magnitude``, one length for each
            output, is trained separately from the direction ``W + A B``.
        dropout: The rate at which, in training, inputs of the factors are dropped. The weight is computed once for a
            batch, so that all examples of it drop the same inputs; in the paper's code each example drops its own.
        seed: The seed of the dropout.
        freeze: Whether ``W`` is frozen.
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
        self._check(positive_integer, "rank")
        if self.alpha is not None:
            self._check(number, "alpha", at_least=0, exclusive=True)
        self._check(one_of, "scaling", choices=("lora", "rslora"))
        self._check(number, "dropout", at_least=0, below=1)
        self._check(integer_or_none, "seed")
        self._check(boolean, "magnitude", "freeze")

    @property
    def freezes_base(self) -> bool:  # type: ignore[override]
        """Whether ``W`` is frozen."""
        return self.freeze

    @property
    def needs_seeds(self) -> bool:  # type: ignore[override]
        """Whether there is dropout."""
        return self.dropout > 0

    @property
    def scale(self) -> float:
        """The factor of the update."""
        alpha = self.rank if self.alpha is None else self.alpha
        return float(alpha / (self.rank if self.scaling == "lora" else self.rank**0.5))

    def build(self, weight: Weight) -> dict[str, AddedVariable]:
        """Add the two factors, and with DoRA the lengths."""
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

    def compute(self, base: Any, added: Mapping[str, AddedVariable], weight: Weight, *, training: bool) -> Any:
        """The frozen weight plus the update."""
        axes = weight.axes.merged()
        a, b = added["a"].variable.value, added["b"].variable.value
        if training and self.dropout:
            a = a * self._dropout_mask(axes, weight, a.dtype)
        # The factor has fewer elements to scale than the product.
        update = ops.matmul(a, b if self.scale == 1 else b * self.scale)
        if not self.magnitude:
            return base + axes.from_matrices(update)
        adapted = axes.to_matrices(base) + update
        return axes.from_matrices(adapted * (added["magnitude"].variable.value / _lengths(adapted)))

    def _dropout_mask(self, axes: Axes, weight: Weight, dtype: Any) -> Any:
        """A column ``(fan_in, 1)`` that drops inputs and scales up the others."""
        drawn = keras.random.uniform((axes.fan_in, 1), seed=weight.seeds)
        return ops.cast(drawn >= self.dropout, dtype) / (1 - self.dropout)

    def merge(self, added: Mapping[str, AddedVariable], weight: Weight, value: Any) -> dict[str, Any]:
        """Add the update to the weight; returns the values before and after, with which it can be undone.

        The second factor becomes zero, and lengths become those of the merged weight: compiled code stays valid.
        """
        before = {"base": _copy(weight.variable)} | {key: _copy(one.variable) for key, one in added.items()}
        weight.variable.assign(value)
        added["b"].variable.assign(ops.zeros_like(added["b"].variable.value))
        # After the weight, since its lengths are now those of the merged one.
        if self.magnitude:
            added["magnitude"].reinitialize()
        lengths = {"magnitude": _copy(added["magnitude"].variable)} if self.magnitude else {}
        return {"before": before, "merged": {"base": _copy(weight.variable), **lengths}}

    def is_merged(self, weight: Weight, record: Mapping[str, Any]) -> bool:
        """Whether the weight still has the values that a merge gave it."""
        return not _differs(weight.variable, record["merged"]["base"])

    def is_trained(self, added: Mapping[str, AddedVariable], record: Mapping[str, Any]) -> bool:
        """Whether the factors, or the lengths, were trained since a merge."""
        lengths = record["merged"].get("magnitude")
        is_longer = lengths is not None and _differs(added["magnitude"].variable, lengths)
        return is_longer or _differs(added["b"].variable, 0)

    def unmerge(self, added: Mapping[str, AddedVariable], weight: Weight, record: Mapping[str, Any]) -> None:
        """Restore the values from before the merge."""
        weight.variable.assign(record["before"]["base"])
        for key, one in added.items():
            one.variable.assign(record["before"][key])


def _he_uniform(seed: int | None) -> Any:
    """The initializer of Keras' own LoRA factors."""

    def initial(shape: Any, dtype: Any = None) -> Any:
        return keras.initializers.HeUniform(seed)(shape, dtype=dtype)

    return initial


def _zeros(shape: Any, dtype: Any = None) -> Any:
    return ops.zeros(shape, dtype=dtype)


def _lengths(matrix: Any) -> Any:
    """The lengths of the columns; 1 for a column of zeros, so that it stays zero."""
    squares = ops.sum(ops.square(matrix), axis=0)
    return ops.sqrt(ops.where(squares > 0, squares, 1))


def _copy(variable: Any) -> Any:
    # A train step donates a variable's array on JAX, and writes into it on PyTorch.
    return ops.copy(variable.value)


def _differs(variable: Any, value: Any) -> bool:
    return bool(ops.any(ops.not_equal(variable.value, value)))

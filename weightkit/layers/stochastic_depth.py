"""StochasticDepth: a residual branch that is dropped at random in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import integer_or_none, number, one_of, positive_integer

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape

_PER = ("sample", "batch")


@keras.saving.register_keras_serializable(package="weightkit")
class StochasticDepth(keras.layers.Layer):  # type: ignore[misc]
    """In training, zero with the probability ``rate``, else ``x / (1 - rate)``; in inference, ``x``.

    Put it at the end of a residual branch: ``x + StochasticDepth(0.2)(branch(x))``. Huang et al. 2016, "Deep Networks
    with Stochastic Depth", arXiv 1603.09382, equation 2: ``H_l = ReLU(b_l f_l(H_(l-1)) + id(H_(l-1)))`` with a
    Bernoulli ``b_l``, one for a mini-batch, that is 1 with the probability ``p_l = 1 - rate``. The paper (equation 5)
    multiplies the branch by ``p_l`` in inference; this layer divides by it in training, with the same expectation, and
    does nothing in inference.

    Args:
        rate: The probability that the branch is dropped, in [0, 1).
        per: Whether to drop each ``"sample"`` independently, or a whole ``"batch"``, as in the paper.
        seed: The seed of the random numbers.

    Input and output: any shape, the same for both. Masks are passed on.

    Raises:
        RequestError: An argument is invalid.

    Example:
        >>> import numpy as np
        >>> layer = StochasticDepth(0.5, seed=3)
        >>> kept = ops.convert_to_numpy(layer(np.ones((100, 1)), training=True))
        >>> sorted(set(kept.reshape(-1).tolist()))
        [0.0, 2.0]
    """

    def __init__(self, rate: float = 0.1, per: str = "sample", seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.rate = number("rate", rate, 0, below=1)
        self.per = one_of("per", per, _PER)
        self.seed = integer_or_none("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    @staticmethod
    def linear(block: int, blocks: int, rate: float = 0.5) -> float:
        """The rate of one block when rates grow linearly with depth.

        ``p_l = 1 - l / L (1 - p_L)``, arXiv 1603.09382, equation 4, with its ``p_L = 0.5``.

        Args:
            block: The number of the block, l, from 1 to ``blocks``.
            blocks: The number of blocks, L.
            rate: The rate of the last block, ``1 - p_L``.

        Raises:
            RequestError: ``block`` is not from 1 to ``blocks``.

        Example:
            >>> [StochasticDepth.linear(block, 4, 0.2) for block in (1, 4)]
            [0.05, 0.2]
        """
        number("rate", rate, 0, below=1)
        number("block", positive_integer("block", block), 1, below=positive_integer("blocks", blocks) + 1)
        return rate * block / blocks

    def build(self, input_shape: Shape) -> None:  # Keras asks for it
        """Do nothing: there are no weights."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the inputs, in training some of them as zeros."""
        if not training or self.rate == 0:
            return inputs
        shape = (ops.shape(inputs)[0] if self.per == "sample" else 1, *[1] * (len(inputs.shape) - 1))
        # float32 under every policy: bfloat16 has too few numbers between 0 and 1 for small rates.
        drawn = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        scaled = inputs * ops.cast(1 / (1 - self.rate), inputs.dtype)
        return ops.where(drawn >= self.rate, scaled, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "per": self.per, "seed": self.seed}

"""StochasticDepth: a residual branch that is left out now and then while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.layers.making.arguments import number, one_of, positive_integer, seed_or_none

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape

_PER = ("sample", "batch")


@keras.saving.register_keras_serializable(package="weightkit")
class StochasticDepth(keras.layers.Layer):  # type: ignore[misc]
    """In training, zero with the probability ``rate``, else ``x / (1 - rate)``; otherwise ``x``.

    Put it at the end of a residual branch: ``x + StochasticDepth(0.2)(branch(x))``. Huang et al. 2016, "Deep Networks
    with Stochastic Depth", arXiv 1603.09382, equation 2: ``H_l = ReLU(b_l f_l(H_(l-1)) + id(H_(l-1)))`` with a
    Bernoulli ``b_l``, one for a mini-batch, that is 1 with the probability ``p_l = 1 - rate``. There (equation 5) the
    branch is multiplied by ``p_l`` when testing; here it is divided by it in training, so that the expectation is the
    same and nothing need be done afterwards.

    Args:
        rate: The probability that the branch is left out: from 0 on, below 1.
        per: Whether each ``"sample"`` is decided about by itself, or a whole ``"batch"``, as in the paper.
        seed: For the draws.

    Input and output: any shape, the same one. Masks go through.

    Raises:
        RequestError: An argument is wrong.

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
        self.seed = seed_or_none("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    @staticmethod
    def linear(block: int, blocks: int, rate: float = 0.5) -> float:
        """The rate of one block where rates grow linearly with depth.

        ``p_l = 1 - l / L (1 - p_L)``, arXiv 1603.09382, equation 4, with its ``p_L = 0.5``.

        Args:
            block: Which one, from 1 to ``blocks``: l.
            blocks: How many there are: L.
            rate: The last one's: ``1 - p_L``.

        Raises:
            RequestError: ``block`` is none of them.

        Example:
            >>> [StochasticDepth.linear(block, 4, 0.2) for block in (1, 4)]
            [0.05, 0.2]
        """
        number("rate", rate, 0, below=1)
        number("block", positive_integer("block", block), 1, below=positive_integer("blocks", blocks) + 1)
        return rate * block / blocks

    def build(self, input_shape: Shape) -> None:  # Keras asks for it
        """There are no weights."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs, in training some of them as zeros."""
        if not training or self.rate == 0:
            return inputs
        shape = (ops.shape(inputs)[0] if self.per == "sample" else 1, *[1] * (len(inputs.shape) - 1))
        drawn = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        kept = inputs * ops.cast(1 / (1 - self.rate), inputs.dtype)
        return ops.where(drawn >= self.rate, kept, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "per": self.per, "seed": self.seed}

"""Random numbers of a weight, keyed by seed and address, so any span of it can be drawn alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from weightkit.errors import RequestError

# Part of what a seed means: with another size, every seed gives other weights.
DRAW_TILE = 65_536
"""Elements (C order) that come from one generator."""

_LIMIT = 2.0
"""Standard deviations at which Keras truncates a normal distribution."""

_Draw = Callable[[np.random.Generator, int], np.ndarray]


def require_seed(seed: object) -> int:
    """Require an integer that numbers can be drawn from.

    Raises:
        RequestError: It is no integer, or below 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise RequestError(f"seed must be an integer >= 0, got {seed!r}", hint="give one, such as 7")
    return int(seed)


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one weight.

    Elements are drawn in tiles of 65,536 in C order. Each tile has a generator of its own, Philox with the key
    blake2b(seed, tile, address), so that a span depends on nothing but these: not on other weights, threads, order.
    """

    seed: int
    address: str

    def part(self, name: str) -> Draws:
        """Other numbers, for a part of the weight that Keras initializes separately."""
        return replace(self, address=f"{self.address}\0{name}")

    def uniform(self, size: int, first: int, last: int) -> np.ndarray:
        """Elements ``first`` to ``last`` of ``size``, in [0, 1)."""
        return self._drawn(size, first, last, lambda generator, count: generator.random(count))

    def normal(self, size: int, first: int, last: int) -> np.ndarray:
        """Elements ``first`` to ``last`` of ``size``, of the standard normal distribution."""
        return self._drawn(size, first, last, lambda generator, count: generator.standard_normal(count))

    def truncated_normal(self, size: int, first: int, last: int) -> np.ndarray:
        """Like `normal`, but numbers more than two standard deviations from 0 are drawn again."""
        return self._drawn(size, first, last, _truncated)

    def _drawn(self, size: int, first: int, last: int, draw: _Draw) -> np.ndarray:
        """Draw the whole tiles that contain the elements, and cut the elements out."""
        if first >= last:
            return np.empty(0)
        tiles = range(first // DRAW_TILE, -(-last // DRAW_TILE))
        drawn = [draw(self._generator(tile), min(DRAW_TILE, size - tile * DRAW_TILE)) for tile in tiles]
        start = tiles.start * DRAW_TILE
        return (drawn[0] if len(drawn) == 1 else np.concatenate(drawn))[first - start : last - start]

    def _generator(self, tile: int) -> np.random.Generator:
        # A name in a file may have bytes that are not UTF-8; they arrive as lone surrogates.
        text = f"{self.seed} {tile} {self.address}".encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(text, digest_size=16).digest()  # Philox takes 128 bits
        return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def _truncated(generator: np.random.Generator, count: int) -> np.ndarray:
    values = generator.standard_normal(count)
    outside = np.flatnonzero(np.abs(values) > _LIMIT)
    while outside.size:
        values[outside] = generator.standard_normal(outside.size)
        outside = outside[np.abs(values[outside]) > _LIMIT]
    return values

"""The gallery's models of parametrizations: each does what its paper promises, in numbers.

python scripts/gallery/parametrizations.py
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from weightkit.layers import LoRA, MaskedWeights, SpectralReparametrization, WeightNormalization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Promise = tuple[str, bool]
"""What was seen, in numbers, and whether it is what was promised."""


def _array(value: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(value))


def _normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def weight_norm() -> Iterator[Promise]:
    """Direction and length are trained apart: the directions' gradient is at right angles to them, and they grow."""
    x = _normal(256, 8)
    y = x @ (3 * _normal(8, 4, seed=1))
    model = keras.Sequential([keras.Input((8,)), WeightNormalization(keras.layers.Dense(4, use_bias=False))])
    layer = model.layers[0]
    begun = _array(layer.layer.kernel.value)
    g_begun = _array(layer.computed[0].steps[0][1]["g"].variable.value)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(x, y, batch_size=256, verbose=0)
    v, g = (_array(one) for one in (layer.layer.kernel.value, layer.computed[0].steps[0][1]["g"].variable.value))
    step = v - begun
    cosine = np.sum(step * begun, 0) / np.linalg.norm(step, axis=0) / np.linalg.norm(begun, axis=0)
    yield (
        f"weight norm: a step of v is at right angles to v: cosine {np.abs(cosine).max():.1e}",
        bool(np.abs(cosine).max() < 1e-3),
    )
    yield (
        "weight norm: and so v grows in length",
        bool((np.linalg.norm(v, axis=0) >= np.linalg.norm(begun, axis=0)).all()),
    )
    yield (
        f"weight norm: the lengths went from {g_begun.mean():.3f} to {g.mean():.3f} by themselves",
        bool((g != g_begun).all()),
    )


def spectral_norm() -> Iterator[Promise]:
    """Through training that wants a larger weight, the norm stays 1."""
    x = _normal(256, 8)
    model = keras.Sequential([keras.Input((8,)), SpectralReparametrization(keras.layers.Dense(6, use_bias=False))])
    model.compile("adam", "mse")
    model.fit(x, x @ (5 * _normal(8, 6, seed=1)), epochs=30, verbose=0)
    norm = np.linalg.svd(_array(model.layers[0].computed[0].value(training=False)), compute_uv=False)[0]
    yield f"spectral norm: after 240 steps the largest singular value is {norm:.5f}", abs(norm - 1) < 1e-2


def low_rank() -> Iterator[Promise]:
    """A change of rank 2 is learned by about 1 % of the weights as well as by all of them."""
    size = 400
    x, base = _normal(2048, size), _normal(size, size, seed=1) / size**0.5
    change = _normal(size, 2, seed=2) @ _normal(2, size, seed=3) / size
    y = x @ (base + change)
    losses, counts = {}, {}
    for name in ("before", "full", "lora"):
        dense = keras.layers.Dense(size, use_bias=False)
        dense.build((None, size))
        dense.kernel.assign(base)
        layer = LoRA(dense, 2, alpha=16) if name == "lora" else dense
        model = keras.Sequential([keras.Input((size,)), layer])
        model.compile(keras.optimizers.Adam(0.003 if name == "lora" else 0.0003), "mse")
        if name != "before":
            model.fit(x, y, epochs=25, batch_size=64, verbose=0)
        losses[name] = model.evaluate(x, y, verbose=0, batch_size=512)
        counts[name] = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    share = counts["lora"] / counts["full"]
    text = ", ".join(f"{name} {loss:.2e}" for name, loss in losses.items())
    yield f"LoRA: {100 * share:.1f} % of the weights are trained", share <= 0.0101
    yield (
        f"LoRA: loss near the full fine-tune's: {text}",
        losses["lora"] < max(2 * losses["full"], 0.01 * losses["before"]),
    )


def masked() -> Iterator[Promise]:
    """The masked autoregressive property: an output depends on the inputs before it, and on no others."""
    inputs, hidden = 6, 24
    degree = np.arange(1, inputs + 1)
    inner = np.arange(hidden) % (inputs - 1) + 1
    first, second = inner[None, :] >= degree[:, None], degree[None, :] > inner[:, None]
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            MaskedWeights(keras.layers.Dense(hidden, activation="tanh"), first),
            MaskedWeights(keras.layers.Dense(inputs), second),
        ]
    )
    x = _normal(128, inputs)
    model.compile("adam", "mse")
    model.fit(x, x, epochs=5, verbose=0)
    base = _array(model(x[:8]))
    reach = np.zeros((inputs, inputs))
    for i in range(inputs):
        moved = x[:8].copy()
        moved[:, i] += 1
        reach[i] = np.abs(_array(model(moved)) - base).max(0)
    forbidden = reach[np.tril_indices(inputs)].max()
    allowed = reach[np.triu_indices(inputs, 1)].min()
    yield f"MADE: inputs move no output at or before them: {forbidden:.1e}", forbidden == 0
    yield f"MADE: and every one after them: at least {allowed:.1e}", allowed > 0


GALLERY: tuple[Callable[[], Iterator[Promise]], ...] = (weight_norm, spectral_norm, low_rank, masked)


def main() -> int:
    """Print every promise; 1 where one fails."""
    kept = True
    keras.utils.set_random_seed(1)
    for show in GALLERY:
        for seen, holds in show():
            print(f"{'ok' if holds else 'FAILED':<7}{seen}")
            kept &= holds
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""Tiny models that show each layer doing what its paper promises, in numbers.

python scripts/gallery/gallery.py

Runs on the backend that Keras is set to, in about a minute. The exit code is 1 where a promise fails.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import parametrizations

from weightkit.errors import WeightkitError
from weightkit.layers import (
    CheckedEmbedding,
    CosineDense,
    FiLM,
    GlobalResponseNorm,
    GradientReversal,
    HyperDense,
    LayerScale,
    Maxout,
    NoisyDense,
    StochasticDepth,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Promise = tuple[str, bool]
"""What was seen, in numbers, and whether it is what was promised."""

ANSI = re.compile(r"\x1b\[\d*m")  # Keras prints what went wrong in bold
GENERATOR = np.random.default_rng(1)


def array(value: Any) -> np.ndarray:
    """A tensor as an array."""
    return np.asarray(keras.ops.convert_to_numpy(value))


def normal(*shape: int) -> np.ndarray:
    """Normal numbers in float32."""
    return GENERATOR.normal(size=shape).astype(np.float32)


def checked_embedding() -> Iterator[Promise]:
    """An id outside the table is never answered by a plausible row."""
    ids = np.array([[0, -1]], np.int32)
    usual = array(keras.layers.Embedding(5, 1, embeddings_initializer="ones")(ids))[0, 1, 0]
    yield f"Keras' own Embedding answers the id -1 by {usual}, a row of the table", usual == 1
    try:
        CheckedEmbedding(5, 1)(ids)
    except WeightkitError as refused:
        yield (
            f"CheckedEmbedding raises: {ANSI.sub('', str(refused).splitlines()[2])}",
            "id -1 at position (0, 1)" in str(refused),
        )
    else:
        yield "CheckedEmbedding lets it by", False


def layer_scale() -> Iterator[Promise]:
    """A deep residual network begins as the identity."""
    inputs, deep, plain = normal(4, 16), None, None
    for block in range(32):
        branch = keras.layers.Dense(16, kernel_initializer=keras.initializers.GlorotUniform(seed=block))
        deep = (inputs if deep is None else deep) + array(LayerScale()(branch(inputs if deep is None else deep)))
        plain = (inputs if plain is None else plain) + array(branch(inputs if plain is None else plain))
    far, near = (float(np.linalg.norm(one - inputs) / np.linalg.norm(inputs)) for one in (plain, deep))
    yield f"32 residual blocks move an input by {near:.1e} of its length, without LayerScale by {far:.1e}", near < 1e-3


def noisy_dense() -> Iterator[Promise]:
    """Noise that does not pay anneals: its sizes are trained towards zero."""
    inputs = normal(256, 4)
    targets = inputs @ normal(4, 1)
    layer = NoisyDense(1, seed=1)
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    sizes = [float(np.abs(array(layer.kernel_sigma)).mean())]
    for _ in range(3):
        model.fit(inputs, targets, epochs=10, batch_size=32, verbose=0)
        sizes.append(float(np.abs(array(layer.kernel_sigma)).mean()))
    told = " -> ".join(f"{size:.4f}" for size in sizes)
    yield f"the noise's mean size over 30 epochs: {told}", sizes[-1] < 0.2 * sizes[0]


def cosine_dense() -> Iterator[Promise]:
    """A margin draws classes together: the cosine to the own class grows."""
    labels = GENERATOR.integers(0, 3, 192).astype(np.int32)
    inputs = (np.eye(3, 6)[labels] + 0.5 * normal(192, 6)).astype(np.float32)
    found = {}
    for margin in (0.0, 0.35):
        keras.utils.set_random_seed(1)
        features = keras.Input((6,))
        hidden = keras.layers.Dense(2)(features)
        given = keras.Input((), dtype="int32")
        head = CosineDense(3, scale=16.0, margin=margin)
        model = keras.Model([features, given], head([hidden, given] if margin else hidden))
        model.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit([inputs, labels], labels, epochs=40, batch_size=64, verbose=0)
        logits = np.asarray(model.predict([inputs, labels], verbose=0))
        found[margin] = float(logits[np.arange(192), labels].mean() / 16)
    told = ", ".join(f"{cosine:.3f} with margin {margin}" for margin, cosine in found.items())
    yield f"mean cosine to the own class: {told}", found[0.35] > found[0.0]


def maxout() -> Iterator[Promise]:
    """One unit learns a convex function that a linear one cannot: the absolute value."""
    inputs = np.linspace(-2, 2, 128, dtype=np.float32)[:, None]
    losses = {}
    for name, layer in (
        ("Dense", keras.layers.Dense(1)),
        ("Maxout", Maxout(1, pieces=2, kernel_initializer=keras.initializers.RandomNormal(seed=2))),
    ):
        model = keras.Sequential([keras.Input((1,)), layer])
        model.compile(keras.optimizers.Adam(0.1), "mse")
        model.fit(inputs, np.abs(inputs), epochs=60, batch_size=32, verbose=0)
        losses[name] = float(model.evaluate(inputs, np.abs(inputs), verbose=0))
    told = ", ".join(f"{name} {loss:.1e}" for name, loss in losses.items())
    yield f"mean squared error in |x|: {told}", losses["Maxout"] < 1e-2 < losses["Dense"]


def gradient_reversal() -> Iterator[Promise]:
    """The features learn the opposite of what the head behind the reversal learns."""
    inputs = normal(64, 3)
    moves = {}
    for name, middle in (("plain", keras.layers.Activation("linear")), ("reversed", GradientReversal(0.5))):
        body, head = keras.layers.Dense(2, kernel_initializer="ones"), keras.layers.Dense(1, kernel_initializer="ones")
        model = keras.Sequential([keras.Input((3,)), body, middle, head])
        model.compile(keras.optimizers.SGD(0.01), "mse")
        before = [array(layer.kernel).copy() for layer in (body, head)]
        model.train_on_batch(inputs, np.zeros((64, 1), np.float32))
        moves[name] = [array(layer.kernel) - old for layer, old in zip((body, head), before, strict=True)]
    ratio = float(np.sum(moves["reversed"][0] * moves["plain"][0]) / np.sum(moves["plain"][0] ** 2))
    same = bool(np.allclose(moves["reversed"][1], moves["plain"][1], rtol=1e-4))
    yield f"the body's step is {ratio:.4f} times the plain one's (factor 0.5)", abs(ratio + 0.5) < 1e-3
    yield f"the head's step is the plain one's: {same}", same


def global_response_norm() -> Iterator[Promise]:
    """Channels become more unlike: the strong grow, the weak do not."""
    inputs = np.abs(normal(2, 8, 8, 16)) * np.linspace(0.1, 1, 16, dtype=np.float32)
    output = array(GlobalResponseNorm(gamma_initializer="ones")(inputs))
    spreads = [
        float(np.std(lengths) / np.mean(lengths))
        for lengths in (np.sqrt(np.sum(one**2, axis=(1, 2))) for one in (inputs, output))
    ]
    told = " -> ".join(f"{spread:.3f}" for spread in spreads)
    yield f"relative spread of the channels' lengths: {told}", spreads[1] > spreads[0]


def stochastic_depth() -> Iterator[Promise]:
    """In expectation nothing changes, and the expected depth is what the rates say."""
    layer, inputs = StochasticDepth(0.4, seed=1), np.ones((20_000, 1), np.float32)
    output = array(layer(inputs, training=True))
    yield (
        f"mean {output.mean():.3f}, left out {np.mean(output == 0):.3f} at a rate of 0.4",
        abs(output.mean() - 1) < 0.03,
    )
    depth = sum(1 - StochasticDepth.linear(block, 54) for block in range(1, 55))
    yield (
        f"54 blocks with the paper's rates: {depth:.2f} are expected to run, (3 L - 1) / 4 = {(3 * 54 - 1) / 4}",
        (abs(depth - (3 * 54 - 1) / 4) < 1e-9),
    )


def film() -> Iterator[Promise]:
    """One network does two tasks, told apart by the condition alone."""
    features, condition = normal(256, 1), np.eye(2, dtype=np.float32)[GENERATOR.integers(0, 2, 256)]
    targets = np.where(condition[:, :1] == 1, 2 * features, 1 - features).astype(np.float32)
    inputs = [keras.Input((1,)), keras.Input((2,))]
    model = keras.Model(inputs, FiLM()(inputs))
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit([features, condition], targets, epochs=40, batch_size=64, verbose=0)
    loss = float(model.evaluate([features, condition], targets, verbose=0))
    yield f"2 x or 1 - x as the condition says: mean squared error {loss:.1e}", loss < 1e-3


def hyper_dense() -> Iterator[Promise]:
    """One network makes the kernels of several linear maps from their embeddings."""
    maps, which = normal(3, 4, 2), GENERATOR.integers(0, 3, 384)
    features, embedding = normal(384, 4), np.eye(3, dtype=np.float32)[which]
    targets = np.einsum("bi,biu->bu", features, maps[which])
    inputs = [keras.Input((4,)), keras.Input((3,))]
    model = keras.Model(inputs, HyperDense(2, hidden=6)(inputs))
    model.compile(keras.optimizers.Adam(0.03), "mse")
    model.fit([features, embedding], targets, epochs=60, batch_size=64, verbose=0)
    loss = float(model.evaluate([features, embedding], targets, verbose=0))
    yield f"three linear maps by one HyperDense: mean squared error {loss:.1e}", loss < 1e-2


PLAIN = (
    checked_embedding, layer_scale, noisy_dense, cosine_dense, maxout, gradient_reversal, global_response_norm,
    stochastic_depth, film, hyper_dense,
)  # fmt: skip


def shown(part: Callable[[], Iterator[Promise]]) -> int:
    """Show one layer's promises, and give how many failed."""
    print(f"{part.__name__}: {(part.__doc__ or '').splitlines()[0]}")
    failed = 0
    for told, kept in part():
        print(f"  {'ok  ' if kept else 'FAIL'} {told}")
        failed += not kept
    return failed


def main() -> int:
    """Show them all; 1 where a promise failed."""
    keras.utils.set_random_seed(1)
    failed = sum(shown(part) for part in PLAIN)
    failed += parametrizations.main()
    print(f"{failed} promises failed" if failed else "every promise is kept")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Seconds of a round of a GAN, one step of each half: compiled by hand as two models, and frozen in turn by weightkit.

Prints the least seconds by hand and of ours, the milliseconds of a block without a step, and the peak of memory in MB.
"""

import contextlib
import os
import resource
import statistics
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

from weightkit.training import frozen

runs, only = int(sys.argv[1]), sys.argv[2]
BATCH, LATENT = 64, 64


def gan():
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(7 * 7 * 64, "relu"),
            layers.Reshape((7, 7, 64)),
            layers.Conv2DTranspose(64, 4, 2, "same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh"),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 4, 2, "same"),
            layers.LeakyReLU(),
            layers.Conv2D(64, 4, 2, "same"),
            layers.LeakyReLU(),
            layers.Flatten(),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    noise = keras.Input((LATENT,))
    return discriminator, keras.Model(noise, discriminator(generator(noise)))


def compile_model(model):
    model.compile(keras.optimizers.Adam(2e-4, 0.5), keras.losses.BinaryCrossentropy(from_logits=True))


@contextlib.contextmanager
def flags_by_hand(discriminator):
    discriminator.trainable = False
    yield
    discriminator.trainable = True


def rounds(*, by_hand):
    discriminator, model = gan()
    compile_model(discriminator)
    if by_hand:
        discriminator.trainable = False
        compile_model(model)
        discriminator.trainable = True
    else:
        compile_model(model)

    def block():
        return flags_by_hand(discriminator) if by_hand else frozen(model, "discriminator", optimizer_state="own")

    images, noise = np.ones((BATCH, 28, 28, 1), "float32"), np.ones((BATCH, LATENT), "float32")
    ones = np.ones((BATCH, 1), "float32")

    def train():
        discriminator.train_on_batch(images, ones)
        with block():
            model.train_on_batch(noise, ones)

    def enter():
        with block():
            pass

    return train, enter


def seconds_of(job):
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


jobs = {name: rounds(by_hand=name == "theirs") for name in ("theirs", "ours") if only in {name, "both"}}
for train, _ in jobs.values():
    train()
    train()
times = {name: [] for name in jobs}
for _ in range(runs):
    for name, (train, _) in jobs.items():
        times[name].append(seconds_of(train))
entries = [seconds_of(enter) for _ in range(runs) for name, (_, enter) in jobs.items() if name == "ours"]
found = [min(times.get(name) or [0]) for name in ("theirs", "ours")]
print(*found, 1000 * statistics.median(entries or [0]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

"""Draws: any span of a weight is drawn alone, and gives what it gives within the whole."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from weightkit.access.edits.tiles import TILE
from weightkit.transforms.initializers.draws import DRAW_TILE, Draws

SIZE = 3 * DRAW_TILE + 1000
KINDS = ("uniform", "normal", "truncated_normal")


def drawn(kind: str, first: int = 0, last: int = SIZE, *, seed: int = 7, address: str = "dense/kernel") -> np.ndarray:
    return getattr(Draws(seed, address), kind)(SIZE, first, last)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0, 1),
        (5, 5),
        (0, DRAW_TILE),
        (DRAW_TILE, 2 * DRAW_TILE),
        (DRAW_TILE - 3, DRAW_TILE + 3),
        (100, SIZE),
        (SIZE - 1, SIZE),
    ],
)
def test_a_span_is_the_same_alone_as_within_the_whole(kind, first, last):
    assert drawn(kind, first, last).tobytes() == drawn(kind)[first:last].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_threads_and_order_change_nothing(kind):
    spans = [(first, min(first + DRAW_TILE, SIZE)) for first in range(0, SIZE, DRAW_TILE)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda span: drawn(kind, *span), reversed(spans)))
    assert np.concatenate(parts[::-1]).tobytes() == drawn(kind).tobytes()


def test_each_seed_address_part_and_tile_has_numbers_of_its_own():
    first = Draws(7, "dense/kernel")
    others = [Draws(8, "dense/kernel"), Draws(7, "dense/bias"), first.part("before"), Draws(71, " dense/kernel")]
    tiles = [first.normal(SIZE, tile * DRAW_TILE, tile * DRAW_TILE + 50) for tile in range(3)]
    everything = [*tiles, *(other.normal(SIZE, 0, 50) for other in others)]
    assert len({values.tobytes() for values in everything}) == len(everything)


def test_a_tile_is_philox_keyed_by_blake2b_of_seed_tile_and_address():
    key = hashlib.blake2b("7 2 düse/kernel".encode(), digest_size=16).digest()
    plain = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little"))).standard_normal(100)
    first = 2 * DRAW_TILE
    assert Draws(7, "düse/kernel").normal(SIZE, first, first + 100).tobytes() == plain.tobytes()


def test_a_name_that_is_no_text_has_draws_too():
    assert Draws(7, "d\udcff").normal(4, 0, 4).shape == (4,)


def test_the_tiles_of_an_edit_are_whole_tiles_of_draws():
    assert TILE % DRAW_TILE == 0


def test_the_truncated_stay_within_two_standard_deviations():
    assert np.abs(drawn("truncated_normal")).max() <= 2
    assert np.abs(drawn("normal")).max() > 2


def test_the_draws_are_those_of_numpy_2_4_6():
    """NumPy may change its streams; where this fails after an update and nothing else does, that is what happened."""
    digests = {kind: hashlib.blake2b(drawn(kind).astype("<f4").tobytes(), digest_size=8).hexdigest() for kind in KINDS}
    assert digests == GOLDEN


GOLDEN = {"uniform": "ce609e4291925f4b", "normal": "98aa2543f903f80f", "truncated_normal": "c23ab41be5b0d5c5"}

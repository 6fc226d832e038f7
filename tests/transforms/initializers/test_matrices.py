"""Orthogonal and identity matrices."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from weightkit.errors import RequestError
from weightkit.transforms.initializers.draws import Draws
from weightkit.transforms.initializers.matrices import Identity, Orthogonal


def drawn(initializer, shape, seed=3):
    return initializer(shape, Draws(seed, "w"), 0, math.prod(shape)).reshape(shape)


@pytest.mark.parametrize("shape", [(8, 8), (20, 5), (5, 20), (3, 3, 4, 6), (2, 1, 1, 9), (1, 1)])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_rows_or_columns_are_orthogonal_whichever_are_fewer(shape, gain):
    matrix = drawn(Orthogonal(gain), shape).reshape(-1, shape[-1])
    narrow = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    assert np.allclose(narrow.T @ narrow, gain**2 * np.eye(narrow.shape[1]), atol=1e-12)


def test_the_matrices_are_spread_over_all_rotations_signs_included():
    """Without the correction of signs, LAPACK's Q has diagonal elements of one sign mostly."""
    many = np.array([drawn(Orthogonal(), (4, 4), seed=seed) for seed in range(2000)])
    assert np.abs(many.mean(axis=0)).max() < 4 * 0.5 / math.sqrt(2000)
    assert np.allclose((many**2).mean(axis=0), 0.25, atol=0.02)


def test_one_lstm_kernel_is_one_matrix_with_orthogonal_rows_as_keras_draws_it():
    recurrent = drawn(Orthogonal(), (6, 24))
    assert np.allclose(recurrent @ recurrent.T, np.eye(6), atol=1e-12)


@pytest.mark.parametrize("shape", [(), (5,)])
def test_a_vector_cannot_be_orthogonal(shape):
    assert "two or more axes" in Orthogonal().objection(shape)


@pytest.mark.parametrize("shape", [(4, 4), (2, 5), (5, 2)])
def test_an_identity_is_ones_on_the_diagonal_times_its_gain(shape):
    assert drawn(Identity(0.5), shape).tolist() == (0.5 * np.eye(*shape)).tolist()


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 2)])
def test_only_a_matrix_can_be_an_identity(shape):
    assert "two axes" in Identity().objection(shape)


@pytest.mark.parametrize("make", [Orthogonal, Identity])
def test_they_are_drawn_whole_and_their_gain_is_finite(make):
    assert not make().elementwise
    with pytest.raises(RequestError, match=r"gain of .* must be a finite number, got nan"):
        make(math.nan)


DRAW = """
import hashlib
from weightkit.transforms.initializers.draws import Draws
from weightkit.transforms.initializers.matrices import Orthogonal
print(hashlib.sha256(Orthogonal()((300, 200), Draws(3, "w"), 0, 60_000)).hexdigest())
"""


def test_a_matrix_is_the_same_on_any_number_of_threads():
    """LAPACK's last digits differ for this shape on two threads and on one."""
    drawn = set()
    for threads in ("1", "2", "5"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", DRAW]
        drawn.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(drawn) == 1

"""Memory that a backend may take over."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from weightkit.access.live.handles import as_numpy, writable


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "?", ml_dtypes.bfloat16])
@pytest.mark.parametrize("size", [0, 1, 7, 100_000])
def test_it_is_aligned_flat_and_of_its_size_and_type(dtype, size):
    array = writable(size, np.dtype(dtype))
    assert (array.shape, array.dtype) == ((size,), np.dtype(dtype))
    assert array.ctypes.data % 64 == 0 or not size
    assert array.flags.writeable
    assert array.flags.c_contiguous


def test_plain_arrays_and_numbers_are_arrays_as_they_are():
    array = np.arange(3)
    assert as_numpy(array) is array
    assert as_numpy(2.5).shape == ()

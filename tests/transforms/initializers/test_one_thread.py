"""One thread for linear algebra, also where several threads ask for it at a time."""

from __future__ import annotations

import os
import subprocess
import sys

OVERLAP = """
import contextlib, ctypes
import numpy as np
from weightkit.transforms.initializers.one_thread import one_thread

library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
threads = next(
    (
        getattr(library, name)
        for name in (
            "scipy_openblas_get_num_threads64_", "openblas_get_num_threads64_", "openblas_get_num_threads"
        )
        if hasattr(library, name)
    ),
    None,
)
if threads is None:
    print("1 1 another library")
else:
    before, first, second = threads(), contextlib.ExitStack(), contextlib.ExitStack()
    first.enter_context(one_thread())
    second.enter_context(one_thread())
    first.close()
    within = threads()
    second.close()
    print(within, 1 if threads() == before else f"{before} became {threads()}")
"""


def test_contexts_that_overlap_keep_one_thread_until_the_last_and_restore_the_number() -> None:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", OVERLAP]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert told.split()[:2] == ["1", "1"]

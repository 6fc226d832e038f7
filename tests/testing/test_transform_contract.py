"""The contract of transforms, kept by ours and by one of somebody else's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from weightkit import Scale
from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.edits.transform import Transform
from weightkit.access.ref import Kind
from weightkit.access.store import ALL
from weightkit.testing import TransformContract


class TestScale(TransformContract):
    def make_transform(self):
        return Scale(0.1)

    def expected(self, ref, values):
        return values * np.float32(0.1)


@dataclasses.dataclass(frozen=True)
class Clip(Transform):
    """A transform of somebody else's, in one class: no element is further from zero than ``limit``."""

    limit: float
    elementwise = True
    kinds = frozenset({Kind.PARAMETER})

    def dtype(self, ref):
        return ref.dtype

    def objection(self, ref):
        return "" if is_floating(ref.dtype) else "it holds no real numbers"

    def notes(self):
        return ()

    def __call__(self, ref, values, span=ALL):
        return np.clip(values, -self.limit, self.limit)


class TestClip(TransformContract):
    def make_transform(self):
        return Clip(0.5)

    def expected(self, ref, values):
        return np.where(np.abs(values) > 0.5, np.sign(values) * np.float32(0.5), values)


@dataclasses.dataclass(frozen=True)
class Centre(Clip):
    """Depends on the whole weight: not what it says it is."""

    def __call__(self, ref, values, span=ALL):
        return values - values.mean(dtype=values.dtype)


class CentreContract(TransformContract):
    def make_transform(self):
        return Centre(0)


def test_the_contract_finds_what_is_not_elementwise():
    contract = CentreContract()
    planned = TransformContract.planned.__wrapped__(contract)
    with pytest.raises(AssertionError):
        contract.test_any_span_alone_is_that_part_of_the_whole(planned)

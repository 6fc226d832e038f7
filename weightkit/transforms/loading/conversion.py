"""One weight of a target computed from weights of a source, step by step, with a name for each step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access import is_floating, losses, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from weightkit.access import WeightRef

_NARROW = 2  # bytes of float16 and bfloat16


@dataclass(frozen=True, slots=True)
class Rounding:
    """What elements lost in a narrower type."""

    infinities: int
    """Elements that are finite in the source and too large for the type."""
    zeros: int
    """Elements that became zero."""
    inexact: int
    """Elements that the type cannot hold exactly; those that became zero count too."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a weight of the target is computed from weights of the source."""

    sources: tuple[WeightRef, ...]
    """What it is computed from; `__call__` takes their values in this order."""
    shape: tuple[int, ...]
    """Of the result: where the target's weight has another one, only `resized` can help."""
    dtype: np.dtype
    """Of the result."""
    steps: tuple[str, ...] = ()
    """What is done, for a report; empty where the values stay as they are."""
    functions: tuple[Callable[[Sequence[np.ndarray]], np.ndarray], ...] = field(default=(), repr=False)
    """One a step: the first takes the sources' arrays, each other one what came before."""

    @classmethod
    def of(cls, ref: WeightRef) -> Self:
        """The weight itself."""
        return cls((ref,), ref.shape, ref.dtype)

    @classmethod
    def joined(cls, parts: Sequence[Conversion], step: str, shape: tuple[int, ...]) -> Self:
        """Several weights side by side, along their last axis."""

        def join(arrays: Sequence[np.ndarray]) -> np.ndarray:
            waiting = iter(arrays)
            made = [part.run([next(waiting) for _ in part.sources]) for part in parts]
            return np.concatenate(made, axis=-1)

        sources = tuple(ref for part in parts for ref in part.sources)
        inner = dict.fromkeys(step for part in parts for step in part.steps)
        return cls(sources, shape, parts[0].dtype, (", ".join((*inner, step)),), (join,))

    @property
    def what(self) -> str:
        """What is done, in one phrase."""
        return ", ".join(self.steps)

    def then(self, step: str, shape: tuple[int, ...], function: Callable[[np.ndarray], np.ndarray]) -> Conversion:
        """The same with one more step.

        Args:
            step: What it does, for a report.
            shape: Of the result.
            function: Takes the array so far, which it must not change.
        """
        added = lambda arrays: function(arrays[0])  # noqa: E731  # two names for one function would say less
        return replace(self, shape=shape, steps=(*self.steps, step), functions=(*self.functions, added))

    def called(self, step: str) -> Conversion:
        """The same values under another name."""
        return self.then(step, self.shape, lambda values: values)

    def to(self, dtype: np.dtype) -> Conversion:
        """The same in another floating-point type, each value rounded once; a step only where it can lose digits."""
        if dtype == self.dtype or not (is_floating(dtype) and is_floating(self.dtype)):
            return self
        before, after = _name(self.dtype), _name(dtype)
        cast = replace(self, dtype=dtype)
        return cast.called(f"{before} rounded to {after}") if _loses(self.dtype, dtype) else cast

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        """The target's values, of `shape` and `dtype`.

        Args:
            arrays: The whole arrays of the sources, in order; they are not changed.
        """
        return self._rounded(self.run(arrays))

    def rounding(self, *arrays: np.ndarray) -> Rounding:
        """What rounding to the type loses; all zero for a type that holds every value."""
        before = self.run(arrays)
        lost = losses(before, self._rounded(before))
        return Rounding(lost.nonfinite.infinities, lost.zeros, lost.inexact)

    def _rounded(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # what overflows is counted, without a warning
            return rounded(values, self.dtype)

    def run(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """The values before they are rounded: narrow types are computed in float32."""
        # Whatever the byte order in the file is, the result has the machine's own.
        given = [_working(array) for array in arrays]
        for function in self.functions:
            with np.errstate(all="ignore"):
                given = [function(given)]
        return given[0]


@dataclass(frozen=True, slots=True)
class Conversions:
    """What a layer needs to get its weights from another one."""

    of: Mapping[WeightRef, Conversion]
    """By weight of the target; a weight that is not here is copied as it is."""
    notes: tuple[str, ...] = ()
    """What the user should know although the numbers load, one sentence each."""

    def __iter__(self) -> Iterator[tuple[WeightRef, Conversion]]:
        return iter(self.of.items())


def _working(values: np.ndarray) -> np.ndarray:
    if is_floating(values.dtype) and values.dtype.itemsize == _NARROW:
        return values.astype(np.float32)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _loses(before: np.dtype, after: np.dtype) -> bool:
    """Whether some value of a floating-point type is not in the other."""
    held, needed = _FLOATS.get(_name(after), (0, 0)), _FLOATS.get(_name(before), (1, 1))
    return needed[0] > held[0] or needed[1] > held[1]


_FLOATS = {"float16": (10, 15), "bfloat16": (7, 127), "float32": (23, 127), "float64": (52, 1023)}
"""Bits after the leading one, and the largest exponent, by type."""


def _name(dtype: np.dtype) -> str:
    return dtype.newbyteorder("=").name

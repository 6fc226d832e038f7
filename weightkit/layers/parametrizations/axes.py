"""Which axes of a weight are inputs, and which are outputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of one weight, read as a batch of matrices.

    A dense kernel ``(fan_in, fan_out)`` is one matrix; so is a convolution's, of ``(height * width * channels,
    filters)``. A depthwise kernel ``(height, width, channels, multiplier)`` is a matrix ``(height * width,
    multiplier)`` for each channel, since channels do not mix.
    """

    shape: tuple[int, ...]
    batch: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def fan_in(self) -> int:
        """How many inputs one output sums over."""
        return math.prod(self.shape[axis] for axis in self.inputs)

    @property
    def fan_out(self) -> int:
        """How many outputs a matrix has."""
        return math.prod(self.shape[axis] for axis in self.outputs)

    @property
    def count(self) -> int:
        """How many matrices there are."""
        return math.prod(self.shape[axis] for axis in self.batch)

    def merged(self) -> Axes:
        """The same axes as a single matrix: batch axes become output axes."""
        return Axes(self.shape, (), self.inputs, tuple(sorted((*self.batch, *self.outputs))))

    def to_matrices(self, weight: Any) -> Any:
        """From the weight's shape to ``(count, fan_in, fan_out)``; without ``count`` where there are no batch axes."""
        order = (*self.batch, *self.inputs, *self.outputs)
        count = (self.count,) if self.batch else ()
        moved = weight if order == tuple(range(len(order))) else ops.transpose(weight, order)
        return ops.reshape(moved, (*count, self.fan_in, self.fan_out))

    def from_matrices(self, matrices: Any) -> Any:
        """From matrices back to the weight's shape."""
        order = (*self.batch, *self.inputs, *self.outputs)
        moved = ops.reshape(matrices, tuple(self.shape[axis] for axis in order))
        back = tuple(order.index(axis) for axis in range(len(order)))
        return moved if order == back == tuple(range(len(order))) else ops.transpose(moved, back)


def axes_of(owner: Any, name: str, shape: tuple[int, ...]) -> Axes:
    """The axes of a layer's weight.

    Args:
        owner: The layer that has it.
        name: Its name: ``kernel``, ``depthwise_kernel``.
        shape: Its shape, of rank 2 or more.
    """
    every = tuple(range(len(shape)))
    if name == "depthwise_kernel" or (isinstance(owner, _DEPTHWISE) and name == "kernel"):
        return Axes(shape, every[-2:-1], every[:-2], every[-1:])
    if isinstance(owner, _TRANSPOSED):
        # Keras stores this kernel as (height, width, filters, channels).
        return Axes(shape, (), (*every[:-2], every[-1]), every[-2:-1])
    if name == "embeddings":
        # Each row of the table is read alone: rows are the outputs.
        return Axes(shape, (), every[1:], every[:1])
    if isinstance(owner, keras.layers.EinsumDense) and name == "kernel":
        return _of_einsum(owner.equation, shape)
    return Axes(shape, (), every[:-1], every[-1:])


def _of_einsum(equation: str, shape: tuple[int, ...]) -> Axes:
    """By an equation such as ``abc,cde->abde``: axes that the output does not have are summed over."""
    # The ellipsis stands for axes of the batch, which a kernel does not have.
    operands, output = equation.replace(" ", "").replace("...", "").split("->")
    data, kernel = operands.split(",")
    every = range(len(shape))
    inputs = tuple(axis for axis in every if kernel[axis] not in output)
    batch = tuple(axis for axis in every if kernel[axis] in output and kernel[axis] in data)
    return Axes(shape, batch, inputs, tuple(axis for axis in every if axis not in (*inputs, *batch)))

"""Layers that Keras 3 no longer has, in plain NumPy and float64, from their published equations alone.

Each gate is a function of its own arrays, as Keras 1 kept them; images are channels last.
"""

from __future__ import annotations

import itertools

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def old_hard_sigmoid(x):
    """That of Keras 1 and 2."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def lstm(x, gates, activation):
    """Outputs at the last step.

    Args:
        x: (batch, steps, inputs).
        gates: (W, U, b) by gate: ``i``, ``f``, ``c``, ``o``.
        activation: Of the gates.
    """
    units = gates["i"][1].shape[0]
    h = c = np.zeros((len(x), units))
    for step in range(x.shape[1]):
        i, f, new, o = (x[:, step] @ gates[g][0] + h @ gates[g][1] + gates[g][2] for g in "ifco")
        c = activation(f) * c + activation(i) * np.tanh(new)
        h = activation(o) * np.tanh(c)
    return h


def gru(x, gates, activation):
    """The GRU of Cho et al. 2014, whose reset gate acts before the recurrent kernel; (W, U, b) by gate: z, r, h."""
    h = np.zeros((len(x), gates["z"][1].shape[0]))
    for step in range(x.shape[1]):
        z, r = (activation(x[:, step] @ gates[g][0] + h @ gates[g][1] + gates[g][2]) for g in "zr")
        new = np.tanh(x[:, step] @ gates["h"][0] + (r * h) @ gates["h"][1] + gates["h"][2])
        h = z * h + (1 - z) * new
    return h


def simple_rnn(x, w, u, b):
    h = np.zeros((len(x), len(u)))
    for step in range(x.shape[1]):
        h = np.tanh(x[:, step] @ w + h @ u + b)
    return h


def cudnn_parts(array, count):
    """The matrices of cuDNN in a kernel of Keras' CuDNN layers: each gate's values, row by row, are (units, inputs)."""
    inputs, width = array.shape
    return [part.ravel().reshape(width // count, inputs) for part in np.split(array, count, axis=1)]


def cudnn_lstm(x, kernel, recurrent, bias):
    """NVIDIA's equations: i, f, o are sigmoids of W x + R h + b_W + b_R; c' is their tanh."""
    w, u, b = cudnn_parts(kernel, 4), cudnn_parts(recurrent, 4), np.split(bias, 8)
    h = c = np.zeros((len(x), len(u[0])))
    for step in range(x.shape[1]):
        i, f, new, o = (x[:, step] @ w[g].T + h @ u[g].T + b[g] + b[g + 4] for g in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        h = sigmoid(o) * np.tanh(c)
    return h


def cudnn_gru(x, kernel, recurrent, bias):
    """NVIDIA's equations: h' = tanh(W x + b_W + r * (R h + b_R)); Keras keeps the gates as z, r, h."""
    w, u, b = cudnn_parts(kernel, 3), cudnn_parts(recurrent, 3), np.split(bias, 6)
    h = np.zeros((len(x), len(u[0])))
    for step in range(x.shape[1]):
        z, r = (sigmoid(x[:, step] @ w[g].T + b[g] + h @ u[g].T + b[g + 3]) for g in range(2))
        new = np.tanh(x[:, step] @ w[2].T + b[2] + r * (h @ u[2].T + b[5]))
        h = z * h + (1 - z) * new
    return h


def theano_convolution(x, kernel):
    """A true convolution without padding: y[p] = sum over q of x[p + q] k[size - 1 - q].

    Args:
        x: (batch, *space, in).
        kernel: (*size, in, out), as Keras 2 stores it.
    """
    size = kernel.shape[:-2]
    space = tuple(length - k + 1 for length, k in zip(x.shape[1:-1], size, strict=True))
    result = np.zeros((len(x), *space, kernel.shape[-1]))
    for place in itertools.product(*map(range, size)):
        seen = x[(slice(None), *(slice(q, q + length) for q, length in zip(place, space, strict=True)))]
        result += seen @ kernel[tuple(k - 1 - q for q, k in zip(place, size, strict=True))]
    return result


def theano_transposed_convolution(x, kernel):
    """The gradient of `theano_convolution` by its input: each x[p] adds to all y[p + q]; kernel (*size, out, in)."""
    size, space = kernel.shape[:-2], x.shape[1:-1]
    result = np.zeros((len(x), *(n + k - 1 for n, k in zip(space, size, strict=True)), kernel.shape[-2]))
    for place in itertools.product(*map(range, size)):
        at = (slice(None), *(slice(q, q + n) for q, n in zip(place, space, strict=True)))
        result[at] += x @ kernel[tuple(k - 1 - q for q, k in zip(place, size, strict=True))].T
    return result


def correlation(x, kernel):
    """What the other backends compute."""
    return theano_convolution(x, np.flip(kernel, tuple(range(kernel.ndim - 2))))


def conv_lstm(x, gates, activation, convolve):
    """A ConvLSTM2D: kernels (rows, columns, in, filters), padding "same" with odd kernels.

    Args:
        x: (batch, steps, rows, columns, in).
        gates: (W, U, b) by gate.
        activation: Of the gates.
        convolve: `theano_convolution` or `correlation`.
    """
    filters = gates["i"][2].size
    around = [(0, 0), *[(size // 2, size // 2) for size in gates["i"][0].shape[:2]], (0, 0)]
    h = c = np.zeros((len(x), *x.shape[2:4], filters))
    for step in range(x.shape[1]):
        i, f, new, o = (
            convolve(np.pad(x[:, step], around), gates[g][0]) + convolve(np.pad(h, around), gates[g][1]) + gates[g][2]
            for g in "ifco"
        )
        c = activation(f) * c + activation(i) * np.tanh(new)
        h = activation(o) * np.tanh(c)
    return h

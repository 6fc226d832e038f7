"""The forms in which Keras keeps an LSTM or a GRU, and how to get from one to another.

CuDNNLSTM and CuDNNGRU hold each gate's kernels transposed, in the same order of gates, and two biases; the input
kernels keep the shape (inputs, units) all the same. An LSTM adds its biases up. A GRU with ``reset_after`` keeps both,
(2, 3 * units). Without it, the reset gate acts before the recurrent kernel: that is another function, which no weights
of the other form compute. From ``_convert_rnn_weights`` of Keras 2.2.4 and the layers themselves.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import numpy as np

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weightkit.transforms.loading.conversion import Conversion
    from weightkit.transforms.loading.facts import LayerFacts

Shapes = "Mapping[str, tuple[int, ...]]"


class Form(enum.StrEnum):
    """How a layer keeps the weights of its gates."""

    LSTM = "LSTM"
    CUDNN_LSTM = "CuDNNLSTM"
    GRU_BEFORE = "GRU(reset_after=False)"
    GRU_AFTER = "GRU(reset_after=True)"
    CUDNN_GRU = "CuDNNGRU"


_GATES = {4: (Form.LSTM, Form.CUDNN_LSTM), 3: (Form.GRU_BEFORE, Form.CUDNN_GRU)}
_CLASSES = {"LSTM": 4, "CuDNNLSTM": 4, "GRU": 3, "CuDNNGRU": 3}


def form_of(shapes: Mapping[str, tuple[int, ...]], facts: LayerFacts) -> Form | None:
    """The form of a layer; None where it is no LSTM or GRU, or a GRU without a bias of which nothing is known.

    Args:
        shapes: Of its weights, by what they are called today.
        facts: What else is known of it.
    """
    kernel, recurrent = shapes.get("kernel", ()), shapes.get("recurrent_kernel", ())
    if len(kernel) != 2 or len(recurrent) != 2 or not recurrent[0]:  # noqa: PLR2004  # matrices
        return None
    units, width = recurrent
    gates, rest = divmod(width, units)
    known = _CLASSES.get(facts.class_name, gates if not facts.class_name else 0)
    if rest or gates != known or gates not in _GATES or kernel[1] != width:
        return None
    return _of_bias(shapes.get("bias"), width, gates, facts)


def _of_bias(bias: tuple[int, ...] | None, width: int, gates: int, facts: LayerFacts) -> Form | None:
    plain, cudnn = _GATES[gates]
    if bias is None:
        after = facts.config.get("reset_after", False if facts.config else None)
        return plain if plain is Form.LSTM else {True: Form.GRU_AFTER, False: Form.GRU_BEFORE}.get(after)
    forms: dict[tuple[int, ...], Form] = {(width,): plain, (2 * width,): cudnn}
    if plain is Form.GRU_BEFORE:
        forms[2, width] = Form.GRU_AFTER
    return forms.get(bias)


def in_form(weights: Mapping[str, Conversion], source: Form, target: Form) -> dict[str, Conversion]:
    """The weights of a layer in another form.

    Args:
        weights: ``kernel`` (inputs, gates * units), ``recurrent_kernel`` (units, gates * units), ``bias`` of its form.
        source: Their form.
        target: The form to make.

    Raises:
        RequestError: Weights of the one form cannot compute what the other does.
    """
    if source is target:
        return dict(weights)
    pair = (source, target)
    if pair not in _BIASES:
        problem = f"the weights of {source} cannot be those of {target}, which is another function"
        raise RequestError(problem, hint=_hint(*pair))
    if "bias" not in weights:
        raise RequestError(f"{target} has biases and the source has none", hint="give a source with biases")
    gates = next(count for count, forms in _GATES.items() if {source, target} & {*forms})
    step = f"{source} to {target}"
    to_cudnn = target in {Form.CUDNN_LSTM, Form.CUDNN_GRU}
    changed = dict(weights)
    kernel, recurrent, bias = (weights[name] for name in ("kernel", "recurrent_kernel", "bias"))
    changed["kernel"] = kernel.then(step, kernel.shape, _by_gate(_stored if to_cudnn else _read, gates))
    changed["recurrent_kernel"] = recurrent.then(step, recurrent.shape, _by_gate(np.transpose, gates))
    shape, function = _BIASES[pair](bias.shape)
    changed["bias"] = bias.then(step, shape, function)
    return changed


def _by_gate(function: Callable[[np.ndarray], np.ndarray], gates: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function of one gate's kernel, done to each of those that stand side by side."""
    return lambda kernel: np.concatenate([function(part) for part in np.split(kernel, gates, axis=1)], axis=1)


def _read(part: np.ndarray) -> np.ndarray:
    """The kernel (inputs, units) of a gate that is stored as the rows of (units, inputs)."""
    inputs, units = part.shape
    return part.reshape(units, inputs).T


def _stored(part: np.ndarray) -> np.ndarray:
    """The inverse of `_read`."""
    return part.T.reshape(part.shape)


_Bias = tuple[tuple[int, ...], "Callable[[np.ndarray], np.ndarray]"]


def _added(shape: tuple[int, ...]) -> _Bias:
    width = shape[0] // 2
    return (width,), lambda bias: bias[:width] + bias[width:]


def _halved(shape: tuple[int, ...]) -> _Bias:
    """Two equal biases; only their sum counts."""
    return (2 * shape[0],), lambda bias: np.tile(bias * bias.dtype.type(0.5), 2)


def _in_rows(shape: tuple[int, ...]) -> _Bias:
    return (2, shape[0] // 2), lambda bias: bias.reshape(2, -1)


def _in_one_row(shape: tuple[int, ...]) -> _Bias:
    return (2 * shape[1],), lambda bias: bias.reshape(-1)


_BIASES: Mapping[tuple[Form, Form], Callable[[tuple[int, ...]], _Bias]] = {
    (Form.CUDNN_LSTM, Form.LSTM): _added,
    (Form.LSTM, Form.CUDNN_LSTM): _halved,
    (Form.CUDNN_GRU, Form.GRU_AFTER): _in_rows,
    (Form.GRU_AFTER, Form.CUDNN_GRU): _in_one_row,
}


def _hint(source: Form, target: Form) -> str:
    if target in {Form.GRU_BEFORE, Form.GRU_AFTER} and source not in {Form.LSTM, Form.CUDNN_LSTM}:
        return f"make the target with reset_after={source is not Form.GRU_BEFORE}"
    return "give a layer of the source's class"

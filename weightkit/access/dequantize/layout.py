"""How the quantized weight of a layer is stored: its integers, and which scale belongs to which of them."""

from __future__ import annotations

import enum
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.names.class_weights import quantization_mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef

_KERNELS, _EMBEDDINGS = frozenset({"Dense", "EinsumDense"}), frozenset({"Embedding", "ReversibleEmbedding"})
_EQUATION = re.compile(r"[.]*[a-zA-Z]+[.]*,([a-zA-Z]+)->[.]*([a-zA-Z]+)[.]*")
_NO_ZERO = "its zero points are not stored: Keras 3.15 leaves them out of files of GPTQ and AWQ"


class Packing(enum.Enum):
    """How the integers lie in the stored array, as a matrix of rows and columns."""

    PLAIN = enum.auto()
    COLUMNS = enum.auto()
    """Two of a row in a byte."""
    ROWS = enum.auto()
    """Two of a column in a byte."""
    TRANSPOSED = enum.auto()
    TRANSPOSED_COLUMNS = enum.auto()
    """Transposed, and two of a row in a byte."""


class Scales(enum.Enum):
    """Which scale belongs to an integer."""

    COLUMN = enum.auto()
    """That of its column."""
    ROW = enum.auto()
    AXES = enum.auto()
    """That of its place in the axes that are outputs."""
    ROW_GROUPS = enum.auto()
    """That of its row's group and its column, with a zero point."""
    COLUMN_GROUPS = enum.auto()
    """That of its row and its column's group, with a zero point."""
    TRANSPOSED_GROUPS = enum.auto()
    """The same as for groups of rows, stored transposed."""
    FLOAT8 = enum.auto()
    """The only one; the numbers are not integers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read one quantized weight."""

    rows: int
    columns: int
    packing: Packing
    scales: Scales
    scale: WeightRef
    zero: WeightRef | None = None
    groups: WeightRef | None = None
    """The group of each row, or column."""
    inputs: WeightRef | None = None
    """AWQ's scale of each row, by which the result is divided."""
    axes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    """For `Scales.AXES`: the shape of the scales in the order in which they are stored, and where each axis goes."""


class NotDequantizedError(Exception):
    """Why a weight cannot be dequantized, as the end of a sentence; it never leaves this folder."""


def layout_of(
    ref: WeightRef, parts: Mapping[str, WeightRef], configured: Configured | None, shape: tuple[int, ...]
) -> Layout:
    """How a weight that stands for real numbers of a given shape is stored.

    Args:
        ref: The weight.
        parts: All weights of its object, by name.
        configured: Its layer's configuration, if known.
        shape: The shape of the weight that it was before.

    Raises:
        NotDequantizedError: The class, the file or the shapes do not say.
    """
    if ref.layer_class not in _KERNELS | _EMBEDDINGS or (configured is not None and not configured.builtin):
        raise NotDequantizedError(f"how {ref.layer_class or 'its layer'} quantizes is not known")
    scale = parts.get(f"{ref.name}_scale")
    if scale is None or ref.name not in {"kernel", "embeddings", "reverse_embeddings"}:
        raise NotDequantizedError("its scales are not stored")
    if is_floating(ref.dtype):
        _require(ref.shape == shape and scale.size == 1)
        return Layout(_rows(shape), _columns(shape), Packing.PLAIN, Scales.FLOAT8, scale)
    mode = quantization_mode(configured.config) if configured is not None else None
    mode = mode if isinstance(mode, str) else ""
    if ref.dtype.name == "uint8":
        return _calibrated(ref, parts, scale, mode, shape)
    _require(ref.dtype.name == "int8" and len(shape) > 1)
    packed, rows, columns = _packed(ref, scale, shape)
    if not _is_packed(ref, packed, shape, mode):
        return _of_int8(ref, scale, shape, configured)
    return _of_int4(ref, parts, scale, rows, columns)


def _is_packed(ref: WeightRef, packed: tuple[int, ...], shape: tuple[int, ...], mode: str) -> bool:
    """Whether a byte holds two integers of 4 bits, and not one of 8."""
    is_plain, is_packed = ref.shape == shape, ref.shape == packed
    if is_plain and is_packed:
        if not mode:
            raise NotDequantizedError("nothing says whether its bytes hold one integer or two")
        is_plain, is_packed = mode == "int8", mode.startswith("int4")
    _require(is_plain or is_packed)
    return is_packed


def _of_int4(ref: WeightRef, parts: Mapping[str, WeightRef], scale: WeightRef, rows: int, columns: int) -> Layout:
    packing = Packing.ROWS if ref.name == "reverse_embeddings" else Packing.COLUMNS
    zero = parts.get(f"{ref.name}_zero")
    if zero is not None:
        return _in_groups(ref, parts, Layout(rows, columns, packing, Scales.ROW_GROUPS, scale, zero))
    by_row = ref.name == "embeddings"
    _require(scale.shape == ((rows if by_row else columns),))
    return Layout(rows, columns, packing, Scales.ROW if by_row else Scales.COLUMN, scale)


def _packed(ref: WeightRef, scale: WeightRef, shape: tuple[int, ...]) -> tuple[tuple[int, ...], int, int]:
    """The shape in which the integers would be packed, and their rows and columns."""
    if ref.name == "kernel":
        columns = scale.shape[-1] if scale.shape else 1
        rows = math.prod(shape) // max(columns, 1)
        return (rows, -(-columns // 2)), rows, columns
    rows, columns = _rows(shape), _columns(shape)
    packed = (-(-rows // 2), columns) if ref.name == "reverse_embeddings" else (rows, -(-columns // 2))
    return packed, rows, columns


def _of_int8(ref: WeightRef, scale: WeightRef, shape: tuple[int, ...], configured: Configured | None) -> Layout:
    rows, columns = _rows(shape), _columns(shape)
    if ref.layer_class == "EinsumDense":
        axes = _axes(ref, scale, shape, configured)
        return Layout(rows, columns, Packing.PLAIN, Scales.AXES, scale, axes=axes)
    by_row = ref.name == "embeddings"
    _require(scale.shape == ((rows if by_row else columns),))
    return Layout(rows, columns, Packing.PLAIN, Scales.ROW if by_row else Scales.COLUMN, scale)


def _in_groups(ref: WeightRef, parts: Mapping[str, WeightRef], found: Layout) -> Layout:
    """int4 in blocks along the inputs: the rows of a kernel, the columns of an embedding."""
    groups, scale, zero = parts.get("g_idx"), found.scale, found.zero
    by_row = ref.name == "embeddings"
    along, across = (found.columns, found.rows) if by_row else (found.rows, found.columns)
    _require(zero is not None and zero.shape == scale.shape and len(scale.shape) == 2)  # noqa: PLR2004
    _require(groups is not None and groups.shape == (along,) and scale.shape[0 if by_row else 1] == across)
    kind = Scales.COLUMN_GROUPS if by_row else Scales.ROW_GROUPS
    return Layout(found.rows, found.columns, found.packing, kind, scale, zero, groups)


def _calibrated(
    ref: WeightRef, parts: Mapping[str, WeightRef], scale: WeightRef, mode: str, shape: tuple[int, ...]
) -> Layout:
    """GPTQ and AWQ, whose integers and scales are stored transposed."""
    zero, groups, inputs = parts.get(f"{ref.name}_zero", parts.get("zero_point")), parts.get("g_idx"), None
    if zero is None:
        raise NotDequantizedError(_NO_ZERO)
    _require(len(ref.shape) == len(scale.shape) == 2 and zero.shape == scale.shape)  # noqa: PLR2004
    columns, rows = scale.shape[0], ref.shape[1]
    _require(rows * columns == math.prod(shape) and groups is not None and groups.shape == (rows,))
    inputs = parts.get("awq_scales")
    _require(inputs is None or inputs.shape == (rows,))
    _require(not mode.startswith("awq") or inputs is not None)
    is_plain, is_packed = ref.shape[0] == columns, ref.shape[0] == -(-columns // 2)
    if is_plain and is_packed:
        is_packed = inputs is not None or mode.split("/")[1:2] == ["4"]
        _require(is_packed or bool(mode))
    _require(is_plain or is_packed)
    packing = Packing.TRANSPOSED_COLUMNS if is_packed else Packing.TRANSPOSED
    return Layout(rows, columns, packing, Scales.TRANSPOSED_GROUPS, scale, zero, groups, inputs)


def _axes(
    ref: WeightRef, scale: WeightRef, shape: tuple[int, ...], configured: Configured | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sizes of the axes of an EinsumDense's scales, and the kernel's axis that each of them is."""
    axes = _outputs(ref, shape, configured)
    sizes = tuple(shape[axis] for axis in axes)
    _require(math.prod(sizes) == scale.size)
    return sizes, axes


def _outputs(ref: WeightRef, shape: tuple[int, ...], configured: Configured | None) -> tuple[int, ...]:
    """The axes of a kernel that are outputs, in the order of the output."""
    equation = None if configured is None else configured.config.get("equation")
    if isinstance(equation, str):
        found = _EQUATION.fullmatch(equation.replace(" ", ""))
        if found is not None and len(found[1]) == len(shape):
            return tuple(found[1].index(letter) for letter in found[2] if letter in found[1])
    from weightkit.access.names.kernel_axes import KernelAxes, einsum_axes  # noqa: PLC0415  # few weights need it

    axes = None if configured is None else einsum_axes(configured, ref.name or "", ref.layer)
    if axes is None or len(shape) != 3 or isinstance(equation, str):  # noqa: PLR2004  # attention's projections
        raise NotDequantizedError("the equation of its EinsumDense is not known")
    return KernelAxes(*axes).outputs


def _rows(shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-1])


def _columns(shape: tuple[int, ...]) -> int:
    return shape[-1] if shape else 1


def _require(fits: bool) -> None:
    if not fits:
        raise NotDequantizedError("the shapes of its integers and scales do not fit")

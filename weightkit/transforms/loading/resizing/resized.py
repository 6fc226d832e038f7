"""Resize a weight of the source to the shape of the target's, by what it is."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, get_args

from weightkit.access import is_floating
from weightkit.errors import RequestError
from weightkit.transforms.initializers import get, require_seed
from weightkit.transforms.loading.resizing.channels import with_channels
from weightkit.transforms.loading.resizing.positions import Layout, interpolated, is_grid
from weightkit.transforms.loading.resizing.shape_roles import ShapeRole, is_of_vision, shape_role
from weightkit.transforms.loading.resizing.vocabulary import with_rows

if TYPE_CHECKING:
    from weightkit.access import WeightRef
    from weightkit.transforms.initializers import Draws
    from weightkit.transforms.loading.conversion import Conversion


@dataclass(frozen=True, slots=True)
class LeftFresh:
    """A weight that keeps the values that it was made with."""

    reason: str
    """Why, as a sentence about the weight."""


@dataclass(frozen=True, slots=True)
class Resizing:
    """How to resize, and what is known of a layer's place in its model.

    Raises:
        RequestError: One of these is something else.
    """

    new_rows: object = "mean"
    """New rows of a vocabulary: ``mean`` of the old, ``zeros``, or any initializer that ``reinitialize`` takes."""
    seed: int | None = None
    """What an initializer's numbers are drawn from, as by ``reinitialize``; needed for one that draws."""
    positions: Layout | None = None
    """What learned positions are; None lets names and numbers tell."""
    first: bool | None = None
    """Whether the layer takes the model's images; None lets its name tell."""
    last: bool | None = None
    """Whether the layer gives the model's classes; None lets its name tell."""

    def __post_init__(self) -> None:
        if self.new_rows != "mean":
            get(self.new_rows)
        if self.seed is not None:
            require_seed(self.seed)
        if self.positions not in (None, *get_args(Layout)):
            raise RequestError(f"positions must be sequence, grid or None, got {self.positions!r}")

    def __repr__(self) -> str:
        given = ((one.name, getattr(self, one.name), one.default) for one in fields(self))
        return f"Resizing({', '.join(f'{name}={value!r}' for name, value, default in given if value != default)})"


MEAN_ROWS = Resizing()
"""The default: new rows of a vocabulary are the mean of the old."""


def resized(
    ours: WeightRef, source: Conversion, how: Resizing = MEAN_ROWS, draws: Draws | None = None
) -> Conversion | LeftFresh:
    """The source's weight in the shape of the target's.

    Args:
        ours: The target's weight.
        source: ``Conversion.of`` the source's weight, or what `conversions` made of it.
        how: How to resize.
        draws: The random numbers of the target's weight, for an initializer that draws.

    Returns:
        A conversion that ends in the target's shape and type, or why the target's values stay.

    Raises:
        RequestError: Nothing says what the weight is, or more than one size differs; it says what would help.
    """
    if not is_floating(ours.dtype) or not is_floating(source.dtype):
        raise _refused(ours, source, "holds integers, which cannot be resized", "load a model of plain numbers")
    # A file of weights alone knows no classes; the other side may.
    ours = replace(ours, layer_class=ours.layer_class or source.sources[0].layer_class)
    role = shape_role(ours, source.shape, first=how.first, last=how.last)
    if role is None:
        hint = "say what it is: resizing=Resizing(first=True) takes the images, last=True gives the classes"
        raise _refused(ours, source, "is of no kind that can be resized, by its class and name", hint)
    axis = _axis(ours, role)
    same = len(ours.shape) == len(source.shape) and _others(ours.shape, axis) == _others(source.shape, axis)
    if not (same and source.shape[axis] and _has_axes(ours, role)):
        raise _refused(ours, source, f"differs in more than its {_SIZES[role]}")
    if role is ShapeRole.HEAD:
        return LeftFresh(f"it is a head for {ours.shape[-1]} classes, the source's is for {source.shape[-1]}")
    return _made(role, ours, source, how, draws).to(ours.dtype)


_SIZES = {
    ShapeRole.VOCABULARY: "number of rows",
    ShapeRole.POSITIONS: "number of positions",
    ShapeRole.CHANNELS: "number of channels",
    ShapeRole.HEAD: "number of classes",
}


def _axis(ours: WeightRef, role: ShapeRole) -> int:
    """Which axis may differ, counted from the end."""
    if role is ShapeRole.HEAD or ours.name == "reverse_embeddings":
        return -1
    return -2


def _has_axes(ours: WeightRef, role: ShapeRole) -> bool:
    """Whether a weight has the axes of its role: a table (rows, width), or positions (1, positions, width)."""
    rank = len(ours.shape)
    if role is ShapeRole.POSITIONS and rank == 3:  # noqa: PLR2004
        return ours.shape[0] == 1
    return rank == 2 or role in {ShapeRole.CHANNELS, ShapeRole.HEAD}  # noqa: PLR2004


def _others(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(size for place, size in enumerate(shape) if place != len(shape) + axis)


def _made(role: ShapeRole, ours: WeightRef, source: Conversion, how: Resizing, draws: Draws | None) -> Conversion:
    if role is ShapeRole.CHANNELS:
        return with_channels(source, ours.shape[-2])
    if role is ShapeRole.POSITIONS:
        return interpolated(source, ours.shape[-2], how.positions or _layout(ours, source))
    axis = _axis(ours, role) % 2
    return with_rows(source, ours.shape[axis], how.new_rows, draws, axis)


def _layout(ours: WeightRef, source: Conversion) -> Layout:
    """What learned positions are: a text's have two axes, an image's are known by names or by an axis of one."""
    square, of_vision = is_grid(source.shape[-2], ours.shape[-2]), is_of_vision(ours)
    if square and of_vision:
        return "grid"
    if of_vision or (square and len(ours.shape) > 2):  # noqa: PLR2004  # (positions, width)
        raise _refused(
            ours,
            source,
            "has positions that may be in a row or on a grid",
            "give resizing=Resizing(positions='sequence'), or positions='grid' for a square image",
        )
    return "sequence"


def _refused(ours: WeightRef, source: Conversion, why: str, hint: str = "") -> RequestError:
    return RequestError(
        f"{ours.path} {why}: it is {ours.shape} in the target and {source.shape} in the source", hint=hint
    )

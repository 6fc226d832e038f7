"""Held entries: rows or single elements of a weight that keep their values while the rest is trained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from weightkit.errors import RequestError
from weightkit.layers.parametrizations.parametrization import AddedVariable, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping

_ITEM = re.compile(r"\.\.\.|-?\d+|(-?\d+)?:(-?\d+)?(:(-?\d+)?)?")
_WANTED = "text as in NumPy, such as '[0:8]' or '[:, 3]', or an array of booleans"


@keras.saving.register_keras_serializable(package="weightkit")
# `==` of two arrays has no single truth value.
@dataclass(frozen=True, eq=False)
class Held(Parametrization):
    """The weight with some entries replaced by their stored values, which nothing in training changes.

    Held entries keep their bits: they are read from ``kernel_held``, a state that is not trained, so that no gradient,
    weight decay, moving average, regularizer or constraint reaches them. The weight's constraint applies to the whole
    weight, and then the held entries get their values again; apply ``Held`` last for that. The values are those of
    the weight when it is wrapped, and those of a file that is loaded. ``kernel_held_mask`` has ones where entries are
    held. ``bake`` makes a plain weight with the held values.

    This takes the memory of the weight once more, and of the mask, which is small for whole rows or columns.

    Args:
        entries: Which entries: an index as text, with integers, slices and ``...`` as in NumPy (``"[0:8]"`` for rows,
            ``"[:, 3]"`` for a column, ``"[-2:]"``, ``"[5]"``); or an array of booleans of the weight's shape, or one
            that broadcasts to it.

    Example:
        >>> import keras
        >>> from weightkit.layers import Held, parametrize
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Embedding(9, 3, name="emb")])
        >>> held = parametrize(model, "emb", Held("[0:4]"))
        >>> held.get_layer("emb").held_entries
        {'embeddings': (12, 27)}
    """

    entries: Any

    fits_named_vectors = True

    def __post_init__(self) -> None:
        """Check the entries."""
        given = self.entries
        if isinstance(given, str):
            _index(given)
        elif np.asarray(given).dtype != bool:
            # Integers may be meant as indices or as a mask.
            raise RequestError(
                f"Held: entries must be {_WANTED}, got {given!r:.80}", hint="for a mask of numbers, give mask != 0"
            )

    def objection(self, weight: Weight) -> str:
        """Why the entries are not those of the weight."""
        shape = tuple(weight.variable.shape)
        try:
            found = self._mask(shape)
        except IndexError:
            return f"Held: entries must lie in {weight.name} of shape {shape}, got {self.entries}"
        except ValueError:
            given = np.shape(self.entries)
            return f"Held: entries must broadcast to the shape {shape} of {weight.name}, got shape {given}"
        empty = f"Held: entries must select at least one of {weight.name} of shape {shape}, got {self.entries!s:.80}"
        return "" if found.any() else empty

    def build(self, weight: Weight) -> dict[str, AddedVariable]:
        """Add the mask and the held values; the values are zero where nothing is held."""
        shape = tuple(weight.variable.shape)
        mask = _smallest(self._mask(shape))

        def values(_shape: Any, dtype: Any = None) -> Any:
            before = weight.before()
            return ops.cast(ops.where(ops.convert_to_tensor(mask), before, ops.zeros_like(before)), dtype)

        def ones(_shape: Any, dtype: Any = None) -> Any:
            return ops.cast(ops.convert_to_tensor(mask), dtype)

        return {
            "values": weight.add(f"{weight.label}_held", shape, values, trainable=False),
            "mask": weight.add(f"{weight.label}_held_mask", mask.shape, ones, trainable=False),
        }

    def compute(self, base: Any, added: Mapping[str, AddedVariable], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """The weight, with the held entries from where they are stored."""
        return self.after_constraint(base, added)

    def after_constraint(self, constrained: Any, added: Mapping[str, AddedVariable]) -> Any:
        """The constrained weight, with the held entries again as stored."""
        is_held = ops.not_equal(added["mask"].variable.value, 0)
        return ops.where(is_held, added["values"].variable.value, constrained)

    def count(self, added: Mapping[str, AddedVariable]) -> int:
        """How many entries are held, by the present mask."""
        return int(np.count_nonzero(self.present_mask(added)))

    def present_mask(self, added: Mapping[str, AddedVariable]) -> np.ndarray:
        """Which entries are held, by the present mask: booleans of the weight's shape."""
        mask = ops.convert_to_numpy(added["mask"].variable.value) != 0
        return np.broadcast_to(mask, tuple(added["values"].variable.shape))

    def get_config(self) -> dict[str, Any]:
        """The entries: text as it is, a mask as ones and zeros."""
        given = self.entries
        return {"entries": given if isinstance(given, str) else np.asarray(given).astype(int).tolist()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Held:
        """Make it from its settings."""
        entries = config["entries"]
        return cls(entries if isinstance(entries, str) else np.asarray(entries, bool))

    def _mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """The entries as booleans of a shape.

        Raises:
            IndexError: The text is an index outside it.
            ValueError: The array does not broadcast to it.
        """
        if not isinstance(self.entries, str):
            return np.broadcast_to(np.asarray(self.entries), shape)
        mask = np.zeros(shape, bool)
        mask[_index(self.entries)] = True
        return mask


def _index(text: str) -> tuple[Any, ...]:
    """An index of NumPy from its text; the brackets may be left out.

    Raises:
        RequestError: It is something else.
    """
    inside = text.strip()
    inside = inside[1:-1] if inside.startswith("[") and inside.endswith("]") else inside
    items = [one.replace(" ", "") for one in inside.split(",")]
    if (
        not all(map(_ITEM.fullmatch, items))
        or items.count("...") > 1
        or any(one.endswith(":0") for one in _steps(items))
    ):
        raise RequestError(f"Held: entries must be {_WANTED}, got {text!r}")
    return tuple(_item(one) for one in items)


def _steps(items: list[str]) -> list[str]:
    """The slices that have a step."""
    return [one for one in items if one.count(":") == 2]  # noqa: PLR2004  # start:stop:step


def _item(text: str) -> Any:
    if text == "...":
        return ...
    if ":" not in text:
        return int(text)
    return slice(*(int(part) if part else None for part in text.split(":")))


def _smallest(mask: np.ndarray) -> np.ndarray:
    """The smallest array that broadcasts to a mask: of length 1 along each axis along which it is constant."""
    for axis in range(mask.ndim):
        first = mask.take([0], axis)
        if (mask == first).all():
            mask = first
    return mask

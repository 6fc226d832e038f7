"""A weight's name, shape and type; its values stay in the store."""

from __future__ import annotations

import enum
import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.escape import quoted

if TYPE_CHECKING:
    import numpy as np

_LONGEST = 4096  # characters of an address; those of published models have a few hundred
_MOST_LEVELS = 128  # of layers in layers; those of published models have fewer than twenty


class Kind(enum.StrEnum):
    """What a weight is to its model. It decides what an edit changes by default."""

    PARAMETER = "parameter"
    """Trained by gradients: kernels, biases, gains, embeddings."""
    STATISTIC = "statistic"
    """Measured from data: moving means and variances, Normalization's mean, variance and count."""
    STATE = "state"
    """Neither: seeds, counters, states of stateful recurrent layers."""
    QUANTIZATION = "quantization"
    """Integers that stand for real weights, with their scales and zero points."""
    OPTIMIZER = "optimizer"
    """The optimizer's own: step count, learning rate, slots."""
    UNKNOWN = "unknown"
    """Unknown: nothing in the file says."""


class Source(enum.StrEnum):
    """Where a weight's name and kind were learned from."""

    FILE = "file"
    """The file stores the name."""
    CONFIG = "config"
    """The model's configuration in the file, with the table of Keras' own layer classes."""
    KEY = "key"
    """The format's own path, where only one reading of it is possible."""
    MODEL = "model"
    """A live model."""
    LIKE = "like"
    """Another file, given to borrow names from."""


@dataclass(frozen=True, slots=True)
class WeightRef:
    """One weight of a store: its addresses, its shape and type, and what is known about it.

    ``structure`` is unique in its store and always there; ``path`` is what people read and select by.
    """

    structure: str
    """The format's own path: ``layers/dense_1/vars/0``, ``d1/d1/kernel:0``."""
    layer: str | None
    """Names of the layers around it, outermost first: ``encoder/dense_1``; None where unknown."""
    index: int
    """Place in its layer's save order, from 0."""
    name: str | None
    """The weight's own name: ``kernel``; None where unknown."""
    shape: tuple[int, ...]
    dtype: np.dtype
    """NumPy dtype of the stored values; ml_dtypes.bfloat16 for bfloat16."""
    kind: Kind
    layer_class: str | None
    """Class of the innermost layer: ``Dense``; None where unknown."""
    trainable: bool | None
    """None where the file does not say."""
    known_from: Source | None
    """Where ``name`` and ``kind`` come from; None where neither is known."""
    duplicate: int = 1
    """2 for the second weight of the same name address, and so on; shown as ``#2``."""
    near: tuple[str, ...] = ()
    """Where ``layer`` is None: the names that are known, and a slash and the file's key for each that is not."""
    around: tuple[str | None, ...] = ()
    """Class of each layer in ``layer`` or ``near``, or its key in files; None where unknown."""
    also: tuple[str, ...] = ()
    """Other structural addresses under which Keras looks for it when it loads a live model."""
    stored_as: str | None = None
    """What it holds where that is not a plain number: ``text``, ``compound``; None for numbers, which alone are edited.
    """

    def __hash__(self) -> int:  # structure is unique, and an edit looks a weight up for every tile
        return hash(self.structure)

    def __repr__(self) -> str:
        known = "" if self.layer_class is None else f" of {quoted(self.layer_class)}"
        return f"<WeightRef {quoted(self.path)}: {self.shape_text} {self.dtype_text}, {self.kind}{known}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    @property
    def path(self) -> str:
        """The name address where it is known (``encoder/dense_1/kernel``), else the structural one."""
        if self.layer is None or self.name is None:
            return self.structure
        address = f"{self.layer}/{self.name}" if self.layer else self.name
        return address if self.duplicate == 1 else f"{address}#{self.duplicate}"

    @property
    def shape_text(self) -> str:
        """The shape as people read it: ``3x4``, or ``scalar``."""
        return "x".join(map(str, self.shape)) or "scalar"

    @property
    def dtype_text(self) -> str:
        """The type as people read it: ``float32``, or ``text`` and the like for what is not a plain number."""
        return self.stored_as or str(self.dtype)

    @property
    def owner(self) -> str:
        """The structural address of its object: ``layers/dense_1/vars``, ``d1/d1``."""
        return self.structure.rpartition("/")[0]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size of the values in bytes."""
        return self.size * self.dtype.itemsize


def excess(address: str) -> str:
    """By what an address is too long to be shown, selected by and matched; empty where it is not."""
    if len(address) > _LONGEST:
        return f"more than {_LONGEST} characters"
    return f"more than {_MOST_LEVELS} levels" if address.count("/") >= _MOST_LEVELS else ""

"""What a weight of another shape is, told by its layer's class and by names; a shape alone tells nothing."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from weightkit.transforms.loading.convolutions import CONVOLUTIONS

if TYPE_CHECKING:
    from weightkit.access import WeightRef


class ShapeRole(enum.StrEnum):
    """Why a weight may have another shape: a vocabulary, a length, an image or a number of classes."""

    VOCABULARY = "vocabulary"
    POSITIONS = "positions"
    CHANNELS = "channels"
    HEAD = "head"


_TABLES = frozenset({"CheckedEmbedding", "Embedding", "ReversibleEmbedding"})
_OWN_NAMES = frozenset({"embeddings", "reverse_embeddings"})
_TABLE_NAMES = _OWN_NAMES | {"W"}
_POSITION = re.compile(r"(?:^|_)pos(?:ition(?:al|s)?)?_?(?:emb|enc)")
_VISION = re.compile(r"(?:^|[/_])(?:vit|vision|visual|image|patch)")
_FIRST = re.compile(r"(?:block_?1_)?conv_?[01](?:_conv)?|stem(?:_conv)?|patch_embed(?:ding|s)?|patch_conv\w*")
_HEAD_ENDS = frozenset({"classes", "classifier", "head", "logits", "prediction", "predictions", "probs", "softmax"})
_HEAD_NAMES = frozenset({"fc", "out", "output", "outputs", "top"})
_KERNEL_CLASSES = CONVOLUTIONS - {"ConvLSTM2D", "ConvLSTMCell"}
_MOST_CHANNELS = 4  # of an image, where nobody said that the convolution is the first
_LEAST_AXES = 3


def shape_role(
    ref: WeightRef, source: tuple[int, ...], *, first: bool | None = None, last: bool | None = None
) -> ShapeRole | None:
    """What a weight's shape depends on; None where neither its class nor names tell.

    Args:
        ref: The target's weight.
        source: Shape of the source's weight.
        first: Whether its layer takes the model's images; None lets the names tell.
        last: Whether its layer gives the model's classes; None lets the names tell.
    """
    layer, own = (ref.layer or "").rpartition("/")[2].lower(), ref.name or ""
    table = (own in _TABLE_NAMES and ref.layer_class in _TABLES) or (own in _OWN_NAMES and ref.layer_class is None)
    if ref.layer_class == "PositionEmbedding" or _POSITION.search(own) or (table and _POSITION.search(layer)):
        return ShapeRole.POSITIONS
    if table:
        return ShapeRole.VOCABULARY
    if _is_convolution(ref, layer, first=first) and len(ref.shape) == len(source) >= _LEAST_AXES:
        images = max(ref.shape[-2], source[-2]) <= _MOST_CHANNELS and _FIRST.fullmatch(layer) is not None
        if images if first is None else first:
            return ShapeRole.CHANNELS
    ends = own in {"kernel", "bias"} and ref.layer_class in {"Dense", None, *_KERNEL_CLASSES}
    named = layer in _HEAD_NAMES or layer.rpartition("_")[2] in _HEAD_ENDS
    return ShapeRole.HEAD if ends and (named if last is None else last) else None


def _is_convolution(ref: WeightRef, layer: str, *, first: bool | None) -> bool:
    """Whether a weight is a convolution's kernel; a file of weights alone has names and no classes."""
    known = ref.layer_class in _KERNEL_CLASSES if ref.layer_class else first or "conv" in layer
    return known and ref.name == "kernel"


def is_of_vision(ref: WeightRef) -> bool:
    """Whether a weight's address says that it is of a model for images."""
    return _VISION.search(ref.path.lower()) is not None

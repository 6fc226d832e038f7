"""What JSON text is that was given for a weight file: an index of shards, a model without its weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from weightkit.access.files.local_path import is_file
from weightkit.access.formats.foreign import HINT
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from weightkit.access.files.openfile import OpenFile

_MOST = 4 << 20  # bytes to look at; the index of a thousand shards has less
_LOOKED_FOR = 1000  # shards


def foreign_json(source: OpenFile) -> tuple[str, str]:
    """What it is, and what to do."""
    try:
        content = json.loads(source.read(0, _MOST))
    except (ValueError, RecursionError):
        return "it is JSON text, not weights", HINT
    if not isinstance(content, dict):
        return "it is JSON text, not weights", HINT
    shards = _shards(content)
    if shards:
        return _index_of(shards, source)
    if "modelTopology" in content or "weightsManifest" in content:
        return (
            "it is a TensorFlow.js model, not Keras weights",
            "convert it first (`tensorflowjs_converter --input_format tfjs_layers_model --output_format keras`)",
        )
    if "class_name" in content and "config" in content:
        return "it is a model's configuration, which holds no weights", "give the file of its weights"
    return "it is JSON text, not weights", HINT


def _shards(content: Mapping[str, Any]) -> list[str]:
    """The files that an index names, each once."""
    weight_map = content.get("weight_map")
    if not isinstance(weight_map, dict):
        return []
    lists = [files if isinstance(files, list) else [files] for files in weight_map.values()]
    return list(dict.fromkeys(file for files in lists for file in files if isinstance(file, str)))


def _index_of(shards: list[str], source: OpenFile) -> tuple[str, str]:
    if not shards[0].endswith(".h5"):
        return f"it is the index of {listed(shards)}, not of Keras weights", HINT
    count = "1 shard" if len(shards) == 1 else f"{len(shards)} shards"
    return (
        f"it is the index of weights in {count}: {listed(shards)}{_missing(shards, source)}",
        "give one of the shards, or save the weights in one file (model.save_weights('model.weights.h5'))",
    )


def _missing(shards: list[str], source: OpenFile) -> str:
    """Which shards are not beside their index; a name that leads elsewhere is not looked for."""
    looked_for = [name for name in shards[:_LOOKED_FOR] if "/" not in name and "\0" not in name]
    missing = [name for name in looked_for if not is_file(source.path.parent / name)]
    return f" ({listed(missing)} missing)" if missing else ""

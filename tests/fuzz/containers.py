"""Spoil configurations, and the directories of archives."""

from __future__ import annotations

import copy
import dataclasses
import functools
import io
import json
import re
import struct
import zipfile
from typing import TYPE_CHECKING, Any

from tests.fuzz import spoil
from tests.fuzz.bases import CONFIG, bases, donors
from weightkit.access.formats.zip_records import CENTRAL, END, LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.fuzz.bases import Subject

_SCAN = ("scan", "")
_LARGE = 1 << 20  # bytes of a configuration that is not changed again


@functools.cache
def _configs() -> tuple[str, ...]:
    return tuple(json.dumps(config) for config in donors())


@functools.cache
def _archives() -> tuple[Subject, ...]:
    return tuple(base for base in bases() if base.is_archive)


@functools.cache
def _legacy() -> tuple[Subject, ...]:
    return tuple(base for base in bases() if not base.is_archive and base.config() is not None)


def spoiled_config(random: Random) -> Subject:
    """A configuration changed in any way, in an archive or in a legacy file."""
    base = random.choice((*_archives(), *_legacy()))
    config = base.config() if random.random() < 0.9 else json.loads(random.choice(_configs()))
    text = json.dumps(config)
    for _ in range(random.choice((1, 1, 2, 6))):
        if len(text) < _LARGE:
            config = random.choice(_CHANGES)(config, random)
            text = json.dumps(config)
    if random.random() < 0.05:
        text = spoil.edited(text, random)
    return _in_archive(base, text) if base.is_archive else _in_attribute(base, text, random)


def _in_attribute(base: Subject, text: str, random: Random) -> Subject:
    root, *rest = base.records()
    others = [one for one in root["attributes"] if one[0] != "model_config"]
    third = len(text) // 3
    parts = [[f"model_config{n}", "d", text[n * third : (n + 1) * third if n < 2 else None]] for n in range(3)]
    root["attributes"] = others + (parts if random.random() < 0.1 else [["model_config", "d", text]])
    return dataclasses.replace(base, replies=base.replies | {_SCAN: [root, *rest]})


def _in_archive(base: Subject, text: str) -> Subject:
    return base.with_member(CONFIG, lambda _: text.encode("utf-8", "surrogatepass"))


def _anything(config: Any, random: Random) -> Any:
    return spoil.spoiled(config, random)


def _layers(config: Any) -> list[Any]:
    """All lists of layers in a configuration."""
    found, stack = [], [config]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if isinstance(one.get("layers"), list) and one["layers"]:
                found.append(one["layers"])
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    return found


def _more_layers(config: Any, random: Random) -> Any:
    """Very many layers, of one name or of many."""
    if found := _layers(config):
        layers = random.choice(found)
        one = json.dumps(random.choice(layers))
        if len(one) < 4000:
            layers += [json.loads(one) for _ in range(random.choice((2, 50, 500)))]
            if random.random() < 0.5:
                for number, layer in enumerate(layers):
                    _set_name(
                        layer, f"{spoil.text(random)[:30]}{number}" if random.random() < 0.2 else f"dense_{number}"
                    )
    return config


def _set_name(layer: Any, name: str) -> None:
    if isinstance(layer, dict) and isinstance(layer.get("config"), dict):
        layer["config"]["name"] = name


def _model_in_itself(config: Any, random: Random) -> Any:
    """A model whose layer is the same model, some times over."""
    for _ in range(random.choice((1, 2, 4))):
        if (found := _layers(config)) and len(json.dumps(config)) < 200_000:
            random.choice(found).append(json.loads(json.dumps(config)))
    return config


def _deep_model(config: Any, random: Random) -> Any:
    """A model in a model in a model, or a layer in a wrapper in a wrapper."""
    key, listed = random.choice(
        (("layers", True), ("layer", False), ("cell", False), ("cells", True), ("wrapped", False))
    )
    names = random.choice((("Sequential", "keras"), ("TimeDistributed", "keras.layers"), ("Custom", "mine")))
    for depth in range(random.choice((5, 60, 70, 300, 900))):
        inner = {"name": random.choice(("a", f"model_{depth}")), key: [config] if listed else config}
        config = {"class_name": names[0], "module": names[1], "config": inner}
    return config


def _other_classes(config: Any, random: Random) -> Any:
    """Layers that say to be of another's class."""
    entries = [layer for layers in _layers(config) for layer in layers if isinstance(layer, dict)]
    for layer in entries:
        if random.random() < 0.3:
            # A copy: what stands there may hold the layer itself.
            layer["class_name"] = copy.deepcopy(random.choice(entries).get("class_name"))
    return config


def _other_parts(config: Any, random: Random) -> Any:
    """Layers of another model."""
    theirs = _layers(json.loads(random.choice(_configs())))
    if theirs and (ours := _layers(config)):
        random.choice(ours).extend(random.choice(theirs))
    return config


_CHANGES: tuple[Callable[[Any, Random], Any], ...] = (
    *[_anything] * 8, _more_layers, _model_in_itself, _deep_model, _other_classes, _other_parts,
)  # fmt: skip


def spoiled_archive(random: Random) -> Subject:
    """An archive whose directory, headers or end are changed."""
    base = random.choice(_archives())
    content = bytearray(base.content)
    for _ in range(random.choice((1, 1, 2, 4))):
        content = random.choice(_DIRECTORY)(content, random)
    return dataclasses.replace(base, content=bytes(content))


def _field(content: bytearray, random: Random) -> bytearray:
    """Change a number in a record."""
    signature, form = random.choice(((b"PK\1\2", CENTRAL), (b"PK\3\4", LOCAL), (b"PK\5\6", END)))
    places = [found.start() for found in re.finditer(re.escape(signature), content)]
    if places:
        start = random.choice(places)
        at, size = start + random.randrange(4, form.size - 3), random.choice((1, 2, 4))
        old = int.from_bytes(content[at : at + size], "little")
        new = random.choice((0, 1, 8, 9, 12, 14, 99, 2**16 - 1, 2**32 - 1, old + 1, old - 1, random.getrandbits(32)))
        content[at : at + size] = (new % (1 << 8 * size)).to_bytes(size, "little")
    return content


def _flip(content: bytearray, random: Random) -> bytearray:
    start = content.rfind(b"PK\1\2", 0, max(4, len(content) - 200))
    at = random.randrange(max(0, start), len(content)) if content else 0
    content[at : at + 1] = bytes([random.randrange(256)])
    return content


def _cut(content: bytearray, random: Random) -> bytearray:
    at = random.choice((len(content) - random.randrange(1, 200), random.randrange(len(content) + 1)))
    return content[: max(0, at)] if random.random() < 0.7 else content + content[at:]


def _extra(content: bytearray, random: Random) -> bytearray:
    """An extra field of zip64, or of nothing."""
    at = content.find(b"PK\1\2")
    if at < 0 or len(content) < at + CENTRAL.size:
        return content
    record = list(CENTRAL.unpack_from(content, at))
    more = struct.pack("<2H", 1, random.choice((0, 8, 16, 24, 65535))) + random.randbytes(random.choice((0, 8, 24)))
    record[11] = (record[11] + len(more)) % 2**16
    record[random.choice((8, 9, 16))] = 2**32 - 1
    behind = at + CENTRAL.size + record[10]
    content[at : at + CENTRAL.size] = CENTRAL.pack(*record)
    content[behind:behind] = more
    return content


def _rewritten(_: bytearray, random: Random) -> bytearray:
    """A sound archive with odd members: names, methods, comments, sizes."""
    base = random.choice(_archives())
    content = io.BytesIO()
    methods: tuple[int, ...] = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(io.BytesIO(base.content)) as old, zipfile.ZipFile(content, "w") as new:
        new.comment = spoil.text(random).encode("utf-8", "surrogatepass")[:60_000]
        folder = random.choice(("", "", "model/", f"{_name(random)}/"))
        for name in old.namelist():
            new.writestr(folder + name, old.read(name), random.choice(methods))
        methods = random.choice((methods, (zipfile.ZIP_STORED,)))  # packers take milliseconds to start
        for number in range(random.choice((1, 3, 30, 300) if len(methods) == 1 else (1, 3))):
            member = zipfile.ZipInfo(f"{random.choice((_name(random), 'assets'))}{number}")
            new.writestr(member, random.choice((b"", b"0" * 10_000)), random.choice(methods))
    return bytearray(content.getvalue())


def _name(random: Random) -> str:
    """A text that an archive can store as a name."""
    return spoil.text(random)[:60].encode("utf-8", "replace").decode().replace("\0", "")


_DIRECTORY: tuple[Callable[[bytearray, Random], bytearray], ...] = (
    _field,
    _field,
    _field,
    _flip,
    _cut,
    _extra,
    _rewritten,
)

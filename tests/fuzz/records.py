"""Spoil what the reading process says: its records, their lists of names, chunk tables and bytes."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import TYPE_CHECKING, Any

from tests.fuzz import spoil
from tests.fuzz.bases import bases

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.fuzz.bases import Subject
    from tests.fuzz.reader import Json

_SCAN = ("scan", "")
_LISTS = ("layer_names", "weight_names")
_TYPES = {
    "<f4": 4, ">f8": 8, "<f2": 2, "|V2": 2, "|b1": 1, "<i8": 8, "<text of variable length>": 16, "<reference>": 8,
    "|S4": 4, "O": 8, "<c8": 8,
}  # fmt: skip
_PLAIN: Json = {"filters": [], "attributes": [], "form": "order 0", "fill": "", "table": "", "content": ""}


def spoiled_index(random: Random) -> Subject:
    """Records changed in any way: values, types, order, number."""
    base = random.choice(bases())
    records = base.records()
    for _ in range(random.choice((1, 1, 2, 5))):
        if not records:
            break
        random.choice(_RECORDS)(records, random)
    return _with(base, records)


def spoiled_lists(random: Random) -> Subject:
    """Lists of names, and names of objects, changed: the parent computes the weights' names from them."""
    base = random.choice(bases())
    records = base.records()
    for _ in range(random.choice((1, 1, 3, 8))):
        if owners := [record for record in records if record.get("attributes")]:
            random.choice(_ATTRIBUTES)(random.choice(owners), random)
    return _with(base, records)


def grown(random: Random) -> Subject:
    """Very many weights, under names that are alike, long or deep; none has values."""
    count = random.choice((100, 100, 300, 300, 300, 1000, 1000, 3000))
    base, end = random.choice(bases()).padded(count)
    records = base.records()
    [group, *_] = [r for r in random.sample(records, len(records)) if r["type"] == "group"]
    name = random.choice(_GROWN)
    shape = random.choice(([], [2], [3, 4], [1, 1, 1, 1]))
    tails = list(dict.fromkeys(name(number, random) for number in range(count)))
    inside = f"{group['path']}/" if group["path"] else ""
    known = {record["path"] for record in records}
    unwritten = {"dtype": "<f4", "element": 4, "layout": "contiguous", "offset": None, "size": 0, "shape": shape}
    form = next(record for record in records if record["type"] == "dataset") | _PLAIN | unwritten
    records += [
        form | {"path": inside + tail, "address": end + number}
        for number, tail in enumerate(tails)
        if inside + tail not in known
    ]
    listed = random.choice((tails, tails[::-1], tails * 2, [text.rpartition("/")[0] for text in tails]))
    group["attributes"] = [one for one in group["attributes"] if one[0] not in _LISTS]
    group["attributes"].append([random.choice(_LISTS), "d", listed])
    return _with(base, records)


def _alike(number: int, _: Random) -> str:
    return f"dense_{number}/kernel:0"


def _variable(number: int, _: Random) -> str:
    return f"layers/dense_{number}/vars/0"


def _below(number: int, _: Random) -> str:
    return "/".join(["a"] * (number % 60 + 1)) + f"/vars/{number}"


def _of_one(number: int, _: Random) -> str:
    return f"vars/{number}"


def _word(number: int, _: Random) -> str:
    return f"lstm_{number}_W_i"


def _long(number: int, _: Random) -> str:
    return f"{'a/' * 50}dense_{number}/kernel:0"


def _any(_: int, random: Random) -> str:
    return "/".join(spoil.text(random)[:40] for _ in range(random.choice((1, 2, 5))))


_GROWN: tuple[Callable[[int, Random], str], ...] = (_alike, _variable, _below, _of_one, _word, _long, _any)


def spoiled_chunks(random: Random) -> Subject:
    """Chunk tables, and values that lie in a header, changed."""
    base = next(base for base in bases() if base.name == "chunked.weights.h5")
    replies = copy.deepcopy(base.replies)
    key = random.choice([key for key in replies if key != _SCAN])
    replies[key] = spoil.spoiled(replies[key], random, random.choice((1, 2, 4)))
    if not isinstance(replies[key], list):
        replies[key] = [replies[key]]
    return dataclasses.replace(base, replies=replies)


def spoiled_bytes(random: Random) -> Subject:
    """An answer's bytes changed: text that is no JSON, or an end that is missing."""
    seed = random.random()

    def changed(answer: bytes) -> bytes:
        return _spoiled_bytes(answer, type(random)(seed))

    return dataclasses.replace(random.choice(bases()), raw=changed)


def _spoiled_bytes(answer: bytes, random: Random) -> bytes:
    at, to = sorted(random.randrange(len(answer)) for _ in range(2))
    flipped = bytes([answer[at] ^ 1 << random.randrange(8)])
    odd = random.choice(
        (b"[]\n", b"{}\n", b"1\n", b'"end"\n', b"null\n", b"\n", b"[" * 100_000, b"\xff\n", b"9" * 9999)
    )
    return random.choice((
        answer[:at] + flipped + answer[at + 1 :],
        answer[:at],
        answer[:at] + answer[to:],
        answer[:at] + odd + answer[at:],
        odd + answer,
        answer * 2,
    ))  # fmt: skip


def _with(base: Subject, records: list[Any]) -> Subject:
    return dataclasses.replace(base, replies=base.replies | {_SCAN: records})


def _any_change(records: list[Any], random: Random) -> None:
    spoil.spoiled(records, random)


def _one_field(records: list[Any], random: Random) -> None:
    record = random.choice(records)
    if isinstance(record, dict) and record:
        key = random.choice(list(record))
        record[key] = spoil.spoiled(record[key], random)


def _retype(records: list[Any], random: Random) -> None:
    record = random.choice(records)
    if isinstance(record, dict):
        dtype, element = random.choice(list(_TYPES.items()))
        record |= {"dtype": dtype, "element": element, "layout": random.choice(("contiguous", "chunked", "compact"))}


def _reshape(records: list[Any], random: Random) -> None:
    """Another shape of as many elements, or one without stored values."""
    found = [r for r in records if isinstance(r, dict) and isinstance(r.get("shape"), list)]
    if not found:
        return
    record, axes = random.choice(found), [axis for axis in (1, 1, 2, 3) if random.random() < 0.5]
    whole = [axis for axis in record["shape"] if type(axis) is int]
    record["shape"] = random.choice((axes, [*axes, math.prod(whole)], [1] * 32, [0], [0, 2**62], [2**31, 2**31], None))
    if random.random() < 0.3:
        record |= {"offset": None, "size": 0}


def _repath(records: list[Any], random: Random) -> None:
    record = random.choice(records)
    if isinstance(record, dict):
        record["path"] = spoil.edited(str(record.get("path")), random)


def _alias(records: list[Any], random: Random) -> None:
    of = random.choice(records)
    path = of.get("path") if isinstance(of, dict) else None
    records.append({"path": spoil.text(random), "type": "alias", "of": random.choice((path, spoil.text(random)))})


def _twice(records: list[Any], random: Random) -> None:
    records.insert(random.randrange(len(records) + 1), random.choice(records))


def _gone(records: list[Any], random: Random) -> None:
    del records[random.randrange(len(records))]


def _mixed(records: list[Any], random: Random) -> None:
    random.shuffle(records)


def _foreign(records: list[Any], random: Random) -> None:
    """Records of another file too."""
    records += random.choice(bases()).records()[1:]


_RECORDS: tuple[Callable[[list[Any], Random], None], ...] = (
    _any_change, _any_change, _one_field, _one_field, _retype, _reshape, _repath, _alias, _twice, _gone, _mixed,
    _foreign,
)  # fmt: skip


def _spoil_value(owner: Json, random: Random) -> None:
    """Change an attribute's value as text or list of texts."""
    one = random.choice(owner["attributes"])
    if isinstance(one[2], str):
        one[2] = spoil.edited(one[2], random)
    elif isinstance(one[2], list) and one[2]:
        at = random.randrange(len(one[2]))
        change = (_edit_item, _repeat_item, _mix_items, _long_items)
        random.choice(change)(one[2], at, random)


def _edit_item(texts: list[str], at: int, random: Random) -> None:
    texts[at] = spoil.edited(texts[at], random)


def _repeat_item(texts: list[str], at: int, random: Random) -> None:
    texts[at:at] = [texts[at]] * random.choice((1, 9, 500, 10_000))


def _mix_items(texts: list[str], _: int, random: Random) -> None:
    random.shuffle(texts)


def _long_items(texts: list[str], at: int, random: Random) -> None:
    texts += [f"{texts[at]}{spoil.text(random)[:50]}{number}" for number in range(random.choice((3, 300, 5000)))]


def _split_list(owner: Json, random: Random) -> None:
    """Split a list into numbered parts, of which one may be missing."""
    name, digest, listed = random.choice(owner["attributes"])
    if isinstance(listed, list):
        owner["attributes"].remove([name, digest, listed])
        parts = [[f"{name}{number}", digest, [item]] for number, item in enumerate(listed[:2000])]
        owner["attributes"] += random.choice((parts, parts[1:], parts[::-1], parts[:1] * 2))


def _name(owner: Json, random: Random) -> None:
    """Give an object a name, or a legacy file's or a state file's attribute another value."""
    names = (*_LISTS, "name", "keras_version", "model_config", "schema", "dtype", "shape", "index", "duplicate", "path")
    told = random.choice((spoil.text(random), [spoil.text(random)], ["a/" * 40 + "b"], None))
    owner["attributes"].append([random.choice(names), "d", told])


def _swap_lists(owner: Json, random: Random) -> None:
    one, other = random.choice(owner["attributes"]), random.choice(owner["attributes"])
    one[2], other[2] = other[2], one[2]


_ATTRIBUTES: tuple[Callable[[Json, Random], None], ...] = (
    _spoil_value, _spoil_value, _spoil_value, _split_list, _name, _swap_lists,
)  # fmt: skip

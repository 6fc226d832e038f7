"""What is done with a file that opened: whatever the parent computes of it without writing anything."""

from __future__ import annotations

import contextlib
import functools
import json
from typing import TYPE_CHECKING

from tests.fuzz.bases import bases
from tests.fuzz.bounds import bounded
from weightkit import Cast, Drop, Reinitialize, Scale, Strip, diff, plan, show
from weightkit.access import match
from weightkit.access.like import borrow_configurations, borrow_names
from weightkit.errors import WeightkitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from weightkit.access.hdf5.file_store import FileStore

_LARGEST = 1 << 20  # bytes of a weight that is read
_FEW = 60  # weights of a store whose values are all compared
_SELECTIONS = (
    "kind:parameter", "kind:unknown", "role:kernel", "**/kernel", "dense*", "last:2", "first:1", "re:.*bias", "*/*",
    "class:Dense", "name:kernel", "rank:2", "trainable:true", "dtype:float32", "dens", "enc0der/kernal", "**/a/**/b/**",
)  # fmt: skip


def use(store: FileStore, random: Random) -> None:
    """Look at a store in every way; errors of our own end one way, not the others."""
    others = _sound(random.randrange(len(bases())))
    for way in _WAYS:
        with contextlib.suppress(WeightkitError), bounded():
            way(store, others, random)


@functools.cache
def _sound(number: int) -> FileStore:
    """Another store to compare with; it stays open."""
    return bases()[number].open()


def _shown(store: FileStore, _: FileStore, __: Random) -> None:
    listing = show(store)
    str(listing)
    listing._repr_html_()
    json.dumps(listing.to_dict())
    repr(store)


def _described(store: FileStore, _: FileStore, __: Random) -> None:
    for ref in store:
        store.configured(ref)
        with contextlib.suppress(WeightkitError):
            store.initial(ref)


def _read(store: FileStore, _: FileStore, random: Random) -> None:
    refs = [ref for ref in store if ref.nbytes <= _LARGEST]
    for ref in random.sample(refs, min(8, len(refs))):
        with contextlib.suppress(WeightkitError):
            store.read(ref)


def _selected(store: FileStore, _: FileStore, random: Random) -> None:
    str(show(store, where=random.choice(_SELECTIONS)))


def _suggested(store: FileStore, _: FileStore, __: Random) -> None:
    store.ref("enc0der/kernal")


def _planned(store: FileStore, _: FileStore, random: Random) -> None:
    acts = (Scale(0.5), Reinitialize(seed=1), Cast("float16"), Strip())
    str(plan(store, random.choice(acts)))


def _without(store: FileStore, _: FileStore, random: Random) -> None:
    [ref] = random.sample(list(store), 1) if len(store) else [None]
    if ref is not None:
        str(plan(store, Drop(), where="*" if random.random() < 0.2 else f"kind:{ref.kind}"))


def _matched(store: FileStore, other: FileStore, random: Random) -> None:
    ways: tuple[Callable[[], object], ...] = (
        lambda: match(store, other),
        lambda: match(other, store, "name"),
        lambda: match(store, store),
        lambda: borrow_names(store, other),
        lambda: borrow_configurations(other, store),
    )
    with contextlib.suppress(WeightkitError):
        str(random.choice(ways)())


def _compared(store: FileStore, other: FileStore, random: Random) -> None:
    if len(store) < _FEW and random.random() < 0.3:
        found = diff(*random.choice(((store, other), (other, store), (store, store))))
        str(found)
        json.dumps(found.to_dict())


_WAYS: tuple[Callable[[FileStore, FileStore, Random], None], ...] = (
    _shown, _described, _read, _selected, _suggested, _planned, _without, _matched, _compared,
)  # fmt: skip

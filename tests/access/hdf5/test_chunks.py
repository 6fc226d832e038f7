"""The table of chunks is checked again, whatever the reading process says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.hdf5.chunks import ChunkTable
from weightkit.access.hdf5.container import Body
from weightkit.access.hdf5.filters import Filter
from weightkit.access.hdf5.index import Index
from weightkit.errors import DamagedFileError, RefusedError, UnsafeFileError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

LENGTH = 10_000
BODY = Body(-1, 0, LENGTH, "model.h5")


class Says:
    """A reading process that gives these records."""

    def __init__(self, records: list[Any]) -> None:
        self.records = records

    def ask(self, *_: object) -> Iterator[Any]:
        return iter(self.records)


def dataset(shape: tuple[int, ...] = (10, 7), filters: tuple[str, ...] = (), dtype: str = "<f4") -> Any:
    record = {
        "path": "d",
        "type": "dataset",
        "address": 800,
        "shape": list(shape),
        "dtype": dtype,
        "element": 4,
        "layout": "chunked",
        "filters": list(filters),
        "offset": None,
        "size": 0,
        "attributes": [],
        "form": "",
        "fill": "",
    }
    return Index.of([record], LENGTH).datasets["d"]


def head(**changes: Any) -> Any:
    return {"chunk": [4, 4], "filters": [], "fill": "00000000"} | changes


def chunk(*at: int, **changes: Any) -> Any:
    return {"at": list(at), "mask": 0, "offset": 2000 + 100 * sum(at), "size": 64} | changes


def table(*records: Any, **changes: Any) -> Any:
    return ChunkTable.ask(Says(list(records)), BODY, dataset(**changes))


def test_a_sound_table_knows_its_chunks_and_which_part_each_covers() -> None:
    found = table(head(), chunk(4, 4), chunk(8, 4, mask=2, offset=LENGTH - 64))
    assert [part.at for part in found.chunks] == [(4, 4), (8, 4)]
    assert found.possible == 6
    assert list(found.places(8)) == [(8, 0), (8, 4)]
    assert found.inside((4, 4)) == (slice(0, 4), slice(4, 7))
    assert found.inside((8, 0)) == (slice(0, 2), slice(0, 4))


DAMAGED = {
    "of other axes": [head(chunk=[4])],
    "without axes": [head(chunk=[])],
    "of no length": [head(chunk=[4, 0])],
    "of negative length": [head(chunk=[-4, -4])],
    "with a missing element of another size": [head(fill="0000")],
    "twice at one place": [head(), chunk(0, 0), chunk(0, 0, offset=5000)],
    "outside the dataset": [head(), chunk(12, 0)],
    "just outside the dataset": [head(), chunk(0, 8)],
    "at a negative place": [head(), chunk(-4, 0, offset=5000)],
    "between places": [head(), chunk(2, 0)],
    "at a place of other axes": [head(), chunk(4)],
    "at a place of more axes": [head(), chunk(4, 0, 0)],
    "past the end of the file": [head(), chunk(0, 0, offset=LENGTH - 63)],
    "far past the end of the file": [head(), chunk(0, 0, offset=2**63)],
    "before the file": [head(), chunk(0, 0, offset=-1)],
    "of negative size": [head(), chunk(0, 0, size=-1)],
    "over each other": [head(), chunk(0, 0), chunk(4, 0, offset=2063)],
    "inside each other": [head(), chunk(0, 0, size=300), chunk(4, 0, offset=2010, size=10), chunk(8, 0, offset=2200)],
    "all in one place of the file": [head(), chunk(0, 0), chunk(4, 0, offset=2000)],
}


@pytest.mark.parametrize("records", DAMAGED.values(), ids=DAMAGED)
def test_a_table_that_cannot_be_is_damage(records: list[Any]) -> None:
    with pytest.raises(DamagedFileError, match=r"^d: "):
        table(*records)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("deflate",), [["deflate", 10]]),
        (("deflate",), [["deflate", -1]]),
        (("shuffle",), [["shuffle", 0]]),
        (("shuffle",), [["shuffle", 8]]),
        (("deflate",), []),
        ((), [["deflate", 4]]),
        (("szip",), [["szip", 4]]),
    ],
)
def test_filters_that_cannot_be_undone_and_applied_again_are_damage(names: tuple[str, ...], said: list[Any]) -> None:
    with pytest.raises(DamagedFileError, match=r"its filters .* are invalid"):
        table(head(filters=said), filters=names)


def test_a_filter_applied_twice_is_unsupported() -> None:
    said = [["deflate", 4], ["deflate", 4]]
    with pytest.raises(UnsupportedFileError, match="it applies a filter twice: deflate, deflate"):
        table(head(filters=said), filters=("deflate", "deflate"))


def test_filters_that_can_be_are_taken() -> None:
    said = [["shuffle", 4], ["deflate", 0], ["fletcher32", 0]]
    found = table(head(filters=said), filters=("shuffle", "deflate", "fletcher32"))
    assert found.filters == (Filter("shuffle", 4), Filter("deflate"), Filter("fletcher32"))


def test_chunks_that_are_too_large_or_too_many_are_unsafe() -> None:
    with pytest.raises(UnsafeFileError, match="a chunk must have at most 268435456 bytes"):
        table(head(chunk=[1 << 13, (1 << 13) + 1]))
    assert table(head(chunk=[1 << 13, 1 << 13])).possible == 1
    with pytest.raises(UnsafeFileError, match="at most 10000000 chunks"):
        table(head(chunk=[1, 1]), shape=(3163, 3163))
    assert table(head(chunk=[1, 1]), shape=(3162, 3162)).possible == 3162**2


NONSENSE = {
    "nothing": [],
    "a number": [5],
    "no fields": [{}],
    "text for an axis": [head(chunk=["4", 4])],
    "truth for an axis": [head(chunk=[True, 4])],
    "a fraction for an axis": [head(chunk=[4.0, 4])],
    "no digits": [head(fill="zz")],
    "a filter without an option": [head(filters=[["deflate"]])],
    "text for a place": [head(), chunk(0, 0, at="00")],
    "no place in the file": [head(), chunk(0, 0, offset=None)],
    "infinity for a size": [head(), chunk(0, 0, size=math.inf)],
    "text for a mask": [head(), chunk(0, 0, mask="1")],
}


@pytest.mark.parametrize("records", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_refused_as_such(records: list[Any]) -> None:
    with pytest.raises(UnsafeFileError, match="sent an invalid reply"):
        table(*records)


def test_a_table_of_what_is_no_plain_number_is_refused() -> None:
    with pytest.raises(DamagedFileError):
        table(head(), dtype="<text>")


odd = st.sampled_from([0, 4, 8, -4, 2000, LENGTH, 2**64, [], [4, 4], [0, 0], "00000000", None, True]) | st.floats()


@given(
    st.lists(
        st.builds(
            lambda start, changes: start | changes,
            st.sampled_from([head(), chunk(0, 0), chunk(4, 0), chunk(4, 4)]),
            st.dictionaries(st.sampled_from([*head(), *chunk(0)]), odd, max_size=2),
        ),
        max_size=4,
    )
)
def test_whatever_is_said_a_table_is_made_or_refused(records: list[Any]) -> None:
    try:
        found = table(*records)
    except RefusedError:
        return
    for part in found.chunks:
        assert 0 <= part.offset <= part.offset + part.size <= LENGTH
        assert part.at in found.places(part.at[0])

"""Nothing but our own errors comes out of the parent, whatever is in a file; a sample, 100,000 cases run apart."""

from __future__ import annotations

import pytest

from tests.fuzz.bases import bases
from tests.fuzz.bounds import TooLongError, bounded
from tests.fuzz.cases import KINDS, run, subject
from weightkit import open_weights

CASES = 200


def test_spoiled_files_are_opened_or_refused() -> None:
    found = [run(f"20261129:{number}") for number in range(CASES)]
    assert [result.fault for result in found if result.fault] == []
    outcomes = {result.outcome for result in found}
    assert {"opened", "DamagedFileError", "UnsafeFileError"} <= outcomes


def test_every_kind_of_case_is_drawn() -> None:
    assert {subject(f"1:{number}")[0] for number in range(CASES)} == set(KINDS)


def test_a_case_is_the_same_on_every_run() -> None:
    first, second = (subject("1:12") for _ in range(2))
    assert (first[0], first[1].content, first[1].replies) == (second[0], second[1].content, second[1].replies)


def test_what_is_recorded_of_sound_files_opens_like_the_files(tmp_path) -> None:
    for base in bases():
        path = tmp_path / base.name
        path.write_bytes(base.content)
        with base.open() as ours, open_weights(path) as theirs:
            assert [*ours] == [*theirs]


def test_what_takes_too_long_is_stopped() -> None:
    def forever() -> None:
        while True:
            pass

    with pytest.raises(TooLongError), bounded(0.05):
        forever()


def test_what_takes_too_much_memory_is_stopped() -> None:
    with pytest.raises(MemoryError), bounded():
        bytearray(300 << 20)

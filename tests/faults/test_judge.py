"""The harness' judge: it finds what is wrong where something is."""

from __future__ import annotations

import pytest

from tests.faults.cases import Case
from tests.faults.judge import Known, Run, judged, judged_next
from tests.faults.kinds import FAULTS, UNHARMED

IN_PLACE = Case("scale", "legacy", "in-place")
OLD, NEW, NEWER, EARLIER = (("old", 0o640), ("new", 0o640), ("newer", 0o640), ("earlier", 0o640))
BEFORE = {"model.h5": OLD, "model.h5.bak": EARLIER}
AFTER = {"model.h5": NEW, "model.h5.bak": EARLIER, "model.h5.bak.1": OLD}
KNOWN = Known(
    BEFORE,
    AFTER,
    {"model.h5": ("again", 0o640), "model.h5.bak": EARLIER, "model.h5.bak.1": OLD},
    AFTER | {"model.h5": NEWER, "model.h5.bak.2": NEW},
)
FAILED = "weightkit: model.h5: writing failed — make room\n"


def verdict(fault, code, errors, files, call="pwrite64"):
    return " ".join(judged(IN_PLACE, FAULTS[fault], call, KNOWN, Run(code, errors, files)))


@pytest.mark.parametrize(
    ("fault", "code", "errors", "files"),
    [
        ("EIO", 4, FAILED, BEFORE),
        ("EIO", 4, "weightkit: replaced, durability not confirmed: no\n", AFTER),
        ("SIGKILL", -9, "", BEFORE | {".model.h5.1-a.weightkit-tmp": ("part", 0o600)}),
        ("SIGTERM", 143, "weightkit: interrupted; nothing was left half done\n", BEFORE),
        ("SIGINT", 130, "weightkit: interrupted; nothing was left half done\n", AFTER),
        ("short", 0, "", AFTER),
        ("reader", 3, FAILED, BEFORE),
    ],
)
def test_what_is_as_it_must_be_passes(fault, code, errors, files):
    assert verdict(fault, code, errors, files) == ""


@pytest.mark.parametrize(
    ("fault", "code", "errors", "files", "wrong"),
    [
        ("SIGKILL", -9, "", BEFORE | {"model.h5": ("half", 0o640)}, "neither the old file nor the new one"),
        ("SIGKILL", -9, "", {"model.h5.bak": EARLIER}, "neither the old file nor the new one"),
        ("SIGKILL", -9, "", {"model.h5": NEW, "model.h5.bak": EARLIER}, "THE OLD FILE IS LOST"),
        ("SIGKILL", -9, "", {"model.h5": NEW, "model.h5.bak": OLD}, "a file that was there before is gone"),
        ("EIO", 4, FAILED, BEFORE | {".model.h5.1-a.weightkit-tmp": OLD}, "which is neither as before"),
        ("EIO", 4, FAILED, BEFORE | {"model.h5": ("old", 0o600)}, "neither the old file nor the new one"),
        ("EIO", 4, FAILED, AFTER, "it does not say so"),
        ("EIO", 3, FAILED, BEFORE, "wanted 4"),
        ("EIO", 0, "", AFTER, "exit 0 although pwrite64 failed"),
        ("EIO", 4, FAILED + "Traceback\n", BEFORE, "2 lines"),
        ("SIGTERM", 0, "done\n", AFTER, "wanted 143"),
        ("short", 0, "", BEFORE, "wanted 0 and the new file"),
    ],
)
def test_what_is_not_as_it_must_be_is_told(fault, code, errors, files, wrong):
    assert wrong in verdict(fault, code, errors, files)


def test_the_next_run_must_clear_what_a_killed_one_left():
    hidden = {".model.h5.1-a.weightkit-tmp": ("part", 0o600)}
    run = Run(0, "", KNOWN.next_from_before | hidden)
    assert "after the next run" in " ".join(judged_next(IN_PLACE, KNOWN, BEFORE | hidden, run))
    assert not list(judged_next(IN_PLACE, KNOWN, BEFORE | hidden, Run(0, "", KNOWN.next_from_before)))


def test_the_next_run_must_find_the_old_file_a_name_among_the_backups():
    killed = {"model.h5": NEW, "model.h5.bak": EARLIER, ".model.h5.1-a.weightkit-old": OLD}
    lost = KNOWN.next_from_after | {"model.h5.bak.1": NEW}
    assert "missing among the backups" in " ".join(judged_next(IN_PLACE, KNOWN, killed, Run(0, "", lost)))


def test_an_unharmed_run_must_give_the_new_file():
    assert not list(judged(IN_PLACE, UNHARMED, "", KNOWN, Run(0, "", AFTER)))
    assert list(judged(IN_PLACE, UNHARMED, "", KNOWN, Run(0, "", BEFORE)))

"""``weightkit salvage``: what is printed, and the exit codes."""

from __future__ import annotations

import json
import re

import pytest
from support import DATA, on_a_terminal, run_weightkit

GOLDEN = DATA / "keras20_optimizer.h5"


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.h5"
    content = GOLDEN.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])
    return path


def test_each_weight_is_one_line_and_the_counts_come_last(broken):
    done = run_weightkit("salvage", broken, "-o", broken.with_name("out.h5"))
    assert done.returncode == 0
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert all(len(line) == 8 for line in lines)
    states = [line[0] for line in lines]
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{states.count('whole')} of {len(lines)} weights are whole")
    assert f"{states.count('lost')} lost" in last
    assert all((line[0] == "whole") == (len(line[6]) == 32) for line in lines)


def test_json_says_the_same(broken):
    done = run_weightkit("salvage", broken, "-n", "--json")
    record = json.loads(done.stdout)
    assert record["schema"] == "weightkit.salvage/1"
    assert record["output"] is None
    assert record["dry_run"] is True
    assert sum(record["totals"].values()) == len(record["weights"])
    assert {weight["state"] for weight in record["weights"]} <= {"whole", "partial", "lost"}
    assert not broken.with_name("out.h5").exists()


def test_the_table_fits_a_terminal_of_eighty_columns(broken):
    shown = on_a_terminal("salvage", broken, "-n")
    lines = re.sub(r"\x1b\[\d+m", "", shown).splitlines()
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(r"\d+ of \d+ weights are whole, .* lost", lines[-1])


def test_the_request_is_wrong_without_an_output(broken):
    done = run_weightkit("salvage", broken)
    assert done.returncode == 2
    assert "-o OUT" in done.stderr


def test_a_file_of_which_nothing_is_whole_is_refused(broken):
    broken.write_bytes(broken.read_bytes()[:600])
    done = run_weightkit("salvage", broken, "-o", broken.with_name("out.h5"))
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert not broken.with_name("out.h5").exists()


def test_show_names_the_command_and_the_command_works(broken):
    done = run_weightkit("show", broken)
    assert done.returncode == 3
    assert f"weightkit salvage {broken} -o OUT" in done.stderr

"""The tree of a version-3 file's objects."""

from __future__ import annotations

import pytest

from weightkit.access.names.naming import Stored
from weightkit.access.names.object_tree import MAX_DEPTH, grow, index_of


def stored(*structures: str) -> list[Stored]:
    return [Stored(structure, (1,), "float32") for structure in structures]


def test_weights_are_ordered_by_number_and_not_as_text() -> None:
    node = grow(stored("a/vars/10", "a/vars/2", "a/vars/0")).at("a")
    assert node is not None
    assert node.indices == [0, 2, 10]
    assert [s.structure for s in node.variables] == ["a/vars/0", "a/vars/2", "a/vars/10"]
    assert not node.whole


@pytest.mark.parametrize(
    ("structure", "index"),
    [
        ("vars/0", 0),
        ("layers/dense/vars/12", 12),
        ("vars/x", None),
        ("vars/-1", None),
        ("vars/²", None),
        ("vars/٣", None),
        ("vars/" + "9" * 5000, None),
        ("a/myvars/0", None),
        ("0", None),
        ("", None),
    ],
)
def test_only_a_number_in_vars_is_a_weight(structure: str, index: int | None) -> None:
    assert index_of(structure) == index


def test_what_lies_too_deep_is_left_out() -> None:
    deep = "/".join("a" * MAX_DEPTH)
    assert len(list(grow(stored(f"{deep}/vars/0")).below())) == MAX_DEPTH + 1
    assert len(list(grow(stored(f"a/{deep}/vars/0")).below())) == 1


def test_private_and_public_attributes_answer_to_each_other() -> None:
    tree = grow(stored("mha/_query_dense/vars/0", "mha/key_dense/vars/0"))
    for path in ("mha/query_dense", "mha/_query_dense", "mha/key_dense", "mha/_key_dense"):
        assert tree.at(path) is not None
    assert tree.at("mha/value_dense/more") is None


def test_what_is_saved_under_a_name_is_kept_beside_the_numbered() -> None:
    node = grow(stored("a/vars/idf_weights", "a/vars/0", "a/vars/12345678901", "a/b/c")).at("a")
    assert node is not None
    assert [s.structure for s in node.named] == ["a/vars/idf_weights"]
    assert [s.structure for s in node.variables] == ["a/vars/0"]
    assert node.has_weights
    assert not node.children

"""Weights that an object saves under names: the file says the names, the class the kinds."""

from __future__ import annotations

from typing import Any

from weightkit.access.names.naming import Stored
from weightkit.access.names.objects import name_objects
from weightkit.access.ref import Kind, Source

F = "float32"


def named(structures: list[str], names: dict[str, str], *entries: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    stored = [Stored(structure, (3,), F) for structure in structures]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": list(entries)}} if entries else None
    found, *_ = name_objects(stored, names, config)
    return {one.structure: (one.layer, one.name, one.kind, one.known_from) for one in found}


def test_a_lookups_frequencies_are_a_statistic_by_its_key_or_its_configuration() -> None:
    structure, names = "layers/string_lookup/vars/idf_weights", {"layers/string_lookup": "look"}
    entry = {"module": "keras.layers", "class_name": "StringLookup", "config": {"name": "look"}}
    expected = {structure: ("look", "idf_weights", Kind.STATISTIC, Source.FILE)}
    assert named([structure], names) == named([structure], names, entry) == expected


def test_text_vectorization_saves_them_twice_and_both_are_named() -> None:
    above = "layers/text_vectorization"
    structures = [f"{above}/_lookup_layer/vars/idf_weights", f"{above}/vars/idf_weights"]
    names = {above: "text", f"{above}/_lookup_layer": "string_lookup"}
    entry = {"module": "keras.layers", "class_name": "TextVectorization", "config": {"name": "text"}}
    for entries in ((), (entry,)):
        found = named(structures, names, *entries)
        assert [one[:3] for one in found.values()] == [
            ("text", "idf_weights", Kind.STATISTIC),
            ("text/string_lookup", "idf_weights", Kind.STATISTIC),
        ]


def test_other_names_have_the_kind_that_they_have_in_every_class_of_keras() -> None:
    names = {"layers/mine": "own"}
    found = named([f"layers/mine/vars/{key}" for key in ("kernel", "moving_mean", "strength")], names)
    assert [one[1:3] for one in found.values()] == [
        ("kernel", Kind.PARAMETER),
        ("moving_mean", Kind.STATISTIC),
        ("strength", Kind.UNKNOWN),
    ]


def test_a_class_that_saves_numbers_is_not_read_where_a_name_stands_beside_them() -> None:
    structures = ["layers/dense/vars/0", "layers/dense/vars/1", "layers/dense/vars/extra"]
    found = named(structures, {"layers/dense": "d"})
    assert [one[:2] for one in found.values()] == [("d", None), ("d", None), ("d", "extra")]

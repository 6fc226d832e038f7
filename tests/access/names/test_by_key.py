"""Names from keys alone."""

from __future__ import annotations

from weightkit.access.names.naming import Naming, Stored
from weightkit.access.names.objects import name_objects
from weightkit.access.ref import Kind, Source

F = "float32"
DENSE = {"0": ((3, 4), F), "1": ((4,), F)}


def at(path: str, arrays: dict[str, tuple[tuple[int, ...], str]]) -> list[Stored]:
    return [Stored(f"{path}/vars/{key}", shape, dtype) for key, (shape, dtype) in arrays.items()]


def names(stored: list[Stored], object_names: dict[str, str] | None = None) -> list[str | None]:
    return [n.name for n in read(stored, object_names)]


def read(stored: list[Stored], object_names: dict[str, str] | None = None) -> list[Naming]:
    namings, ordered, _ = name_objects(stored, object_names or {}, None)
    assert not ordered
    return namings


def test_a_child_of_a_list_of_layers_is_its_keys_class() -> None:
    (kernel, bias) = read(at("layers/dense_1", DENSE))
    assert (kernel.name, kernel.kind, kernel.layer_class) == ("kernel", Kind.PARAMETER, "Dense")
    assert (bias.name, bias.layer, bias.trainable, bias.known_from) == ("bias", None, None, Source.KEY)


def test_keras_2_13_has_its_own_name_for_the_list() -> None:
    assert names(at("_layer_checkpoint_dependencies/dense_4", DENSE)) == ["kernel", "bias"]


def test_an_attribute_tells_nothing() -> None:
    assert names(at("dense", {"0": ((7, 3), F)})) == [None]
    assert names(at("blocks/dense", DENSE)) == [None, None]


def test_an_attribute_called_layers_is_no_list() -> None:
    assert names(at("layers/dense", DENSE), {"layers": "thing", "layers/dense": "a"}) == [None, None]
    assert names(at("layers/dense", DENSE) + at("layers", {"0": ((1,), F)})) == [None, None, None]


def test_a_cell_below_a_known_layer_is_known() -> None:
    cell = {"0": ((3, 16), F), "1": ((4, 16), F), "2": ((16,), F)}
    assert names(at("layers/lstm/cell", cell)) == ["kernel", "recurrent_kernel", "bias"]


def test_anything_more_below_a_layer_makes_it_another_class() -> None:
    assert names(at("layers/dense", DENSE) + at("layers/dense/gate", DENSE)) == [None] * 4


def test_a_half_of_attention_is_no_attention() -> None:
    query = {"0": ((3, 2, 4), F), "1": ((2, 4), F)}
    assert names(at("layers/multi_head_attention/query_dense", query)) == [None, None]


def test_a_saved_seed_is_state() -> None:
    seed = at("layers/dropout/seed_generator", {"0": ((2,), "uint32")})
    (naming,) = read(seed)
    assert (naming.name, naming.kind) == ("seed_generator_state", Kind.STATE)
    assert names(at("layers/dropout/seed_generator", {"0": ((2,), F)})) == [None]


def test_a_users_class_of_the_same_key_must_fit() -> None:
    assert names(at("layers/dense", {"0": ((3, 4), F), "1": ((3,), F)})) == [None, None]


def test_what_the_file_names_is_in_the_path() -> None:
    stored = at("layers/functional/layers/dense", DENSE)
    named = {"": "model", "layers/functional": "encoder", "layers/functional/layers/dense": "first"}
    assert [n.layer for n in read(stored, named)] == ["encoder/first"] * 2
    assert [n.layer for n in read(stored, {"": "model", "layers/functional": "encoder"})] == [None] * 2

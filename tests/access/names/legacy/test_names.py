# ruff: noqa: PLC0415 - Keras takes seconds to import, and most tests here need none
"""Names in legacy files, compared with what each Keras version says about its live models."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.names.legacy.names import TOP_LEVEL, LegacyGroup, name_legacy, name_legacy_optimizer
from weightkit.access.names.naming import Naming, Stored
from weightkit.access.names.objects import name_objects
from weightkit.access.ref import Kind, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Keras 3.15 hands TensorFlow variables to np.array, which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DATA = Path(__file__).parents[3] / "data"
WHOLE = [
    "keras1_layers.h5",
    "keras1_nested.h5",
    "keras20_copied.h5",
    "keras20_optimizer.h5",
    "keras23_nested.h5",
    "keras315_bfloat16.h5",
    "keras315_lora.h5",
    "tfkeras215_attention.h5",
    "tfkeras215_nested.h5",
]
WEIGHTS_ONLY = [
    "keras1_layers.weights_only.h5",
    "keras20_layers.weights_only.h5",
    "tfkeras215_subclassed.weights_only.h5",
]


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def digest(dataset: h5py.Dataset) -> str:
    return hashlib.sha256(dataset[()].tobytes()).hexdigest()


def datasets(group: h5py.Group) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}
    group.visititems(lambda name, item: found.update({name: item} if isinstance(item, h5py.Dataset) else {}))
    return found


def stored(found: dict[str, h5py.Dataset], prefix: str = "") -> list[Stored]:
    return [Stored(prefix + name, dataset.shape, str(dataset.dtype)) for name, dataset in found.items()]


def read(path: Path) -> tuple[list[Naming], dict[str, str]]:
    """Names a legacy file's weights with plain h5py, and digests each."""
    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        names = [text(name) for name in root.attrs["layer_names"]]
        names += [TOP_LEVEL] * (TOP_LEVEL in root)
        groups = [LegacyGroup(name, tuple(map(text, root[name].attrs["weight_names"]))) for name in names]
        version = file.attrs.get("keras_version", root.attrs.get("keras_version"))
        config = json.loads(text(file.attrs["model_config"])) if "model_config" in file.attrs else None
        found = datasets(root)
        namings = name_legacy(groups, stored(found), config, None if version is None else text(version))
        return namings, {name: digest(dataset) for name, dataset in found.items()}


def expected(name: str) -> dict[str, dict[str, Any]]:
    """What the live model said, by dataset."""
    records = json.loads((DATA / "expected" / f"{name}.json").read_text())["weights"]
    return {record["dataset"].removeprefix("model_weights/"): record for record in records}


def name_one(
    group: str, weight: str, config: dict[str, Any] | None = None, version: str = "3.15.1", dtype: str = "float32"
) -> Naming:
    groups = [LegacyGroup(group, (weight,))]
    (naming,) = name_legacy(groups, [Stored(f"{group}/{weight}", (2,), dtype)], config, version)
    return naming


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


def model(*layers: dict[str, Any], name: str = "model") -> dict[str, Any]:
    return layer("Functional", name, layers=list(layers))


class TestGoldenFiles:
    """Files written by Keras 1.2.2, 2.0.9, 2.3.1, 2.15 and 3.15.1."""

    @pytest.mark.parametrize("name", WHOLE + WEIGHTS_ONLY)
    def test_every_weight_has_the_name_it_had_in_the_live_model(self, name: str) -> None:
        known = expected(name)
        namings, digests = read(DATA / name)
        assert {n.structure: n.name for n in namings} == {key: known[key]["name"] for key in digests}
        assert all(n.known_from is Source.FILE for n in namings)

    @pytest.mark.parametrize("name", sorted(set(WHOLE + WEIGHTS_ONLY) - {"keras1_nested.h5"}))
    def test_every_weight_lies_in_the_layers_it_lay_in(self, name: str) -> None:
        known = expected(name)
        assert [n.layer for n in read(DATA / name)[0]] == [
            "/".join(known[n.structure]["layers"]) for n in read(DATA / name)[0]
        ]

    def test_a_sequential_inside_another_in_keras_1_has_no_name_and_is_left_out(self) -> None:
        known = expected("keras1_nested.h5")
        different = {(n.layer, "/".join(known[n.structure]["layers"])) for n in read(DATA / "keras1_nested.h5")[0]}
        assert {pair for pair in different if pair[0] != pair[1]} == {("encoder/deep", "encoder/inner/deep")}

    @pytest.mark.parametrize("name", WHOLE)
    def test_whole_models_tell_class_and_flag_of_every_weight(self, name: str) -> None:
        known = expected(name)
        for naming in read(DATA / name)[0]:
            record = known[naming.structure]
            assert (naming.layer_class, naming.trainable) == (record["layer_class"], record["trainable"])

    @pytest.mark.parametrize("name", WEIGHTS_ONLY)
    def test_weights_alone_tell_no_class_and_never_a_wrong_flag(self, name: str) -> None:
        known = expected(name)
        for naming in read(DATA / name)[0]:
            assert naming.layer_class is None
            assert naming.trainable in (None, known[naming.structure]["trainable"])

    @pytest.mark.parametrize("name", WHOLE + WEIGHTS_ONLY)
    def test_every_weight_of_a_built_in_layer_has_a_kind(self, name: str) -> None:
        unknown = {n.name for n in read(DATA / name)[0] if n.kind is Kind.UNKNOWN}
        own = {"gain", "temperature"} if "subclassed" in name else set()
        assert unknown == own

    def test_what_training_measures_is_a_statistic(self) -> None:
        namings = [naming for name in WHOLE + WEIGHTS_ONLY for naming in read(DATA / name)[0]]
        statistics = {n.name for n in namings if n.kind is Kind.STATISTIC}
        keras_1, keras_2 = {"running_mean", "running_std"}, {"moving_mean", "moving_variance"}
        assert statistics == keras_1 | keras_2 | {"mean", "variance", "count"}

    def test_random_features_are_state_and_no_parameters(self) -> None:
        namings, _ = read(DATA / "tfkeras215_attention.h5")
        kinds = {n.name: n.kind for n in namings if n.layer_class == "RandomFourierFeatures"}
        assert kinds == {"kernel_scale": Kind.PARAMETER, "unscaled_kernel": Kind.STATE, "bias": Kind.STATE}

    def test_namings_come_in_the_order_of_the_lists(self) -> None:
        names = [n.name for n in read(DATA / "keras20_optimizer.h5")[0]]
        norm = ["gamma", "beta", "moving_mean", "moving_variance"]
        assert names == ["kernel", "bias", *norm, "kernel", "bias"]

    def test_a_weights_index_counts_in_its_own_layer(self) -> None:
        namings, _ = read(DATA / "tfkeras215_nested.h5")
        assert [n.index for n in namings if n.layer == "encoder/inner/block/bn"] == [0, 1, 2, 3]

    def test_a_model_s_own_weight_has_the_empty_layer(self) -> None:
        namings, _ = read(DATA / "tfkeras215_subclassed.weights_only.h5")
        assert [n.layer for n in namings if n.name == "temperature"] == [""]


class TestScopes:
    """What can be between a group and a weight's name."""

    @pytest.mark.parametrize(
        ("group", "weight", "layer_path"),
        [
            ("dense", "dense/kernel:0", "dense"),
            ("dense", "kernel", "dense"),
            ("dense", "sequential/dense/kernel", "dense"),
            ("dense", "outer/inner/dense/kernel", "dense"),
            ("dense_1", "dense_1_2/kernel:0", "dense_1"),
            ("block/conv", "block/conv/kernel:0", "block/conv"),
            ("block/conv", "block/conv_1/kernel:0", "block/conv"),
            ("lstm", "lstm/lstm_cell/kernel:0", "lstm/lstm_cell"),
            ("bi", "model/bi/forward_lstm/lstm_cell/kernel", "bi/forward_lstm/lstm_cell"),
            ("encoder", "dense/kernel", "encoder/dense"),
        ],
    )
    def test_without_a_configuration_the_rest_after_the_group_is_the_path(
        self, group: str, weight: str, layer_path: str
    ) -> None:
        assert name_one(group, weight).layer == layer_path

    def test_scopes_before_the_group_are_dropped_only_where_all_weights_share_them(self) -> None:
        group = LegacyGroup("head", ("body/head/kernel", "neck/kernel"))
        found = [Stored(f"head/{name}", (1,), "float32") for name in group.weight_names]
        assert [n.layer for n in name_legacy([group], found, None, "3.15.1")] == ["head/body/head", "head/neck"]

    def test_the_configuration_tells_the_models_between(self) -> None:
        config = model(model(model(layer("Dense", "deep"), name="inner"), name="encoder"))
        assert name_one("encoder", "deep/kernel:0", config).layer == "encoder/inner/deep"

    def test_two_layers_of_one_name_are_told_apart_by_nothing_and_left_as_written(self) -> None:
        inner = model(layer("Dense", "same"), name="a"), model(layer("Dense", "same"), name="b")
        naming = name_one("encoder", "same/kernel", model(model(*inner, name="encoder")))
        assert (naming.layer, naming.layer_class) == ("encoder/same", None)

    def test_a_copy_s_number_is_taken_off_where_the_configuration_has_the_layer(self) -> None:
        config = model(model(layer("Dense", "dense_5"), name="encoder"))
        assert name_one("encoder", "dense_5_1/kernel:0", config).layer == "encoder/dense_5"

    def test_a_layer_named_like_its_model_with_a_number_stays_a_layer(self) -> None:
        config = model(model(layer("Dense", "dense_5"), name="dense"))
        assert name_one("dense", "dense_5/kernel:0", config).layer == "dense/dense_5"

    def test_a_layer_named_like_its_model_stays_a_layer(self) -> None:
        config = model(model(layer("Dense", "head"), name="head"))
        assert name_one("head", "head/kernel:0", config).layer == "head/head"

    def test_scopes_of_a_model_the_layers_once_lay_in_are_dropped(self) -> None:
        config = model(model(layer("Dense", "dense"), name="encoder"))
        assert name_one("encoder", "old_model/dense/kernel", config).layer == "encoder/dense"

    def test_time_distributed_weights_of_keras_2_belong_to_the_wrapped_layer(self) -> None:
        config = model(layer("TimeDistributed", "td", layer=layer("Dense", "dense")))
        naming = name_one("td", "td/kernel:0", config, "2.15.0")
        assert (naming.layer, naming.layer_class) == ("td/dense", "Dense")

    def test_spectral_normalization_keeps_its_own_vector(self) -> None:
        config = model(layer("SpectralNormalization", "sn", layer=layer("Dense", "dense")))
        assert name_one("sn", "sn/vector_u:0", config, "2.15.0").layer == "sn"
        assert name_one("sn", "sn/kernel:0", config, "2.15.0").layer == "sn/dense"

    def test_cells_and_projections_have_the_class_of_keras_own(self) -> None:
        config = model(layer("LSTM", "lstm"), layer("MultiHeadAttention", "mha"))
        assert name_one("lstm", "lstm/lstm_cell/kernel", config).layer_class == "LSTMCell"
        assert name_one("mha", "mha/query/kernel", config).layer_class == "EinsumDense"

    def test_a_sublayer_that_no_configuration_lists_has_no_class_and_no_flag(self) -> None:
        naming = name_one("block", "block/dense/kernel", model(layer("Block", "block")))
        assert (naming.layer, naming.layer_class, naming.trainable) == ("block/dense", None, None)

    def test_what_lies_inside_a_cell_has_no_class_that_would_be_known(self) -> None:
        naming = name_one("lstm", "lstm/lstm_cell/own/kernel", model(layer("LSTM", "lstm")))
        assert (naming.layer, naming.layer_class) == ("lstm/lstm_cell/own", None)


class TestFlags:
    """Whether training changes a weight."""

    @pytest.mark.parametrize(("version", "trainable"), [("2.15.0", False), ("3.15.1", True)])
    def test_a_frozen_model_froze_all_within_until_keras_3(self, version: str, *, trainable: bool) -> None:
        frozen = model(layer("Dense", "dense"), name="encoder")
        frozen["config"]["trainable"] = False
        assert name_one("encoder", "dense/kernel", model(frozen), version).trainable is trainable

    def test_lora_takes_the_kernel_out_of_training(self) -> None:
        config = model(layer("Dense", "dense", lora_rank=2))
        assert name_one("dense", "dense/kernel", config).trainable is False
        assert name_one("dense", "dense/lora_kernel_a", config).trainable is True

    def test_a_weight_of_unknown_kind_is_known_to_be_frozen_but_not_to_be_trained(self) -> None:
        assert name_one("a", "a/gain", model(layer("Own", "a"))).trainable is None
        assert name_one("a", "a/gain", model(layer("Own", "a", trainable=False))).trainable is False


class TestKinds:
    """The kind of a weight, from its name and class."""

    def test_integers_that_stand_for_a_kernel_are_quantization(self) -> None:
        config = model(layer("Dense", "dense"))
        assert name_one("dense", "dense/kernel", config, dtype="int8").kind is Kind.QUANTIZATION

    def test_integers_of_an_unknown_class_are_no_parameter(self) -> None:
        assert name_one("a", "a/alpha", dtype="int32").kind is not Kind.PARAMETER

    def test_a_second_kernel_in_one_scope_is_a_parameter_too(self) -> None:
        naming = name_one("rnn_1", "rnn_1/recurrent_kernel_1:0", None, "2.3.1")
        assert (naming.name, naming.kind) == ("recurrent_kernel_1", Kind.PARAMETER)

    @pytest.mark.parametrize("name", ["renorm_mean", "renorm_stddev", "moving_stddev"])
    def test_batch_renormalization_measures(self, name: str) -> None:
        config = model(layer("BatchNormalization", "bn", renorm=True))
        assert name_one("bn", f"bn/{name}:0", config, "2.15.0").kind is Kind.STATISTIC


class TestOptimizer:
    """The variables under ``optimizer_weights``."""

    def test_a_slot_s_path_is_the_optimizer_s_scopes(self) -> None:
        found = [Stored("optimizer_weights/Adam/m/dense/kernel:0", (2,), "float32")]
        (naming,) = name_legacy_optimizer(["Adam/m/dense/kernel:0"], found)
        assert (naming.layer, naming.name) == ("optimizer_weights/Adam/m/dense", "kernel")
        assert naming.kind is Kind.OPTIMIZER

    def test_names_that_differ_only_in_their_number_stay_apart(self) -> None:
        names = ["m:0", "m:1", "v:0"]
        namings = name_legacy_optimizer(names, [Stored(f"optimizer_weights/{n}", (), "float32") for n in names])
        assert [n.name for n in namings] == ["m:0", "m:1", "v"]

    def test_what_no_list_names_is_the_optimizer_s_as_well(self) -> None:
        (naming,) = name_legacy_optimizer([], [Stored("optimizer_weights/x", (), "float32")])
        assert (naming.kind, naming.layer, naming.name) == (Kind.OPTIMIZER, None, None)

    @pytest.mark.parametrize("name", ["keras20_optimizer.h5"])
    def test_every_variable_of_a_real_optimizer_is_named_once(self, name: str) -> None:
        with h5py.File(DATA / name) as file:
            group = file["optimizer_weights"]
            names = [text(value) for value in group.attrs["weight_names"]]
            namings = name_legacy_optimizer(names, stored(datasets(group), "optimizer_weights/"))
        assert len({(n.layer, n.name) for n in namings}) == len(names) == len(namings)


SEGMENTS = st.sampled_from(["", "a", "a_1", "b", "W", "_W", "a_W_i", "forward_a", "x:0", ":0", "é", "/", "."])
PATHS = st.lists(SEGMENTS, max_size=4).map("/".join)
KEYS = st.sampled_from(
    ["class_name", "config", "layers", "layer", "backward_layer", "name", "trainable", "lora_rank", "cell", "dtype"]
)
SCALARS = st.none() | st.booleans() | st.integers() | SEGMENTS | st.just("Bidirectional") | st.just("LSTM")
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)
ENTRIES = st.recursive(
    ANYTHING,
    lambda inner: st.fixed_dictionaries(
        {
            "class_name": st.sampled_from(["Dense", "Model", "TimeDistributed", "Bidirectional", "LSTM"]),
            "config": st.fixed_dictionaries(
                {"name": SEGMENTS | SCALARS}, optional={"layers": st.lists(inner), "layer": inner}
            )
            | st.lists(inner),
        }
    ),
    max_leaves=12,
)


class TestHostileInput:
    """Damaged and malicious files never raise here: anything not understood is an orphan."""

    def test_a_dataset_that_no_list_names_comes_last_and_is_unknown(self) -> None:
        found = [Stored("lost", (), "float32"), Stored("dense/dense/kernel", (2,), "float32")]
        namings = name_legacy([LegacyGroup("dense", ("dense/kernel", "gone"))], found, None, "3.15.1")
        assert [n.structure for n in namings] == ["dense/dense/kernel", "lost"]
        assert namings[1] == Naming("lost", 0)

    def test_a_name_listed_twice_is_one_weight(self) -> None:
        found = [Stored("d/kernel", (2,), "float32")]
        assert len(name_legacy([LegacyGroup("d", ("kernel", "kernel"))] * 2, found, None, None)) == 1

    def test_a_hundred_thousand_weights_in_a_deep_configuration_are_named(self) -> None:
        deep = layer("Dense", "deep")
        for level in range(500):
            deep = model(deep, name=f"level_{level}")
        config = model(deep, *(layer("Dense", f"d_{i}") for i in range(10_000)))
        names = tuple(f"x/d/w_{j}:0" for j in range(10))
        groups = [LegacyGroup(f"d_{i}", names) for i in range(10_000)]
        found = [Stored(f"{g.name}/{name}", (), "float32") for g in groups for name in names]
        assert len(name_legacy(groups, found, config, "2.3.1")) == 100_000

    @given(
        st.lists(st.builds(LegacyGroup, PATHS, st.lists(PATHS, max_size=4).map(tuple)), max_size=4),
        st.lists(PATHS, max_size=3),
        st.none() | st.dictionaries(KEYS, ENTRIES) | ENTRIES.filter(lambda entry: isinstance(entry, dict)),
        st.none() | st.sampled_from(["", "1.2.2", "2.0.9", "2.3.0-tf", "3.15.1", "x"]),
    )
    def test_every_dataset_gets_exactly_one_naming(
        self, groups: list[LegacyGroup], lost: list[str], config: dict[str, Any] | None, version: str | None
    ) -> None:
        listed = [f"{group.name}/{name}" for group in groups for name in group.weight_names]
        structures = list(dict.fromkeys([*listed, *lost]))
        found = [Stored(structure, (2,), "float32") for structure in structures]
        assert sorted(n.structure for n in name_legacy(groups, found, config, version)) == sorted(structures)
        assert len(name_legacy_optimizer(listed, found)) == len(structures)


# --- Keras 3.15 live: one model, saved both ways -----------------------------------------------------------


def cases() -> Any:
    """The script that made the golden files: it asks a live model, through Keras alone."""
    path = DATA.parents[1] / "scripts" / "make" / "golden_cases.py"
    spec = importlib.util.spec_from_file_location("golden_cases", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nested() -> Any:
    from keras import Input, Model, Sequential, layers

    deep = Sequential([layers.Dense(2), layers.BatchNormalization()], name="deep")
    start = Input((2,))
    middle = Model(start, deep(layers.Dense(2)(start)), name="middle")
    deep.layers[0].trainable = False
    end = Input((2,))
    return Model(end, layers.Dense(1)(middle(layers.Dense(2)(end))))


def shared() -> Any:
    from keras import Input, Model, Sequential, layers

    both = layers.Dense(2, name="both")
    tower = Sequential([layers.Dense(2), both], name="tower")
    left, right = Input((2,)), Input((2,))
    return Model([left, right], layers.Add()([tower(left), tower(right), both(right)]))


def attention() -> Any:
    from keras import Input, Model, layers

    start = Input((3, 4))
    hidden = layers.MultiHeadAttention(2, 2)(start, start)
    hidden = layers.GroupQueryAttention(2, 2, 1, name="grouped")(hidden, hidden)
    hidden = layers.SpectralNormalization(layers.Dense(4))(hidden)
    return Model(start, layers.Attention(use_scale=True, score_mode="concat")([hidden, hidden]))


def reused() -> Any:
    """Layers built in one model and then used in another keep the first model's name in their weights' names."""
    from keras import Input, Model, Sequential, layers

    first = Sequential([layers.Dense(2), layers.Dense(2)], name="first")
    first.build((None, 2))
    start = Input((2,))
    inner = Model(start, first.layers[1](first.layers[0](start)), name="inner")
    end = Input((2,))
    return Model(end, inner(end))


def stack(shape: tuple[int, ...], *layers: Callable[[Any], Any]) -> Callable[[], Any]:
    def make() -> Any:
        import keras

        return keras.Sequential([keras.Input(shape), *(one(keras.layers) for one in layers)])

    return make


def adapted(change: Callable[[Any], object]) -> Callable[[], Any]:
    def make() -> Any:
        made = stack((4,), lambda k: k.Dense(4), lambda k: k.Dense(2))()
        change(made)
        return made

    return make


MODELS: dict[str, Callable[[], Any]] = {
    "nested": nested,
    "shared": shared,
    "attention": attention,
    "reused": reused,
    "subclassed": lambda: cases()._subclassed(__import__("keras")),
    "convolutions": stack(
        (9, 9, 1),
        lambda k: k.Conv2D(2, 3),
        lambda k: k.SeparableConv2D(2, 3),
        lambda k: k.DepthwiseConv2D(2),
        lambda k: k.Conv2DTranspose(2, 2),
        lambda k: k.PReLU(),
        lambda k: k.GroupNormalization(1),
    ),
    "recurrent": stack(
        (3, 2),
        lambda k: k.LSTM(2, return_sequences=True),
        lambda k: k.Bidirectional(k.GRU(2, return_sequences=True), name="both"),
        lambda k: k.RNN([k.LSTMCell(2), k.GRUCell(2)], return_sequences=True),
        lambda k: k.SimpleRNN(2, return_sequences=True),
    ),
    "two_sides": stack(
        (3, 2),
        lambda k: k.Bidirectional(k.LSTM(2, name="a"), backward_layer=k.GRU(2, go_backwards=True, name="z")),
    ),
    "time_distributed": stack(
        (3, 2),
        lambda k: k.TimeDistributed(__import__("keras").Sequential([k.Dense(2), k.Dense(2)], name="inner")),
        lambda k: k.TimeDistributed(k.BatchNormalization()),
    ),
    "conv_lstm": stack((3, 5, 5, 1), lambda k: k.ConvLSTM2D(2, 2)),
    "norms": stack(
        (2,), lambda k: k.Normalization(), lambda k: k.LayerNormalization(), lambda k: k.Dropout(0.5, seed=1)
    ),
    "einsum": stack((3, 4), lambda k: k.EinsumDense("abc,cd->abd", (None, 2), bias_axes="d")),
    "int8": adapted(lambda made: [one.quantize("int8") for one in made.layers]),
    "lora": adapted(lambda made: made.layers[0].enable_lora(2)),
    "mixed": stack((2,), lambda k: k.Dense(2, dtype="mixed_float16")),
}


@pytest.fixture(params=MODELS)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Any, Path]]:
    """A live model and its legacy file, with `.keras` beside it."""
    keras = pytest.importorskip("keras")
    keras.backend.clear_session()
    made = cases()._filled(MODELS[request.param]())
    path = tmp_path / "model.h5"
    made.save(path)
    made.save(path.with_suffix(".keras"))
    yield request.param, made, path
    keras.backend.clear_session()


def by_digest(namings: list[Naming], digests: dict[str, str]) -> dict[str, set[str]]:
    paths = defaultdict(set)
    for naming in namings:
        if naming.layer is not None and naming.name is not None:
            paths[digests[naming.structure]].add(f"{naming.layer}/{naming.name}".lstrip("/"))
    return dict(paths)


def read_archive(path: Path) -> dict[str, set[str]]:
    """Paths of a `.keras` archive's weights, by digest; those that it cannot name are left out."""
    archive = zipfile.ZipFile(path)
    with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        names = {}
        file.visititems(
            lambda key, item: names.update(
                {key.removesuffix("vars").strip("/"): text(item.attrs["name"])} if "name" in item.attrs else {}
            )
        )
        found = datasets(file)
        namings, *_ = name_objects(stored(found), names, json.loads(archive.read("config.json")))
        return by_digest(namings, {name: digest(dataset) for name, dataset in found.items()})


def test_a_legacy_file_and_an_archive_give_one_path_to_one_weight(saved: tuple[str, Any, Path]) -> None:
    _, _, path = saved
    legacy, archive = by_digest(*read(path)), read_archive(path.with_suffix(".keras"))
    # A layer in two places is stored twice in the one file, and once in the other.
    assert {key for key in legacy.keys() & archive.keys() if not legacy[key] & archive[key]} == set()


def test_layers_names_flags_and_classes_are_those_of_the_live_model(saved: tuple[str, Any, Path]) -> None:
    name, made, path = saved
    namings, _ = read(path)
    found = {(n.layer, n.name): n for n in namings}
    live = {("/".join(w["layers"]), w["name"]): w for w in cases().weights(made)}
    # The legacy format stores a layer that lies in two places once for each.
    extra = {("both", "kernel"), ("both", "bias")} if name == "shared" else set()
    assert set(found) - extra == set(live)
    for key, weight in live.items():
        assert found[key].trainable in ((None, weight["trainable"]) if name == "subclassed" else (weight["trainable"],))
        known = (None, weight["layer_class"]) if name == "subclassed" else (weight["layer_class"],)
        assert found[key].layer_class in known

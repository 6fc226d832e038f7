"""What becomes of weights whose matched layer has others: converted, resized, left, or refused with the reason."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from support import plain_datasets, write_legacy

from weightkit import Resizing, load_weights
from weightkit.errors import RequestError, SelectionError

RANDOM = np.random.default_rng(12)
IMAGE, WIDE, DEEP = (RANDOM.normal(size=(3, 3, n, 4)).astype("f4") for n in (3, 4, 4))
TABLE, LONGER = (RANDOM.normal(size=(rows, 5)).astype("f4") for rows in (10, 12))


@pytest.fixture
def copied(tmp_path):
    """Copy one file of layers into another; returns the report's notes and what the target holds then."""

    def copy(target, source, *, version=("2.15.0", "2.15.0"), backend=None, **options):
        paths = [tmp_path / "target.h5", tmp_path / "source.h5"]
        for path, layers, keras in zip(paths, (target, source), version, strict=True):
            write_legacy(path, layers)
            with h5py.File(path, "r+") as file:
                file.attrs["keras_version"] = keras
                if backend is not None and path is paths[1]:
                    file.attrs["backend"] = backend
        report = load_weights(*paths, **options)
        return report.plan.notes, {path.rpartition("/")[2]: v for path, v in plain_datasets(paths[0]).items()}

    return copy


def _model(kernel):
    return {"conv1": {"kernel": kernel}, "conv2": {"kernel": DEEP}}


def test_kernels_of_theano_are_mirrored_and_it_is_said(copied):
    layers = {"conv1": {"kernel": IMAGE}}
    notes, found = copied({"conv1": {"kernel": IMAGE * 0}}, layers, version=("2.15.0", "2.0.8"), backend="theano")
    assert np.array_equal(found["kernel:0"], IMAGE[::-1, ::-1])
    assert "1 converted (Theano's kernel mirrored): conv1/kernel" in notes


def test_kernels_of_tensorflow_stay_as_they_are(copied):
    layers = {"conv1": {"kernel": IMAGE}}
    notes, found = copied({"conv1": {"kernel": IMAGE * 0}}, layers, backend="tensorflow")
    assert np.array_equal(found["kernel:0"], IMAGE)
    assert notes == ("matched by name: 1 weight",)


def test_another_shape_is_refused_with_both_and_a_way_out_that_works(copied):
    with pytest.raises(SelectionError) as caught:
        copied(_model(WIDE), _model(IMAGE))
    assert "conv1/kernel is (3, 3, 4, 4) here and (3, 3, 3, 4) there" in str(caught.value)
    assert caught.value.hint == (
        "resize them with on_mismatch='resize' (--on-mismatch resize), or leave them as they are with 'skip'"
    )
    assert copied(_model(WIDE), _model(IMAGE), on_mismatch="resize")[1]["kernel:0"].shape == WIDE.shape
    _, found = copied(_model(WIDE), _model(IMAGE), on_mismatch="skip")
    assert np.array_equal(found["kernel:0"], DEEP)


def test_a_weight_that_the_source_lacks_is_refused_with_a_way_out_that_works(copied):
    target = {"a": {"kernel": TABLE, "bias": TABLE[0]}, "b": {"bias": TABLE[1]}}
    source = {"a": {"kernel": TABLE + 1}, "c": {"bias": TABLE[2]}}
    with pytest.raises(SelectionError, match="a/bias is not there, b/bias is not there") as caught:
        copied(target, source)
    assert caught.value.hint == "leave them as they are with on_missing='skip' (--on-missing skip)"
    _, found = copied(target, source, on_missing="skip")
    assert np.array_equal(found["kernel:0"], TABLE + 1)


def test_a_vocabulary_is_resized_as_its_words_say(copied):
    target, source = {"embedding": {"embeddings": LONGER}}, {"embedding": {"embeddings": TABLE}}
    notes, found = copied(target, source, on_mismatch="resize")
    assert np.array_equal(found["embeddings:0"][:10], TABLE)
    assert np.allclose(found["embeddings:0"][10:], TABLE.mean(axis=0))
    assert any("10 rows made 12" in note for note in notes)
    _, found = copied(target, source, on_mismatch="resize", resizing=Resizing(new_rows="zeros"))
    assert not found["embeddings:0"][10:].any()


def test_no_way_out_is_offered_that_would_load_nothing(copied):
    target = {"a": {"kernel": TABLE}, "p": {"kernel": LONGER}}
    source = {"q": {"kernel": LONGER.T}, "p": {"kernel": TABLE.T}}
    options = {"match": "name", "on_missing": "skip", "on_mismatch": "skip"}
    with pytest.raises(SelectionError, match="no parameters that this edit can change"):
        copied(target, source, **options)
    with pytest.raises(SelectionError, match="2 of 2 weights cannot be loaded from ") as caught:
        copied(target, source, match="name")
    assert caught.value.hint == (
        "say which layer is which with rename= (--rename OLD=NEW); suggest(target, source) (--suggest) proposes it"
    )


def test_what_would_help_is_said_once_and_after_the_problem(copied):
    target = {"embedding": {"embeddings": LONGER}, "a": {"kernel": TABLE}}
    source = {"embedding": {"embeddings": TABLE}, "a": {"kernel": TABLE}}
    with pytest.raises(SelectionError) as caught:
        copied(target, source, on_mismatch="resize", resizing=Resizing(new_rows="random_normal"))
    assert str(caught.value).count("\u2014") == 1
    assert caught.value.hint == (
        "give resizing=Resizing(..., seed=7) (--seed 7); "
        "leave them as they are with on_mismatch='skip' (--on-mismatch skip)"
    )
    with pytest.raises(SelectionError) as caught:
        copied({"embedding": target["embedding"]}, {"embedding": source["embedding"]})
    assert caught.value.hint == "resize them with on_mismatch='resize' (--on-mismatch resize)"


def test_what_is_not_selected_counts_neither_as_resized_nor_as_converted(copied):
    target = {"embedding": {"embeddings": LONGER}, "a": {"kernel": TABLE}, "old": {"kernel": TABLE}}
    source = {"embedding": {"embeddings": TABLE}, "a": {"kernel": TABLE + 1}, "old": {"W": TABLE + 2}}
    counts = {
        (None, "resize"): "3 weights, 1 resized, 1 converted",
        ("a", "resize"): "3 weights, 1 mismatched, 2 unused",
        ("a", "error"): "3 weights, 1 mismatched, 2 unused",
        ("old", "skip"): "3 weights, 1 mismatched, 2 unused, 1 converted",
    }
    for (where, choice), wanted in counts.items():
        notes, _ = copied(target, source, where=where, on_mismatch=choice, version=("2.2.4", "1.2.2"))
        assert notes[0] == f"matched by name: {wanted}"


def test_the_first_layer_takes_the_images_where_the_order_is_known(copied):
    notes, _ = copied(_model(WIDE), _model(IMAGE), on_mismatch="resize")
    assert any("3 channels made 4" in note for note in notes)
    with pytest.raises(SelectionError, match=r"conv2/kernel cannot be made, since .* of no kind that can be resized"):
        copied(
            {"conv1": {"kernel": IMAGE}, "conv2": {"kernel": DEEP}, "fc": {"bias": TABLE[0]}},
            {"conv1": {"kernel": IMAGE}, "conv2": {"kernel": IMAGE}, "fc": {"bias": TABLE[0]}},
            on_mismatch="resize",
        )


def test_a_head_for_other_classes_is_left_as_it_is(copied):
    target = {"a": {"kernel": TABLE}, "predictions": {"kernel": LONGER.T}}
    source = {"a": {"kernel": TABLE + 1}, "predictions": {"kernel": TABLE.T}}
    _, found = copied(target, source, on_mismatch="resize")
    assert np.array_equal(found["kernel:0"], LONGER.T)


def test_what_is_of_another_type_is_refused_before_it_is_needed(tmp_path):
    for option, value, kind in (("resizing", "zeros", "Resizing"), ("dequantize", "no", "bool")):
        with pytest.raises(RequestError, match=f"{option} must be a {kind}, got {value!r}"):
            load_weights(tmp_path / "a.h5", tmp_path / "b.h5", **{option: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("on_missing", "resize"),
        ("on_mismatch", "ignore"),
        ("backend", "torch"),
        ("data_format", "NHWC"),
        ("hard_sigmoid", True),
    ],
)
def test_a_word_that_is_no_choice_is_refused_with_those_that_are(tmp_path, option, value):
    with pytest.raises(RequestError, match=f"{option} must be one of .*, got {value!r}"):
        load_weights(tmp_path / "a.h5", tmp_path / "b.h5", **{option: value})

"""A conversion step by step: what is computed in which type, what is said, and what rounding loses."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from loading_layers import converted, weights

from weightkit.transforms.loading import LayerFacts, conversions
from weightkit.transforms.loading.conversion import Conversion

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def one(shape=(2, 3), dtype="f4"):
    return weights("d", {"kernel": shape}, dtype=dtype)[0]


def test_the_weight_itself_needs_no_step():
    values = np.ones((2, 3), "f4")
    plain = Conversion.of(one())
    assert (plain.what, plain(values).tolist()) == ("", values.tolist())


def test_steps_are_done_and_said_in_order():
    values = np.arange(6, dtype="f4").reshape(2, 3)
    made = Conversion.of(one()).then("turned", (3, 2), np.transpose).then("doubled", (3, 2), lambda array: array * 2)
    assert made.what == "turned, doubled"
    assert made(values).tolist() == (values.T * 2).tolist()


def test_a_conversion_says_what_it_is_and_shows_no_functions():
    assert "lambda" not in repr(Conversion.of(one()).then("turned", (3, 2), np.transpose))


def test_sources_are_never_changed():
    values = np.ones((2, 12), "f4")
    values.flags.writeable = False
    ours = weights("lstm", {"kernel": (2, 12), "recurrent_kernel": (3, 12), "bias": (12,)})
    facts = LayerFacts("LSTM", {"recurrent_activation": "hard_sigmoid"}, "2.1.6", "tensorflow")
    today = LayerFacts("LSTM", {"recurrent_activation": "hard_sigmoid"}, "3.15.1")
    made = conversions(ours, ours, source=facts, target=today, hard_sigmoid="rescale").of
    assert made[ours[0]](values)[0, 0] == np.float32(1.2)
    assert values[0, 0] == 1


@pytest.mark.parametrize("dtype", [np.dtype("f2"), BFLOAT16])
def test_narrow_types_are_computed_in_float32_and_rounded_once(dtype):
    values = np.float32([0.1, 0.3, 7.7]).astype(dtype)
    made = Conversion.of(one((3,), dtype)).then("tenth", (3,), lambda array: array * np.float32(0.1))
    wanted = (values.astype("f4") * np.float32(0.1)).astype(dtype)
    assert made(values).dtype == dtype
    assert made(values).tobytes() == wanted.tobytes()


def test_a_big_endian_source_gives_the_machines_own_order():
    values = np.arange(3, dtype=">f4")
    assert Conversion.of(one((3,), ">f4")).to(np.dtype("f4"))(values).tolist() == [0, 1, 2]
    assert Conversion.of(one((3,), ">f4")).to(np.dtype("f4")).steps == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("f4", "f2", "float32 rounded to float16"),
        ("f8", "f4", "float64 rounded to float32"),
        ("f4", BFLOAT16, "float32 rounded to bfloat16"),
        ("f2", BFLOAT16, "float16 rounded to bfloat16"),
        (BFLOAT16, "f2", "bfloat16 rounded to float16"),
        ("f2", "f4", ""),
        (BFLOAT16, "f4", ""),
        ("f4", "f8", ""),
        ("f4", ">f4", ""),
        ("i4", "f4", ""),  # not a conversion of floating-point types: who loads decides
    ],
)
def test_a_type_is_said_where_it_can_lose_digits(before, after, said):
    assert Conversion.of(one(dtype=before)).to(np.dtype(after)).what == said


def test_what_rounding_loses_is_counted():
    made = Conversion.of(one((5,))).to(np.dtype("f2"))
    values = np.float32([1, 0.1, 1e6, 1e-9, np.inf])
    lost = made.rounding(values)
    assert (lost.infinities, lost.zeros, lost.inexact) == (1, 1, 2)
    assert made(values).tolist() == [1, float(np.float16(0.1)), np.inf, 0, np.inf]
    assert Conversion.of(one((5,))).rounding(values).inexact == 0


def test_what_the_values_become_and_not_what_they_were_is_rounded():
    """A CuDNN bias of two halves that each fit and whose sum does not."""
    ours = weights("r", {"kernel": (1, 4), "recurrent_kernel": (1, 4), "bias": (4,)}, dtype="f2")
    theirs = weights("r", {"kernel": (1, 4), "recurrent_kernel": (1, 4), "bias": (8,)})
    made = conversions(ours, theirs).of[ours[2]]
    assert made.what == "CuDNNLSTM to LSTM, float32 rounded to float16"
    assert made.rounding(np.full(8, 6e4, "f4")).infinities == 4


def test_a_layer_whose_type_alone_differs_is_converted():
    arrays = {"kernel": np.float32([[0.1]])}
    values, steps, _ = converted(weights("d", {"kernel": (1, 1)}, dtype=BFLOAT16), arrays)
    assert values["kernel"].dtype == BFLOAT16
    assert steps == {"kernel": "float32 rounded to bfloat16"}

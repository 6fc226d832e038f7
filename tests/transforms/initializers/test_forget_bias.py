"""An LSTM's bias: its forget gate begins open."""

from __future__ import annotations

from weightkit.transforms.initializers import Draws, get
from weightkit.transforms.initializers.forget_bias import ForgetBias

DRAWS = Draws(9, "lstm/bias")


def test_the_second_quarter_is_ones_and_the_rest_as_configured():
    bias = ForgetBias(get("zeros"), get("ones"), 1, 4)
    assert bias((8,), DRAWS, 0, 8).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_cudnn_has_two_biases_in_one_and_opens_the_gate_of_the_second():
    bias = ForgetBias(get("zeros"), get("ones"), 5, 8)
    assert bias((8,), DRAWS, 0, 8).tolist() == [0, 0, 0, 0, 0, 1, 0, 0]


def test_what_lies_around_is_drawn_in_two_parts_with_fans_of_their_own():
    scaled = ForgetBias(get("he_normal"), get("ones"), 1, 4)
    values = scaled((400,), DRAWS, 0, 400)
    before = get("he_normal")((100,), DRAWS.part("before"), 0, 100)
    behind = get("he_normal")((200,), DRAWS.part("behind"), 0, 200)
    assert values[:100].tobytes() == before.tobytes()
    assert values[200:].tobytes() == behind.tobytes()


def test_what_does_not_fall_into_its_parts_is_objected_to():
    bias = ForgetBias(get("zeros"), get("ones"), 1, 4)
    assert "4 equal parts" in bias.objection((6,))
    assert "4 equal parts" in bias.objection((4, 2))
    assert "two or more axes" in ForgetBias(get("orthogonal"), get("ones"), 1, 4).objection((8,))
    assert bias.objection((8,)) == ""

"""Training that Keras saved goes on as if it had never stopped: the optimizer's state comes out of Keras' own files."""

from __future__ import annotations

import full
import pytest
from checkpoint_cases import (
    FORMATS,
    OPTIMIZERS,
    Subclassed,
    attention,
    compiled,
    give_weights,
    made,
    nested,
    recurrent,
    same,
    saved,
    state,
    train,
)

from weightkit.training import load_optimizer_state
from weightkit.training.optimizer.slot_values import values_of

EVERY_BACKEND = {("adam", "legacy"), ("accumulation", "archive"), ("nadam", "weights"), ("several", "archive")}
BY_DEFAULT = {
    ("accumulation", "legacy"), ("scaled several", "legacy"), ("adam", "folder"), ("schedule", "weights"),
    ("nadam", "archive"), ("adafactor", "archive"), ("rmsprop", "archive"), ("muon", "archive"), ("adamw", "archive"),
}  # fmt: skip
IMPOSSIBLE = {("adafactor", "legacy")}
"""Keras 3.15 gives two of its variables one name, and fails to save them."""


def cases():
    """With ``--full``, every optimizer in every format."""
    for optimizer in OPTIMIZERS:
        for form in FORMATS:
            one = (optimizer, form)
            if one in IMPOSSIBLE or not (full.enabled or one in BY_DEFAULT | EVERY_BACKEND):
                continue
            yield pytest.param(*one, marks=[pytest.mark.every_backend] if one in EVERY_BACKEND else [])


@pytest.mark.parametrize(("optimizer", "form"), [*cases()])
def test_training_that_keras_saved_goes_on_as_if_it_had_never_stopped(optimizer, form, tmp_path):
    model = made(optimizer)
    train(model)
    path = saved(model, tmp_path / FORMATS[form])
    other = made(optimizer)
    give_weights(model, other)
    report = load_optimizer_state(other, path)
    assert not report.unchanged
    assert same(state(model), state(other))
    assert train(model) == train(other)
    assert same(state(model), state(other))


KINDS = {"nested": nested, "recurrent": recurrent, "attention": attention, "subclassed": Subclassed.new}


@pytest.mark.parametrize("form", ["archive", "weights", "legacy"])
@pytest.mark.parametrize("kind", KINDS)
def test_slots_find_their_weights_in_models_of_every_kind(kind, form, tmp_path):
    model = compiled(KINDS[kind]())
    train(model)
    path = saved(model, tmp_path / FORMATS[form])
    other = compiled(KINDS[kind]())
    load_optimizer_state(other, path)
    ours, theirs = ([values_of(one) for one in each.optimizer.variables] for each in (other, model))
    assert same(ours, theirs)

"""Freezing and unfreezing loses nothing: every optimizer, act and moment, on models of four kinds.

By default every pair of choices is met; with ``--full`` every combination.
"""

from __future__ import annotations

import itertools
import warnings

import full
import keras
import pytest
from training_cases import MODELS, OPTIMIZERS, STEPS, compiled, counter, fit, same, slots, traced, weights

from weightkit.training import freeze, recompile, unfreeze
from weightkit.training.optimizer.parked_slots import parked_slots_of
from weightkit.training.optimizer.slot_values import values_of

ACTS = ("freeze", "unfreeze", "freeze-unfreeze-freeze")
MOMENTS = ("before", "after", "between")
FULL = [*itertools.product(OPTIMIZERS, ACTS, MOMENTS, MODELS)]
PAIRWISE = [
    (optimizer, ACTS[(i + j) % 3], MOMENTS[(i // 3 + j) % 3], model)
    for (i, optimizer), (j, model) in itertools.product(enumerate(OPTIMIZERS), enumerate(MODELS))
]
CASES = FULL if full.enabled else PAIRWISE
TRACED = {("adam", "sequential"), ("ema", "nested"), ("accumulation", "subclassed"), ("loss_scale", "shared")}
"""What is traced by default, and tried on every backend; all is with ``--full``."""


def where_of(model):
    return "backbone/part" if model == "nested" else "part"


def do(model, act, where):
    """Freeze or unfreeze as asked, and look after each step that nothing was lost."""
    known, count = slots(model.optimizer), counter(model.optimizer)
    for verb in act.split("-"):
        (freeze if verb == "freeze" else unfreeze)(model, where)
        parked = {(k, n): v.tobytes() for k, kept in parked_slots_of(model).items() for n, v in kept.slots.items()}
        now = slots(model.optimizer)
        assert not now.keys() & parked.keys()
        assert {key: (now | parked).get(key) for key in known} == known
        assert counter(model.optimizer) == count
        assert {id(v) for v in model.trainable_variables} == {id(v) for v in model.optimizer._trainable_variables}


def marked(case):
    marks = [pytest.mark.every_backend] if (case[0], case[3]) in TRACED else []
    return pytest.param(*case, id="-".join(case), marks=marks)


@pytest.mark.parametrize(("optimizer", "act", "moment", "model"), [marked(case) for case in CASES])
def test_nothing_is_lost(optimizer, act, moment, model, tmp_path):
    trained = (traced if full.enabled or (optimizer, model) in TRACED else compiled)(model, optimizer)
    where = where_of(model)
    if act == "unfreeze":
        freeze(trained, where)
    if moment != "before":
        fit(trained)
    do(trained, act, where)
    if moment != "after":
        count, part, head = counter(trained.optimizer), weights(trained, "part"), weights(trained, "head")
        fit(trained)
        assert counter(trained.optimizer) == count + STEPS
        assert same(weights(trained, "part"), part) == (act != "unfreeze")
        assert not same(weights(trained, "head"), head)
    if optimizer == "ema":
        recompile(trained)  # Keras saves no model on JAX whose averages share their memory with its weights
    forgets = model == "subclassed" and act != "unfreeze"
    (loses_its_state if forgets else keeps_all)(trained, tmp_path / "model.keras")


def keeps_all(model, path):
    """The file has weights and optimizer state as they are."""
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert [v.tobytes() for v in weights(loaded).values()] == [v.tobytes() for v in weights(model).values()]
    states = [[values_of(v).tobytes() for v in one.optimizer.variables] for one in (loaded, model)]
    assert states[0] == states[1]
    assert len(loaded.trainable_variables) == len(model.trainable_variables)


def loses_its_state(model, path):
    """The file has all, but Keras forgets the flags of a subclassed model, builds too much, and leaves the state."""
    model.save(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loaded = keras.saving.load_model(path)
    assert [v.tobytes() for v in weights(loaded).values()] == [v.tobytes() for v in weights(model).values()]
    if len(loaded.optimizer.variables) != len(model.optimizer.variables):
        assert any("Skipping variable loading" in str(one.message) for one in told)
        assert counter(loaded.optimizer) == 0


def test_the_pairwise_cases_meet_every_pair():
    for one, other in itertools.combinations(range(4), 2):
        pairs = {(case[one], case[other]) for case in PAIRWISE}
        assert pairs == {(case[one], case[other]) for case in FULL}

"""A large edit sets each variable as soon as it can, and still leaves all or nothing; read by Keras' own means."""

from __future__ import annotations

import linecache
import os
import sys
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from weightkit import Scale, edit, load_weights, open_weights, plan
from weightkit.access.edits import tasks, tiles
from weightkit.access.edits.transform import Transform
from weightkit.access.live import live_sink
from weightkit.access.ref import Kind
from weightkit.access.store import ALL
from weightkit.errors import MachineError, NonFiniteError

if TYPE_CHECKING:
    from collections.abc import Callable

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with warnings.catch_warnings():  # TensorFlow 2.21 warns of its own deprecations while it is imported
    warnings.simplefilter("ignore")
    import keras

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
EARLY = {"live_sink", "slot", "old_values", "undo", "handles"}


@dataclass(frozen=True)
class Doubling(Transform):
    """Doubles values, and asks somebody at each span."""

    ask: Callable[[Any, Any], Any] = lambda *_: None
    reads_models = False
    kinds = frozenset(Kind)

    def __call__(self, ref, values, span=ALL):
        self.ask(ref, span)
        return values + values


@pytest.fixture(autouse=True)
def tiny_is_large(monkeypatch):
    monkeypatch.setattr(live_sink, "_LARGE", 0)
    monkeypatch.setattr(tiles, "TILE", 4)


@pytest.fixture
def model():
    keras.utils.set_random_seed(3)
    made = [keras.layers.Dense(3, bias_initializer="random_normal", name=name) for name in "abc"]
    return keras.Sequential([keras.Input((3,)), *made])


def content(model):
    return [values.tobytes() for values in model.get_weights()]


def doubled(model):
    return [(values + values).tobytes() for values in model.get_weights()]


def at(path, act):
    """Do something when a weight is computed."""
    return lambda ref, _: act() if ref.path == path else None


def fail(error=ArithmeticError):
    raise error


def test_weights_are_set_while_others_are_computed_and_the_store_still_reads_the_old_ones(model):
    store, seen = open_weights(model), []
    before, wanted = model.get_weights(), doubled(model)

    def look():
        seen.append((content(model), [store[path].tobytes() for path in ("a/kernel", "a/bias", "c/kernel")]))
        seen.append(store.read("a/kernel", slice(2, 5)).tobytes())

    plan(store, Doubling(at("c/bias", look)), "**").apply(store)
    (during, read), span = seen
    assert during[:5] == wanted[:5]
    assert during[5] == before[5].tobytes()
    assert read == [before[i].tobytes() for i in (0, 1, 4)]
    assert span == before[0].reshape(-1)[2:5].tobytes()
    assert content(model) == wanted


@pytest.mark.parametrize("error", [ArithmeticError, KeyboardInterrupt, SystemExit])
def test_an_edit_that_fails_in_the_middle_leaves_all_as_it_was(model, error):
    before = content(model)
    with pytest.raises(error):
        edit(model, Doubling(at("c/kernel", lambda: fail(error))), "**")
    assert content(model) == before


def test_numbers_that_are_refused_at_the_end_leave_all_as_it_was(model):
    model.layers[0].kernel.assign(np.full((3, 3), 3e38, np.float32))
    before = content(model)
    with pytest.raises(NonFiniteError, match="9 infinities"):
        edit(model, Scale(2.0))
    assert content(model) == before


def test_a_plan_is_applied_twice_and_acts_follow_each_other(model):
    wanted = [(values * np.float32(0.125)).tobytes() for values in model.get_weights()]
    halving = plan(model, Scale(0.5))
    halving.apply(model)
    halving.apply(model)
    edit(model, [Scale(0.25), Scale(2.0)])
    assert content(model) == wanted


def test_a_file_is_loaded_or_nothing_of_it(model, tmp_path):
    model.save_weights(tmp_path / "w.weights.h5")
    wanted = content(model)
    edit(model, Scale(3.0))
    before = content(model)
    with pytest.raises(ArithmeticError):
        plan(model, _failing_load(tmp_path / "w.weights.h5")).apply(model, progress=_counting_down(5))
    assert content(model) == before
    load_weights(model, tmp_path / "w.weights.h5")
    assert content(model) == wanted


def _failing_load(path):
    from weightkit import LoadWeights  # noqa: PLC0415

    return LoadWeights(path)


def _counting_down(count):
    left = iter(range(count))
    return lambda _: next(left, None) is None and fail()


@pytest.mark.parametrize("good", [0, 1, 3])
def test_where_the_disk_is_full_old_values_stay_in_memory(model, monkeypatch, good):
    pwrite, calls = os.pwrite, []

    def full(*given):
        calls.append(given)
        return pwrite(*given) if len(calls) <= good else fail(OSError(28, "No space left on device"))

    monkeypatch.setattr(os, "pwrite", full)
    before, wanted = content(model), doubled(model)
    with pytest.raises(ArithmeticError):
        edit(model, Doubling(at("c/bias", fail)), "**")
    assert content(model) == before
    assert len(calls) == good + 1  # it is not tried again
    edit(model, Doubling(), "**")
    assert content(model) == wanted


def test_what_cannot_be_restored_is_named_and_the_others_are_as_they_were(model, monkeypatch):
    preadv, before = os.preadv, content(model)
    broken = iter([OSError(5, "Input/output error")])

    def bad(*given):
        error = next(broken, None)
        return preadv(*given) if error is None else fail(error)

    monkeypatch.setattr(os, "preadv", bad)
    with pytest.raises(MachineError, match=r"b/bias could not be restored: .*Input/output error"):
        edit(model, Doubling(at("c/kernel", fail)), "**")
    now = content(model)
    assert [i for i in range(6) if now[i] != before[i]] == [3]


def test_a_variable_of_two_addresses_is_set_when_both_are_computed(model):
    first, second = model.layers[0].kernel, model.layers[1].kernel
    values = first.numpy().copy()
    seen = []
    edit([first, second, first], Doubling(lambda *_: seen.append(first.numpy().tobytes())))
    assert set(seen) == {values.tobytes()}
    assert first.numpy().tobytes() == (values + values).tobytes()
    before = content(model)
    with pytest.raises(ArithmeticError):
        edit([first, first, second], Doubling(lambda ref, _: fail() if ref.index == 2 else None))
    assert content(model) == before


def test_what_may_read_a_model_sees_it_unchanged_to_the_end(model):
    """Here the source has the very variables of the target, which change places."""
    first, second = model.layers[0].kernel, model.layers[1].kernel
    wanted = [second.numpy().tobytes(), first.numpy().tobytes()]
    a, b = (variable.path.rpartition("/")[0] for variable in (first, second))
    load_weights([first, second], [first, second], rename={a: b, b: a})
    assert [first.numpy().tobytes(), second.numpy().tobytes()] == wanted


def test_variables_are_set_in_the_thread_that_edits_alone(model, monkeypatch):
    monkeypatch.setattr(tasks, "WORTH_THREADS", 0)
    monkeypatch.setattr("weightkit.access.edits.apply._TINY", 0)
    both = threading.Barrier(2, timeout=60)
    computing, setting = set(), set()
    handle = type(open_weights(model)._places[open_weights(model).ref("a/bias")].handle)
    put = handle.set
    monkeypatch.setattr(handle, "set", lambda *given: (setting.add(threading.get_ident()), put(*given)))

    def meet(ref, span):
        computing.add(threading.get_ident())
        if ref.path == "a/kernel" and span.start in {0, 4}:
            both.wait()

    wanted = doubled(model)
    edit(model, Doubling(meet), "**")
    assert len(computing) == 2
    assert setting == {threading.get_ident()}
    assert content(model) == wanted


class Interruption:
    """Raises KeyboardInterrupt at one of the lines of code that set variables early, as a signal may."""

    def __init__(self, number, functions=None):
        self.left, self.functions, self.where = number, functions, ""

    def __enter__(self):
        sys.settrace(self._call)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _call(self, frame, event, _):
        code = frame.f_code
        module = code.co_filename.rpartition("/")[2].removesuffix(".py")
        wanted = "/access/live/" in code.co_filename and module in EARLY
        return self._line if wanted and (self.functions is None or code.co_name in self.functions) else None

    def _line(self, frame, event, _):
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
        # Python handles no signal between the ends of a `with` block and those of its lock; this would.
        if event == "line" and not line.startswith(("with ", "try:")):
            self.left -= 1
            if self.left == 0:
                self.where = frame.f_code.co_name
                raise KeyboardInterrupt
        return self._line


# A file whose closing was interrupted is closed when it is collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_at_any_line_leaves_all_or_nothing(model):
    variables = [model.layers[0].kernel, model.layers[1].bias]
    store, act = open_weights(variables), plan(variables, Doubling(), "**")
    before = [variable.numpy() for variable in variables]
    number, old, new = 0, [v.tobytes() for v in before], [(v + v).tobytes() for v in before]
    while True:
        number += 1
        with Interruption(number) as interruption:
            try:
                act.apply(store)
            except KeyboardInterrupt:
                pass
            else:
                assert not interruption.where
                break
        now = [variable.numpy().tobytes() for variable in variables]
        # It is complete where only its file is left to close.
        assert now == (new if interruption.where == "close" else old), (number, interruption.where)
        for variable, values in zip(variables, before, strict=True):
            variable.assign(values)
    assert number > 100
    assert [variable.numpy().tobytes() for variable in variables] == new


def test_an_interruption_while_an_edit_is_undone_waits_until_all_is_as_it_was(model):
    variables = [model.layers[0].kernel, model.layers[1].bias, model.layers[2].bias]
    store = open_weights(variables)
    act = plan(variables, Doubling(lambda ref, _: fail() if ref.index == 2 else None), "**")
    before, number = content(model), 0
    while True:
        number += 1
        with Interruption(number, {"_restore_all", "_put_back", "_from_file", "read"}) as interruption:
            try:
                act.apply(store)
            except KeyboardInterrupt:
                assert interruption.where
            except ArithmeticError:
                break
        assert content(model) == before, (number, interruption.where)
    assert number > 20

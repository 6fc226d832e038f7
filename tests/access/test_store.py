"""What every store shares: look-ups by address, selections, and what becomes of one that is left open."""

from __future__ import annotations

import gc
import os
import warnings

import numpy as np
import pytest
from support import DATA, write_legacy

from weightkit import Scale, edit, open_weights, plan, show
from weightkit.access.edits.choose import plan_edit
from weightkit.errors import BusyError, NonFiniteError, RequestError, SelectionError, UnknownWeightError

KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def path(tmp_path):
    return write_legacy(
        tmp_path / "model.h5", {"encoder": {"kernel": KERNEL, "bias": KERNEL[0]}, "head": {"bias": KERNEL[1]}}
    )


@pytest.fixture
def store(path):
    with open_weights(path) as opened:
        yield opened


def test_a_path_and_a_structural_address_give_the_values(store):
    assert store["encoder/kernel"].tobytes() == KERNEL.tobytes()
    for ref in store:
        assert store[ref.structure].tobytes() == store[ref.path].tobytes() == store.read(ref).tobytes()


def test_a_span_is_read_by_address_too(store):
    assert store.read("encoder/kernel", slice(1, 4)).tolist() == [1, 2, 3]
    with pytest.raises(RequestError, match="step of a span must be 1, got 2"):
        store.read("encoder/kernel", slice(0, 4, 2))


def test_a_selection_gives_references(store):
    assert [ref.path for ref in store.select("name:bias", exclude="head")] == ["encoder/bias"]
    assert store.select() == tuple(store)
    with pytest.raises(SelectionError, match="chooses nothing"):
        store.select("decoder")


def test_an_address_or_a_reference_is_in_its_store_alone(store, tmp_path):
    first = next(iter(store))
    assert first in store
    assert first.path in store
    assert first.structure in store
    assert "nowhere" not in store
    assert 3 not in store
    with open_weights(write_legacy(tmp_path / "other.h5", {"encoder": {"kernel": KERNEL[:1]}})) as other:
        assert next(iter(other)) not in store


@pytest.mark.parametrize("address", ["encoder/kernal", "encoder/kernel[0]", "a:b", ""])
def test_an_unknown_address_is_a_key_error_in_one_line(store, address):
    with pytest.raises(KeyError) as raised:
        store[address]
    assert isinstance(raised.value, UnknownWeightError)
    assert repr(address) in str(raised.value)
    assert store.label in str(raised.value)


@pytest.mark.parametrize("weight", [0, None, b"encoder/kernel", 1.5, ("encoder", "kernel")])
def test_what_is_neither_an_address_nor_a_reference_is_refused(store, weight):
    for use in (store.__getitem__, store.read, store.ref):
        with pytest.raises(RequestError, match="a weight must be given by its address or reference, got ") as raised:
            use(weight)
        assert raised.value.problem.endswith(type(weight).__name__)


def test_a_layer_is_not_a_weight(store):
    with pytest.raises(UnknownWeightError) as raised:
        store["encoder"]
    assert raised.value.problem == "'encoder' is a layer, not a weight"
    assert raised.value.hint == "give one of encoder/kernel, encoder/bias"
    with pytest.raises(KeyError, match="there is no weight 'encode'"):
        store["encode"]


def test_the_structural_address_of_a_layer_is_not_a_weight_either():
    with open_weights(DATA / "keras315_bfloat16.weights.h5") as store:
        ref = next(iter(store))
        with pytest.raises(UnknownWeightError, match=f"is a layer, not a weight.*{ref.path}"):
            store[ref.structure.rpartition("/")[0]]


def test_a_selection_that_leaves_nothing_is_refused(store):
    for where, exclude in ((None, ["encoder", "head"]), ("encoder", "encoder"), (None, "re:.*")):
        with pytest.raises(SelectionError, match=r"the selection leaves nothing: exclude '.*' takes all of it"):
            store.select(where, exclude=exclude)


def test_an_unknown_address_names_the_nearest(store):
    with pytest.raises(UnknownWeightError, match=r"did you mean encoder/kernel"):
        store["encoder/kernal"]


def test_a_closed_store_refuses_to_be_used(path):
    with open_weights(path, editable=True) as store:
        ref = next(iter(store))
    store.close()
    for use in uses_of(store, ref):
        with pytest.raises(RequestError, match="store is closed"):
            use()
    assert "3 weights" in repr(store)
    assert store.label == str(path)
    assert "encoder/kernel" in store._repr_html_()


def uses_of(store, ref):
    """All that needs an open store."""
    return (
        store.__enter__,
        lambda: store.read(ref),
        lambda: store["encoder/kernel"],
        lambda: store.require_possible([ref]),
        lambda: store.editing([ref]).__enter__(),
        lambda: list(store),
        store.select,
        lambda: "encoder/kernel" in store,
        lambda: ref in store,
        lambda: store.ref("encoder/kernel"),
        lambda: plan(store, Scale(2.0)),
        lambda: edit(store, Scale(2.0)),
        lambda: show(store),
    )


def test_a_store_that_was_edited_in_place_must_be_opened_again(path):
    with open_weights(path, editable=True) as store:
        ref = store.ref("encoder/kernel")
        edit(store, Scale(2.0))
        for use in uses_of(store, ref):
            with pytest.raises(RequestError, match="this store has been edited: open it again"):
                use()
    with open_weights(path) as again:
        assert again["encoder/kernel"].tolist() == (KERNEL * 2).tolist()


def test_an_edit_with_an_output_or_a_failed_one_leaves_the_store_usable(path):
    with open_weights(path, editable=True) as store:
        with pytest.raises(NonFiniteError):
            edit(store, Scale(3e38))
        edit(store, Scale(2.0), output=path.with_name("out.h5"))
        assert store["encoder/kernel"].tolist() == KERNEL.tolist()
        edit(store, Scale(3.0))
    with open_weights(path) as again:
        assert again["encoder/kernel"].tolist() == (KERNEL * 3).tolist()


def test_a_store_whose_replacement_was_interrupted_at_its_end_must_be_opened_again(path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("weightkit.access.files.commit.sync_folder", interrupted)
    with open_weights(path, editable=True) as store:
        with pytest.raises(KeyboardInterrupt):
            edit(store, Scale(2.0))
        with pytest.raises(RequestError, match="this store has been edited"):
            store["encoder/kernel"]


def test_an_edit_with_an_output_needs_only_a_shared_lock(path):
    """With a reader elsewhere it works, from a path and from a store that is open for reading."""
    with open_weights(path) as reader:
        edit(path, Scale(2.0), output=path.with_name("first.h5"))
        edit(reader, Scale(2.0), output=path.with_name("second.h5"))
        with pytest.raises(BusyError, match="open in this process"):
            edit(path, Scale(2.0))
        with pytest.raises(RequestError, match="open for reading only"):
            edit(reader, Scale(2.0))
        assert reader["encoder/kernel"].tolist() == KERNEL.tolist()
    for name in ("first.h5", "second.h5"):
        with open_weights(path.with_name(name)) as written:
            assert written["encoder/kernel"].tolist() == (KERNEL * 2).tolist()


def test_a_store_that_is_forgotten_gives_its_lock_and_its_process_back(path):
    store = open_weights(path, editable=True)
    process = store._scanner._process
    with pytest.warns(ResourceWarning, match=r"model\.h5: the store was not closed"):  # noqa: PT031
        del store
        gc.collect()
    assert process.poll() is not None
    with open_weights(path, editable=True) as again:
        assert len(again) == 3


def test_a_store_that_was_closed_or_renamed_gives_no_warning(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_weights(path, like=path) as store:
            assert store["head/bias"].tolist() == KERNEL[1].tolist()
        del store
        gc.collect()


def test_a_forked_process_refuses_the_store_and_leaves_it_whole(path):
    with open_weights(path, editable=True) as store:
        child = os.fork()
        if child == 0:
            os._exit(_refused(store))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store._scanner._process.poll() is None
        assert store["encoder/kernel"].tobytes() == KERNEL.tobytes()


def _refused(store) -> int:
    """0 where a store that came by a fork refuses to be read, and closing it harms nobody."""
    try:
        store.read("encoder/kernel")
    except RequestError as error:
        store.close()
        return 0 if "was opened by process" in error.problem else 1
    return 2


@pytest.mark.own_process
def test_a_fork_collects_the_store_without_a_warning(path):
    with open_weights(path, editable=True) as store:
        child = os.fork()
        if child == 0:
            os._exit(_collected(store))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store["encoder/kernel"].tobytes() == KERNEL.tobytes()


def _collected(store) -> int:
    """0 where nothing is warned of when all that the store holds is collected."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        store._held.close()
        store.__dict__.clear()
        gc.collect()
    return len(caught)


def test_closing_gives_the_lock_back_while_a_fork_lives(path):
    ours, theirs = os.pipe()
    store = open_weights(path, editable=True)
    child = os.fork()
    if child == 0:
        os.close(theirs)
        os._exit(len(os.read(ours, 1)))  # lives until the parent closes the other end
    try:
        store.close()
        with open_weights(path, editable=True) as again:
            assert again["encoder/kernel"].tolist() == KERNEL.tolist()
    finally:
        os.close(theirs)
        os.close(ours)
        os.waitpid(child, 0)


def test_a_plan_is_verified_between_completion_and_commit(path):
    with open_weights(path, editable=True) as store:
        report = plan_edit(store, Scale(2.0)).apply(store, verify=True)
    assert report.verification.changed == 3

"""Which weights an edit touches, which it leaves and why, and what it will not leave undecided."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from support import DATA, GOLDEN, plain_datasets, write_legacy, write_variables

from weightkit import Scale, plan
from weightkit.access.select import parse
from weightkit.errors import RequestError, SelectionError

NESTED = DATA / "keras315_nested.keras"  # parameters, statistics and the optimizer's state
LEGACY = DATA / "keras20_optimizer.h5"
SUBCLASSED = DATA / "keras315_subclassed.weights.h5"  # most weights of unknown kind
INT8 = DATA / "keras315_int8.keras"
ATTENTION = DATA / "tfkeras215_attention.h5"  # statistics, state and a count that is an integer
ONES = np.ones(3, np.float32)


def chosen(path, where=None, exclude=None):
    return {ref.path for ref in plan(path, Scale(0.5), where, exclude).chosen}


def skipped(path, where=None, exclude=None):
    return {skip.ref.path: skip.reason for skip in plan(path, Scale(0.5), where, exclude).skipped}


def refusal(path, where=None, exclude=None):
    with pytest.raises(SelectionError) as caught:
        plan(path, Scale(0.5), where, exclude)
    assert caught.value.file == str(path)
    return caught.value


@pytest.fixture
def mixed(tmp_path):
    """Known and unknown weights, floats and integers."""
    layers = {
        "dense": {"kernel": ONES, "bias": ONES, "moving_mean": ONES},
        "mine": {"gain": ONES, "steps": np.arange(3), "mask": np.array([True, False])},
    }
    return write_legacy(tmp_path / "mixed.h5", layers)


def test_a_default_edit_changes_the_parameters_and_says_why_it_leaves_the_rest():
    assert chosen(NESTED) == {
        "dense_1/kernel",
        "dense_1/bias",
        "dense_2/kernel",
        "dense_2/bias",
        "encoder/dense/kernel",
        "encoder/dense/bias",
        "encoder/inner/deep/kernel",
        "encoder/inner/deep/bias",
        "encoder/inner/batch_normalization/gamma",
        "encoder/inner/batch_normalization/beta",
    }
    reasons = skipped(NESTED)
    assert reasons.pop("encoder/inner/batch_normalization/moving_mean") == "statistic, measured from data"
    assert reasons.pop("encoder/inner/batch_normalization/moving_variance") == "statistic, measured from data"
    assert set(reasons.values()) == {"optimizer state"}
    assert {path.partition("/")[0] for path in reasons} == {"optimizer"}


def test_statistics_and_state_of_every_kind_are_left_by_default():
    assert set(skipped(ATTENTION).values()) == {"statistic, measured from data", "state, such as a seed or a counter"}
    assert not {path.rpartition("/")[2] for path in chosen(ATTENTION)} & {
        "moving_mean", "moving_variance", "mean", "variance", "count", "unscaled_kernel",
    }  # fmt: skip


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_every_weight_is_either_changed_or_left_with_a_reason(path):
    planned = plan(path, Scale(0.5), where="**", exclude="class:Nothing") if path != INT8 else None
    if planned is not None:
        refs = [ref.structure for ref in planned.chosen] + [skip.ref.structure for skip in planned.skipped]
        assert len(refs) == len(set(refs)) == len(plain_datasets(path))
        assert all(skip.reason for skip in planned.skipped)


def test_unknown_weights_are_not_left_undecided():
    error = refusal(SUBCLASSED)
    assert "the file does not say what vars/0, block/vars/0, block/first/vars/0 and 7 more are" in error.problem
    assert all(option in error.hint for option in ("--where", "--exclude", "--like"))


def test_one_unknown_weight_is_spoken_of_as_one(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"mine": {"gain": ONES}, "dense": {"kernel": ONES}})
    assert "what mine/gain is, and skipping it could" in refusal(path).problem


def test_an_unknown_integer_is_left_and_needs_no_decision(mixed):
    assert skipped(mixed, exclude="mine/gain") == {
        "dense/moving_mean": "statistic, measured from data",
        "mine/gain": "excluded",
        "mine/steps": "it holds int64, and only floating-point numbers can be scaled",
        "mine/mask": "it holds bool, and only floating-point numbers can be scaled",
    }


def test_excluding_the_unknown_weights_settles_it(mixed):
    assert chosen(mixed, exclude="mine") == {"dense/kernel", "dense/bias"}


def test_selecting_the_unknown_weights_changes_them(mixed):
    assert chosen(mixed, where="**") == {"dense/kernel", "dense/bias", "mine/gain"}
    assert chosen(mixed, where="mine") == {"mine/gain"}


def test_a_selection_that_leaves_the_unknown_weights_out_settles_it_too(mixed):
    assert chosen(mixed, where="dense") == {"dense/kernel", "dense/bias"}
    assert skipped(mixed, where="dense")["mine/gain"] == "not selected"


@pytest.mark.parametrize("where", ["dense", "dense/**", "**", "*/*", "rank:1", "re:^dense/"])
def test_a_layer_a_wildcard_or_a_property_chooses_parameters_and_leaves_statistics_with_the_reason(mixed, where):
    assert {"dense/kernel", "dense/bias"} <= chosen(mixed, where=where)
    assert skipped(mixed, where=where)["dense/moving_mean"] == "statistic, measured from data"


@pytest.mark.parametrize(
    "where",
    ["kind:statistic", "name:moving_mean", "dense/moving_mean", "dense/dense/moving_mean:0", parse("kind:statistic")],
)
def test_statistics_join_when_they_are_asked_for_themselves(mixed, where):
    assert chosen(mixed, where=where) == {"dense/moving_mean"}


def test_a_union_may_ask_for_layers_and_statistics_alike(mixed):
    assert chosen(mixed, where=["dense", "kind:statistic"]) == {"dense/kernel", "dense/bias", "dense/moving_mean"}


def test_several_selections_are_a_union_and_exclusions_take_away(mixed):
    assert chosen(mixed, where=["name:kernel", "mine/gain"]) == {"dense/kernel", "mine/gain"}
    assert chosen(mixed, where="dense", exclude=["name:bias"]) == {"dense/kernel"}
    assert chosen(mixed, where="**", exclude=["name:bias", "mine"]) == {"dense/kernel"}
    assert skipped(mixed, where="dense", exclude="dense/bias")["dense/bias"] == "excluded"


def test_selector_objects_and_callables_choose_too(mixed):
    assert chosen(mixed, where=parse("dense") & ~parse("name:bias")) == {"dense/kernel"}
    assert chosen(mixed, where=lambda ref: ref.name == "bias") == {"dense/bias"}
    assert chosen(mixed, where="dense", exclude=lambda ref: ref.name == "bias") == {"dense/kernel"}
    assert chosen(mixed, where=[parse("name:kernel"), lambda ref: ref.name == "bias"]) == {
        "dense/kernel",
        "dense/bias",
    }


def test_what_a_callable_chooses_it_means(mixed):
    assert chosen(mixed, where=lambda ref: ref.name == "moving_mean") == {"dense/moving_mean"}


@pytest.mark.parametrize(
    ("path", "where", "why"),
    [
        (NESTED, "kind:optimizer", "optimizer state, which includes the step count and the learning rate"),
        (NESTED, "optimizer/vars/1", "optimizer state"),
        (LEGACY, "kind:optimizer", "optimizer state"),
        (LEGACY, "optimizer_weights/SGD/iterations:0", "optimizer state"),
        (ATTENTION, "name:count", "only floating-point numbers can be scaled"),
        (INT8, "first/kernel", "quantized layer"),
        (INT8, "name:kernel_scale", "quantized layer"),
        (INT8, "kind:quantization", "quantized layer"),
    ],
)
def test_what_can_never_be_scaled_is_refused_when_it_is_asked_for_itself(path, where, why):
    error = refusal(path, where=where)
    assert "is selected directly and cannot be changed" in error.problem
    assert why in error.problem


@pytest.mark.parametrize("where", ["mine/steps", "mine/mask", "name:steps"])
def test_an_integer_asked_for_itself_is_refused(mixed, where):
    assert "only floating-point numbers can be scaled" in refusal(mixed, where=where).problem


@pytest.mark.parametrize("path", [NESTED, LEGACY], ids=["keras", "legacy"])
def test_a_wildcard_leaves_what_can_never_be_scaled_with_the_reason(path):
    reasons = skipped(path, where="**")
    assert set(reasons.values()) == {"statistic, measured from data", "optimizer state"}
    assert chosen(path, where="**") == chosen(path)


def test_a_selection_under_the_optimizer_alone_chooses_only_what_an_edit_leaves():
    error = refusal(NESTED, where="optimizer")
    assert error.problem == "the selection 'optimizer' selects nothing that this edit can change: optimizer state"


@pytest.mark.parametrize("where", [None, "**", "first", "role:bias"])
def test_a_quantized_layer_is_refused_whole_its_bias_too(where):
    error = refusal(INT8, where=where)
    assert "quantized" in error.problem
    assert "cannot be changed as a whole" in error.problem
    assert "--exclude" in error.hint


def test_the_hint_for_quantized_layers_names_all_of_them():
    first = refusal(INT8)
    assert first.problem.startswith("quantized layers (dense, first)")
    assert first.hint == "skip them with --exclude 'dense' --exclude 'first'"
    second = refusal(INT8, exclude="dense")
    assert second.problem.startswith("quantized layers (first)")
    last = refusal(INT8, exclude=["dense", "first"])
    assert last.problem == "the file has no parameters that this edit can change"


@pytest.mark.parametrize("where", ["dense/kernl", "dnse", "name:kernle", "knd:statistic", "dense/dense/kernel"])
def test_an_empty_selection_shows_the_nearest_that_would_choose_something(mixed, where):
    error = refusal(mixed, where=where)
    assert error.problem == f"the selection '{where}' chooses nothing"
    assert error.hint.startswith("did you mean ")
    suggestion = error.hint.removeprefix("did you mean ").removesuffix("?").split(" or ")[0]
    assert chosen(mixed, where=suggestion)


@pytest.mark.parametrize("where", ["kind:optimizer", "role:lora", "rank:7"])
def test_a_field_of_few_values_that_nothing_has_is_answered_with_what_there_is(mixed, where):
    error = refusal(mixed, where=where)
    assert error.problem == f"the selection '{where}' chooses nothing"
    assert error.hint.startswith(f"the weights here are {where.partition(':')[0]}:")


def test_an_empty_selection_with_nothing_alike_says_where_to_look(mixed):
    error = refusal(mixed, where="qqqqqqqqqqqq")
    assert "`weightkit show` lists what is there" in error.hint


def test_an_empty_callable_selection_is_told_by_its_name(mixed):
    def nothing(_):
        return False

    assert "<locals>.nothing' chooses nothing" in refusal(mixed, where=nothing).problem


def test_an_empty_union_is_told_with_all_its_parts(mixed):
    assert "the selection 'nope | neither' chooses nothing" in refusal(mixed, where=["nope", "neither"]).problem


def test_a_selection_that_is_excluded_whole_is_refused(mixed):
    assert refusal(mixed, where="dense", exclude="**").problem == "everything in the selection 'dense' is excluded"


@pytest.mark.parametrize("where", ["re:(", "kind:nonsense", "[", "last:x:y", ""])
def test_a_malformed_selection_is_refused_wherever_it_stands(mixed, where):
    for arguments in ({"where": where}, {"exclude": where}, {"where": ["dense", where]}):
        with pytest.raises(SelectionError) as caught:
            plan(mixed, Scale(0.5), **arguments)
        assert caught.value.hint


def test_an_empty_list_never_means_everything(mixed):
    with pytest.raises(SelectionError, match="empty list"):
        plan(mixed, Scale(0.5), where=[])


def test_a_selection_by_order_binds_to_the_order_of_the_file(tmp_path):
    path = tmp_path / "m.h5"
    shutil.copyfile(DATA / "keras20_layers.weights_only.h5", path)
    assert {name.rpartition("/")[0] for name in chosen(path, where="last:1:*")} == {"dense_1"}


def test_a_factor_of_zero_is_noted(mixed):
    assert plan(mixed, Scale(0), where="dense").notes[0] == "the factor is 0: every selected weight becomes zero"
    assert not any("factor" in note for note in plan(mixed, Scale(2), where="dense").notes)


def test_planning_reads_no_values_and_leaves_the_file_alone(tmp_path):
    layers = {"d": {"kernel": np.ones(1 << 22, np.float32)}}
    path = write_legacy(tmp_path / "m.h5", layers)
    before = path.stat()
    plan(path, Scale(2))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_selection_that_is_no_selection_is_a_request_error(mixed):
    with pytest.raises(RequestError, match="where= must be a selection, got int"):
        plan(mixed, Scale(2), where=3)


@pytest.mark.parametrize(
    "given", [{"where": ["dense", "dnese"]}, {"exclude": "dnese"}, {"exclude": ["dense", "dnese"]}]
)
def test_a_path_that_matches_nothing_is_refused_beside_others_and_in_exclude(mixed, given):
    error = refusal(mixed, **given)
    assert error.problem == "the selection 'dnese' chooses nothing"
    assert "dense" in error.hint


def test_a_field_that_matches_nothing_beside_others_gets_a_note(mixed):
    planned = plan(mixed, Scale(2), where="dense", exclude="name:kernal")
    assert planned.notes[:1] == ("the selection name:kernal matches nothing",)


def test_a_name_given_as_a_path_is_answered_with_the_field(mixed):
    assert refusal(mixed, where="kernel").hint.startswith("did you mean name:kernel")


def test_what_is_unknown_is_noted_whether_it_is_chosen_or_left(mixed):
    left = plan(mixed, Scale(2), where="dense").notes
    assert left == ("1 weights of unknown kind are not selected: --like OTHER (like=) may give their kinds",)
    taken = plan(mixed, Scale(2), where="**").notes
    assert taken == ("1 of the selected weights are of unknown kind: statistics may be among them",)


def test_bytes_beside_floats_of_unknown_kind_are_a_quantized_layer(tmp_path):
    values = {"proj/vars/0": np.ones((4, 4), np.int8), "proj/vars/1": ONES, "proj/vars/2": ONES, "head/vars/0": ONES}
    path = write_variables(tmp_path / "m.weights.h5", values)
    for where in ("proj", "**"):
        assert refusal(path, where=where).hint == "skip them with --exclude 'proj/vars'"
    assert chosen(path, where="**", exclude="proj/vars") == {"head/vars/0"}


def test_a_quantized_object_without_a_name_leaves_its_neighbors_free(tmp_path):
    quantized = {f"layers/dense/vars/{n}": v for n, v in enumerate([np.ones((4, 4), np.int8), np.ones(4, "f4")])}
    plain = {"layers/dense_1/vars/0": np.ones((4, 3), "f4"), "layers/dense_1/vars/1": ONES}
    path = write_variables(tmp_path / "m.weights.h5", quantized | plain)
    assert chosen(path, where="layers/dense_1") == set(plain)

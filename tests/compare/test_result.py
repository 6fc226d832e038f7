"""What a comparison found is printed, ranked, and has a JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from weightkit import diff
from weightkit.errors import RequestError

VALUES = np.random.default_rng(0).standard_normal((8, 8)).astype("f4")
FIRST = {"a": {"kernel": VALUES}, "b": {"kernel": VALUES}, "c": {"kernel": VALUES}, "gone": {"gain": VALUES[0]}}
SECOND = {"a": {"kernel": VALUES}, "b": {"kernel": VALUES * np.float32(0.5)}, "c": {"kernel": -VALUES}}


@pytest.fixture
def found(files):
    return diff(*files(FIRST, SECOND))


def test_printing_shows_what_changed_and_counts_the_rest(found, tmp_path):
    assert str(found).splitlines() == [
        f"{tmp_path}/a.h5 and {tmp_path}/b.h5, matched by name",
        f"  c/kernel  differs  2  {2 * np.abs(VALUES).max():.3g}  -1.0000  sign flipped",
        f"  b/kernel  differs  0.5  {np.abs(VALUES).max() / 2:.3g}  1.0000  scaled by 0.5",
        "  gone/gain  missing  missing",
        "3 of 4 weights changed: 1 sign flipped, 1 scaled by 0.5, 1 missing",
    ]


def test_a_representation_is_one_line(found, tmp_path):
    assert repr(found) == (
        f"<Diff of '{tmp_path}/a.h5' and '{tmp_path}/b.h5': "
        "3 of 4 weights changed: 1 sign flipped, 1 scaled by 0.5, 1 missing>"
    )
    assert [repr(weight) for weight in found.weights] == [
        "<WeightDiff 'c/kernel': differs, 'sign flipped'>",
        "<WeightDiff 'b/kernel': differs, 'scaled by 0.5'>",
        "<WeightDiff 'gone/gain': missing, 'missing'>",
        "<WeightDiff 'a/kernel': equal>",
    ]


def test_a_diff_is_neither_true_nor_false(found):
    with pytest.raises(RequestError, match="a Diff has no truth value"):
        bool(found)


def test_the_json_holds_every_weight_and_the_documented_fields(found):
    record = json.loads(json.dumps(found.to_dict()), parse_constant=pytest.fail)
    assert list(record) == [
        "schema", "equal", "a", "b", "match", "summary", "counts", "weights", "optimizer", "notes",
    ]  # fmt: skip
    known = [
        "path", "status", "other", "structure", "other_structure", "kind", "shape", "other_shape", "dtype",
        "other_dtype", "renamed", "what",
    ]  # fmt: skip
    measures = ["max_abs", "max_at", "relative_l2", "cosine", "changed", "outside", "size"]
    assert [list(weight) for weight in record["weights"]] == [
        known + measures, known + measures, known, known + measures,
    ]  # fmt: skip
    assert record["counts"] == {"differs": 2, "missing": 1, "equal": 1}
    gone = record["weights"][2]
    assert (gone["path"], gone["other"], gone["other_shape"]) == ("gone/gain", None, None)
    at = record["weights"][0]["max_at"]
    assert abs(VALUES[tuple(at)]) == np.abs(VALUES).max()

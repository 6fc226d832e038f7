"""cast: values are rounded once into another type, what is lost is counted, and all else stays."""

from __future__ import annotations

import math
import shutil
from fractions import Fraction

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import (
    DATA,
    GOLDEN,
    REAL,
    Folder,
    place_of,
    plain_datasets,
    plain_members,
    plain_things,
    write_legacy,
    write_variables,
)

from weightkit import Cast, edit, open_weights, plan
from weightkit.access.ref import Kind
from weightkit.errors import NonFiniteError, RequestError, SelectionError

TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
NESTED = DATA / "keras315_nested.keras"
BFLOAT16 = DATA / "keras315_bfloat16.weights.h5"


def castable(path, to):
    """Addresses of the parameters that are not of that type, where no layer is quantized."""
    with open_weights(path) as store:
        refs = list(store)
    quantized = {ref.layer for ref in refs if ref.kind is Kind.QUANTIZATION}
    floats = set(map(np.dtype, TYPES.values()))
    return {
        ref.structure
        for ref in refs
        if ref.kind in {Kind.PARAMETER, Kind.UNKNOWN}
        and ref.layer not in quantized
        and ref.dtype in floats - {np.dtype(TYPES[to])}
    }


def rounded(values, to):
    with np.errstate(all="ignore"):
        return np.asarray(values).astype(TYPES[to])


@pytest.mark.parametrize("to", ["float16", "bfloat16"])
@pytest.mark.parametrize("path", GOLDEN + REAL, ids=lambda path: path.name)
def test_each_chosen_weight_is_rounded_and_all_else_stays_in_place_and_elsewhere_alike(path, to, tmp_path):
    chosen = castable(path, to)
    if not chosen:
        with pytest.raises(SelectionError, match=r"no parameters|quantized|the file does not say"):
            plan(path, Cast(to))
        return
    model, out = tmp_path / path.name, tmp_path / "out"
    shutil.copyfile(path, model)
    edit(model, Cast(to), where=lambda ref: ref.structure in chosen, output=out)
    things, old, new = plain_things(path), plain_datasets(path), plain_datasets(out)
    places = {place_of(structure, things) for structure in chosen}
    opaque = "V2" if to == "bfloat16" else np.dtype(TYPES[to]).str
    for name, thing in plain_things(out).items():
        was = things[name]
        assert (thing.shape, thing.storage) == (was.shape, was.storage)
        if name in places:
            assert thing.dtype.strip("|") == opaque
            assert thing.content == rounded(old[name], to).tobytes(), name
            says = thing.attributes.get("dtype", (None, None))[1]
            legacy = "layer_names" in things[""].attributes or "model_weights" in things
            assert says == ("bfloat16" if to == "bfloat16" and not legacy else None)
        else:
            assert thing == was
    assert new.keys() == old.keys()
    edit(model, Cast(to), where=lambda ref: ref.structure in chosen)
    assert plain_things(model) == plain_things(out)
    assert plain_members(model) == plain_members(out) == plain_members(path)


@pytest.mark.parametrize("wide", ["float32", "float64"])
@pytest.mark.parametrize("narrow", ["float16", "bfloat16"])
def test_to_a_wider_type_and_back_restores_every_bit_that_is_no_nan(narrow, wide, tmp_path):
    values = np.arange(1 << 16, dtype=np.uint16).view(TYPES[narrow])
    with np.errstate(invalid="ignore"):  # ml_dtypes 0.5 warns of signalling NaNs
        values = values[~np.isnan(values)]
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values}})
    assert edit(path, Cast(wide)).lost == {}
    assert plain_datasets(path)["d/d/kernel:0"].dtype == TYPES[wide]
    assert edit(path, Cast(narrow)).lost == {}
    assert plain_datasets(path)["d/d/kernel:0"].tobytes() == values.tobytes()


@pytest.mark.parametrize("source", TYPES)
@pytest.mark.parametrize("to", TYPES)
def test_every_pair_of_types_counts_what_numpy_says_was_lost(source, to, tmp_path):
    if source == to:
        return
    size = np.dtype(TYPES[source]).itemsize
    values = np.random.default_rng(7).integers(0, 256, 70_000 * size, dtype=np.uint8).view(TYPES[source])
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values}})
    report = edit(path, Cast(to), allow_nonfinite=True)
    after = plain_datasets(path)["d/d/kernel:0"]
    with np.errstate(invalid="ignore"):  # signalling NaNs
        exact, back = values.astype(np.float64), after.astype(np.float64)
    finite = np.isfinite(exact)
    assert (np.isnan(back) == np.isnan(exact)).all()
    expected = {
        "new_infinities": int((np.isinf(back) & finite).sum()),
        "new_zeros": int(((back == 0) & (exact != 0)).sum()),
        "inexact": int(((back != exact) & finite & np.isfinite(back)).sum()),
    }
    (weight,) = report.to_dict()["changed"]
    found = {name: weight.get(name, 0) for name in expected}
    assert found == expected
    assert "new_nans" not in weight


def nearest_bfloat16(value):
    """The bfloat16 nearest to a finite float64, ties to even, by exact rational arithmetic."""
    if value == 0:
        return value
    exact = abs(Fraction(value))
    exponent = max(math.frexp(float(exact))[1] - 8, -133)  # eight bits, and no finer than the smallest denormal
    count, rest = divmod(exact, Fraction(2) ** exponent)
    half = Fraction(1, 2) * Fraction(2) ** exponent
    if rest > half or (rest == half and count % 2):
        count += 1
    try:
        nearest = float(count * Fraction(2) ** exponent)
    except OverflowError:
        nearest = math.inf
    return math.copysign(nearest if nearest < 2.0**128 else math.inf, value)


def test_float64_is_rounded_to_bfloat16_once(tmp_path):
    """Around every tie between two bfloat16 numbers, where rounding to float32 on the way would be seen."""
    grid = np.arange(0, 0x7F80, dtype=np.uint16).view(ml_dtypes.bfloat16).astype(np.float64)
    ties = np.append((grid[:-1] + grid[1:]) / 2, grid[-1] + (grid[-1] - grid[-2]) / 2)
    near = np.concatenate([ties, np.nextafter(ties, 0), np.nextafter(ties, np.inf), ties * (1 + 2.0**-40)])
    tiny = np.array([0.0, 5e-324, 2.0**-134, np.nextafter(2.0**-134, 1), 2.0**-150, 1e308, 3.4e38])
    values = np.concatenate([grid, near, tiny])
    values = np.concatenate([values, -values])
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values}})
    edit(path, Cast("bfloat16"), allow_nonfinite=True)
    after = plain_datasets(path)["d/d/kernel:0"].astype(np.float64)
    expected = np.array([nearest_bfloat16(value) for value in values.tolist()])
    assert after.tobytes() == expected.tobytes()
    twice = rounded(rounded(values, "float32"), "bfloat16").astype(np.float64)
    assert (twice != expected).sum() > 10_000  # the test would see it


def test_an_overflow_is_refused_with_its_count_and_let_by_when_that_is_said(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([1e6, -1e6, 1, np.inf, 65519.99, 65520], "f4")}})
    before = Folder.of(tmp_path)
    with pytest.raises(NonFiniteError, match="turn finite numbers into 3 infinities and 0 NaNs"):
        edit(path, Cast("float16"))
    assert Folder.of(tmp_path) == before
    edit(path, Cast("float16"), allow_nonfinite=True)
    assert plain_datasets(path)["d/d/kernel:0"].tolist() == [np.inf, -np.inf, 1, np.inf, 65504, np.inf]


def test_the_attribute_that_says_bfloat16_comes_and_goes_as_text_that_keras_compares(tmp_path):
    path = write_variables(tmp_path / "m.weights.h5", {"layers/dense/vars/0": np.ones((2, 2), "f4")})
    edit(path, Cast("bfloat16"), where="**")
    with h5py.File(path) as file:
        stored = file["layers/dense/vars/0"]
        assert stored.attrs["dtype"] == "bfloat16"
        assert isinstance(stored.attrs["dtype"], str)  # bytes are not equal to it
        assert h5py.check_string_dtype(stored.attrs.get_id("dtype").dtype).length is None
    edit(path, Cast("float16"), where="**")
    with h5py.File(path) as file:
        assert dict(file["layers/dense/vars/0"].attrs) == {}


def test_chunked_and_compressed_weights_stay_so(tmp_path):
    path = tmp_path / "m.weights.h5"
    values = np.random.default_rng(1).standard_normal((100, 30)).astype("f4")
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=values, chunks=(16, 7), compression=4, shuffle=True)
        file.create_dataset("layers/dense/vars/1", data=values[0], chunks=(9,), fletcher32=True)
    before = plain_things(path)
    edit(path, Cast("float16"), where="**")
    for name, thing in plain_things(path).items():
        assert thing.storage == before[name].storage
    assert plain_datasets(path)["layers/dense/vars/0"].tobytes() == values.astype("f2").tobytes()


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,)])
def test_every_shape_is_cast_scalars_and_empty_weights_too(tmp_path, shape):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.full(shape, 0.1), "bias": np.ones(2, "f8")}})
    edit(path, Cast("float32"))
    after = plain_datasets(path)["d/d/kernel:0"]
    assert (np.shape(after), np.asarray(after).dtype) == (shape, np.float32)
    assert np.asarray(after).tobytes() == np.full(shape, 0.1, "f4").tobytes()


def test_statistics_and_optimizer_state_are_left_with_the_reason():
    reasons = plan(NESTED, Cast("float16")).reasons()
    assert set(reasons) == {"optimizer state", "statistic, measured from data"}


def test_statistics_and_slots_are_cast_when_they_are_asked_for():
    with open_weights(NESTED) as store:
        state = [ref.structure for ref in store if ref.kind is Kind.OPTIMIZER and ref.dtype.kind == "f"]
        means = [ref.structure for ref in store if ref.kind is Kind.STATISTIC]
    planned = plan(NESTED, Cast("bfloat16"), where=["kind:statistic", *state])
    assert sorted(ref.structure for ref in planned.chosen) == sorted(state + means)


@pytest.mark.parametrize(
    ("path", "where", "why"),
    [
        (NESTED, "optimizer/vars/0", "only floating-point numbers can be cast"),
        (DATA / "keras315_int8.keras", "first/kernel", "quantized layer"),
        (BFLOAT16, "layers/dense/vars/0", "it is already bfloat16"),
    ],
)
def test_what_cannot_be_cast_is_refused_when_it_is_asked_for_itself(path, where, why):
    with pytest.raises(SelectionError, match=why):
        plan(path, Cast("bfloat16"), where=where)


def test_a_quantized_layer_is_refused_whole():
    with pytest.raises(SelectionError, match="quantized"):
        plan(DATA / "keras315_int8.keras", Cast("float16"))


def test_weights_of_unknown_kind_are_refused_until_they_are_decided(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"mine": {"gain": np.ones(2, "f4")}})
    with pytest.raises(SelectionError, match="the file does not say"):
        plan(path, Cast("float16"))
    assert len(plan(path, Cast("float16"), where="mine").chosen) == 1


def test_nothing_to_cast_is_told_with_the_reason():
    with pytest.raises(SelectionError, match="no parameters that this edit can change: it is already float32"):
        plan(NESTED, Cast("float32"))


def test_the_byte_order_alone_is_no_other_type(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.ones(2, ">f4")}})
    with pytest.raises(SelectionError, match="it is already float32"):
        plan(path, Cast("float32"))
    edit(path, Cast("float16"))
    assert plain_datasets(path)["d/d/kernel:0"].tolist() == [1, 1]


def test_bfloat16_in_a_legacy_file_comes_with_the_word_that_keras_cannot_load_it(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.ones(2, "f4")}})
    assert "Keras cannot load bfloat16 from legacy HDF5" in plan(path, Cast("bfloat16")).notes[0]
    assert plan(path, Cast("float16")).notes == ()
    assert plan(NESTED, Cast("bfloat16")).notes == ()


@pytest.mark.parametrize("to", ["", "half", "float8", "int8", "Float16", None, np.float16])
def test_other_types_are_refused(to):
    with pytest.raises(RequestError, match="to must be one of float16, bfloat16, float32, float64, got"):
        Cast(to)


def test_it_prints_as_what_makes_it():
    assert eval(repr(Cast("float16")), {"Cast": Cast}) == Cast("float16")  # noqa: S307

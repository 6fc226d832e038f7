"""What stores quantized numbers, and what only has helper variables of a quantization in training."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from support import DATA, plain_datasets, write_legacy, write_variables

from weightkit import Kind, Scale, edit, open_weights, plan
from weightkit.errors import SelectionError

KERNEL, SCALE = np.ones((4, 3), "f4"), np.ones(3, "f4")


def kinds(path):
    with open_weights(path) as store:
        return {ref.name: ref.kind for ref in store}


def test_a_scale_beside_a_real_kernel_is_not_quantized_whatever_its_name(tmp_path):
    """QKeras' QDense keeps its kernel in float32, and its quantizers' scales beside it."""
    path = write_legacy(tmp_path / "m.h5", {"q": {"kernel": KERNEL, "kernel_scale": SCALE, "bias": SCALE}})
    assert kinds(path) == {"kernel": Kind.PARAMETER, "kernel_scale": Kind.UNKNOWN, "bias": Kind.PARAMETER}
    planned = plan(path, Scale(0.5), exclude="kind:unknown")
    assert [ref.name for ref in planned.chosen] == ["kernel", "bias"]


def test_so_it_is_in_a_custom_class_with_a_configuration(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"q": {"kernel": KERNEL, "kernel_scale": SCALE}})
    layers = [{"class_name": "QDense", "config": {"name": "q", "kernel_quantizer": "quantized_bits(4)"}}]
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
    assert kinds(path)["kernel_scale"] is Kind.UNKNOWN


@pytest.mark.parametrize("others", [{}, {"kernel_zero": np.ones(3, np.int8)}])
def test_the_scale_of_an_integer_kernel_is_quantized(tmp_path, others):
    path = write_legacy(tmp_path / "m.h5", {"q": {"kernel": KERNEL.astype("i1"), "kernel_scale": SCALE, **others}})
    assert set(kinds(path).values()) == {Kind.QUANTIZATION}
    with pytest.raises(SelectionError, match="quantized layers"):
        plan(path, Scale(0.5))


def test_float8_is_quantized_without_integers(tmp_path):
    history = {"kernel_amax_history": np.ones(1024, "f4")}
    path = write_legacy(tmp_path / "m.h5", {"q": {"kernel": KERNEL, "kernel_scale": SCALE, **history}})
    assert kinds(path)["kernel_scale"] is Kind.QUANTIZATION


def test_the_bits_of_a_quantizer_have_the_shape_of_its_other_numbers_and_stop_no_edit(tmp_path):
    """HGQ's quantizers save whether a number is signed as bytes, beside its integer and fractional bits."""
    bits = {f"q/kq/vars/{n}": np.ones((4, 3), dtype) for n, dtype in enumerate(("u1", "f4", "f4"))}
    path = write_variables(tmp_path / "m.weights.h5", bits | {"q/vars/0": KERNEL})
    edit(path, Scale(0.5), where="**")
    after = plain_datasets(path)
    assert after["q/vars/0"].max() == 0.5
    assert after["q/kq/vars/0"].dtype == np.uint8


def test_bytes_beside_floats_of_another_shape_stop_it(tmp_path):
    path = write_variables(tmp_path / "m.weights.h5", {"q/vars/0": KERNEL.astype("i1"), "q/vars/1": SCALE})
    with pytest.raises(SelectionError, match="quantized layers"):
        plan(path, Scale(0.5), where="**")


def test_a_model_that_keras_quantized_is_quantized_as_before():
    with open_weights(DATA / "keras315_int8.keras") as store:
        found = [ref.kind for ref in store if ref.name == "kernel_scale"]
    assert found
    assert set(found) == {Kind.QUANTIZATION}

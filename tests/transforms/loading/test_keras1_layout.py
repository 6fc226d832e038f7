"""The axes of Keras 1 kernels: every layout that its layers stored, told by the configuration or by the shapes."""

from __future__ import annotations

import numpy as np
import pytest
from loading_layers import converted, weights

from weightkit.errors import RequestError
from weightkit.transforms.loading import LayerFacts

ROWS, COLUMNS, INPUTS, OUTPUTS = 2, 3, 4, 5


def labeled(axes, sizes=None):
    """An array in which an element's value tells its row, column, input and output, whatever the axes' order is."""
    lengths = {"r": ROWS, "c": COLUMNS, "i": INPUTS, "o": OUTPUTS, "s": 2, "l": 3, "1": 1} | (sizes or {})
    weight = {"r": 1000, "c": 100, "i": 10, "o": 1, "s": 10_000, "l": 1000, "1": 0}
    result = np.zeros([lengths[axis] for axis in axes], "f4")
    for place, axis in enumerate(axes):
        shape = [-1 if at == place else 1 for at in range(len(axes))]
        result = result + (np.arange(lengths[axis]) * weight[axis]).reshape(shape)
    return result.astype("f4")


@pytest.mark.parametrize("known", ["configuration", "user", "shape"])
@pytest.mark.parametrize(
    ("class_name", "ordering", "stored", "today"),
    [
        ("Convolution2D", "th", "oirc", "rcio"),
        ("Convolution2D", "tf", "rcio", "rcio"),
        ("AtrousConvolution2D", "th", "oirc", "rcio"),
        ("Deconvolution2D", "th", "oirc", "rcoi"),
        ("Deconvolution2D", "tf", "rcio", "rcoi"),
        ("Convolution3D", "th", "oisrc", "srcio"),
        ("Convolution3D", "tf", "srcio", "srcio"),
    ],
)
def test_a_kernel_is_put_in_the_order_of_keras_2(known, class_name, ordering, stored, today):
    config = {"dim_ordering": ordering} if known == "configuration" else {}
    said = {"th": "channels_first", "tf": "channels_last"}[ordering] if known == "user" else None
    source = LayerFacts(class_name, config, "1.2.2", "tensorflow", said)
    wanted = labeled(today)
    values, _, _ = converted(weights("c", {"kernel": wanted.shape}), {"W": labeled(stored)}, source=source)
    assert values["kernel"].tolist() == wanted.tolist()


def test_a_kernel_that_fits_both_ways_is_refused_until_somebody_says_which():
    cube = np.zeros((3, 3, 3, 3), "f4")
    ours = weights("c", {"kernel": cube.shape}, layer_class="Conv2D")
    source = LayerFacts("Convolution2D", {}, "1.2.2", "tensorflow")
    with pytest.raises(RequestError, match="nothing says whether its outputs are its first axis") as error:
        converted(ours, {"W": cube}, source=source)
    assert "data_format" in error.value.hint


@pytest.mark.parametrize(
    ("stored", "sizes"), [("l1io", {}), ("oil1", {}), ("l1io", {"o": 1}), ("oil1", {"i": 1}), ("l1io", {"l": 1})]
)
@pytest.mark.parametrize("class_name", ["Convolution1D", "AtrousConvolution1D", ""])
def test_a_kernel_over_time_loses_its_axis_of_one(class_name, stored, sizes):
    source = LayerFacts(class_name or None, {}, "1.0.8", "tensorflow")
    wanted = labeled("lio", sizes)
    values, _, _ = converted(weights("c", {"kernel": wanted.shape}), {"W": labeled(stored, sizes)}, source=source)
    assert values["kernel"].tolist() == wanted.tolist()


def test_a_kernel_over_time_without_an_axis_of_one_is_refused():
    source = LayerFacts("Convolution1D", {}, "1.2.2", "tensorflow")
    with pytest.raises(RequestError, match="axis of one"):
        converted(weights("c", {"kernel": (2, 3, 4)}), {"W": np.zeros((2, 3, 4, 5), "f4")}, source=source)


@pytest.mark.parametrize("known", [True, False])
def test_gates_of_a_convolutional_lstm_are_put_in_order_before_they_are_joined(known):
    arrays = {f"W_{gate}": labeled("oirc") + 100_000 * at for at, gate in enumerate("ifco")}
    config = {"dim_ordering": "th"} if known else {}
    source = LayerFacts("ConvLSTM2D", config, "1.2.2", "tensorflow")
    ours = weights("c", {"kernel": (ROWS, COLUMNS, INPUTS, 4 * OUTPUTS)})
    values, steps, _ = converted(ours, arrays, source=source)
    for at, part in enumerate(np.split(values["kernel"], 4, axis=-1)):
        assert part.tolist() == (labeled("rcio") + 100_000 * at).tolist()
    assert "put in order" in steps["kernel"]


def test_a_dense_kernel_of_four_axes_is_left_alone():
    array = labeled("oirc")
    source = LayerFacts("MyDense", {"dim_ordering": "th"}, "1.2.2", "tensorflow")
    values, _, _ = converted(weights("c", {"kernel": array.shape}), {"W": array}, source=source)
    assert values["kernel"].tolist() == array.tolist()


@pytest.mark.parametrize(("stored", "today"), [("oirc", "rcio"), ("rcio", "rcio")])
def test_the_order_is_told_by_the_other_axes_where_the_target_takes_other_images(stored, today):
    source = LayerFacts("Convolution2D", {}, "1.2.2", "tensorflow")
    wanted = labeled(today)
    ours = weights("c", {"kernel": (ROWS, COLUMNS, INPUTS + 1, OUTPUTS)})
    values, _, _ = converted(ours, {"W": labeled(stored)}, source=source)
    assert values["kernel"].tolist() == wanted.tolist()

"""What the wildcards of a glob stand for; a new address is made of them."""

from __future__ import annotations

import time

import pytest

from weightkit.access.matching.told.renaming import Renaming
from weightkit.errors import SelectionError


def renamed(pattern, becomes, address):
    found = Renaming(pattern, becomes)(address.split("/"))
    return None if found is None else "/".join(found.names)


@pytest.mark.parametrize(
    ("pattern", "becomes", "address", "expected"),
    [
        ("predictions", "logits", "predictions/kernel", "logits/kernel"),
        ("predictions", "logits", "predictions_2/kernel", None),
        ("predictions", "logits", "head/predictions/kernel", None),
        ("predictions", "head/logits", "predictions/kernel", "head/logits/kernel"),
        ("model_1/**", "**", "model_1/a/b/kernel", "a/b/kernel"),
        ("**", "model_1/**", "a/kernel", "model_1/a/kernel"),
        ("block*/conv_*", "stage*.conv*", "block12/conv_3/kernel", "stage12.conv3/kernel"),
        ("block*/conv_*", "all.*", "block12/conv_3/kernel", "all.12/kernel"),
        ("**/head", "top", "a/b/head/kernel", "top/kernel"),
        ("a/**/c/**", "**/z/**", "a/1/2/c/3/c/k", "1/2/z/3/c/k"),
        ("{a,b}/*/x", "*", "b/q/x/kernel", "q/kernel"),
        ("x*y*z", "*_*", "xaybyz/k", "a_by/k"),
        ("layer?", "one", "layer7/kernel", "one/kernel"),
        ("layer[0-4]", "one", "layer7/kernel", None),
        (r"features\[0\]", "first", "features[0]/kernel", "first/kernel"),
        ("a", r"b\*", "a/kernel", "b*/kernel"),
        ("head/kernel", "logits/weight", "head/kernel", "logits/weight"),
        ("a\n*", "*", "a\nb\n/kernel", "b\n/kernel"),
    ],
)
def test_a_new_address_takes_what_the_wildcards_stand_for(pattern, becomes, address, expected):
    assert renamed(pattern, becomes, address) == expected


@pytest.mark.parametrize(
    ("pattern", "becomes", "problem"),
    [
        ("a", "*", r"'\*' has 1 \*, and 'a', whose place it takes, 0"),
        ("a/*", "**", r"'\*\*' has 1 \*\*, and 'a/\*', whose place it takes, 0"),
        ("{a,*}", "*", r"whose place it takes, 0"),
        ("a", "{b,c}", "is not one address"),
        ("a", "b?", "is not one address"),
        ("", "b", "has an empty name"),
        ("a", "", "has an empty name"),
        ("a/", "b", "has an empty name"),
        ("a[", "b", "has a '\\[' that is not closed"),
    ],
)
def test_what_is_malformed_is_refused(pattern, becomes, problem):
    with pytest.raises(SelectionError, match=problem):
        Renaming(pattern, becomes)


def test_long_names_of_a_hostile_file_take_no_long_time():
    started = time.process_time()
    name = "a" * 4096
    assert renamed("*a*a*a*b", "*", f"{name}/kernel") is None
    assert renamed("**/a/**/a/**/b", "**", "/".join("a" * 128)) is None
    assert time.process_time() - started < 5  # quadratic steps take milliseconds, cubic ones hours

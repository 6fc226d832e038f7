"""Importing the package costs next to nothing."""

from __future__ import annotations

import importlib.metadata

import pytest
from support import HEAVY, modules_loaded_by

import weightkit


def test_importing_the_package_loads_nothing_heavy():
    assert modules_loaded_by("import weightkit") == set()


def test_looking_at_what_is_public_loads_nothing_heavy():
    assert modules_loaded_by("import weightkit; dir(weightkit); weightkit.__version__") == set()


def test_an_error_class_is_loaded_without_numpy():
    assert modules_loaded_by("from weightkit import WeightkitError") == set()


def test_a_transform_loads_numpy_and_no_file_library():
    assert modules_loaded_by("from weightkit import Scale; Scale(2)") == {"numpy", "ml_dtypes"}


@pytest.mark.parametrize("room", ["inspect", "transforms"])
def test_rooms_are_reached_from_the_package_and_loaded_when_they_are(room):
    assert modules_loaded_by(f"import weightkit; weightkit.{room}") == set()
    package = getattr(weightkit, room)
    assert room in dir(weightkit)
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match=f"module 'weightkit.{room}' has no attribute 'scall'"):
        _ = package.scall


@pytest.mark.parametrize("room", ["layers", "training"])
def test_rooms_of_keras_are_named_and_not_loaded(room):
    assert room in dir(weightkit)
    assert modules_loaded_by("import weightkit; dir(weightkit)") == set()


def test_the_test_notices_what_is_loaded():
    assert modules_loaded_by("import numpy") == {"numpy"}
    assert {"numpy", "h5py", "keras", "tensorflow"} <= set(HEAVY)


@pytest.mark.parametrize("name", weightkit.__all__)
def test_every_public_name_is_there(name):
    assert getattr(weightkit, name) is not None
    assert name in dir(weightkit)


def test_a_name_that_is_not_there_is_an_attribute_error_like_any_modules():
    with pytest.raises(AttributeError, match="module 'weightkit' has no attribute 'scall'"):
        _ = weightkit.scall


def test_the_version_is_the_distributions_own():
    assert importlib.metadata.version("weightkit") == weightkit.__version__

"""Finding all models that are alive, without looking at all objects each time."""

from __future__ import annotations

import gc
import weakref

import keras
import pytest

from weightkit.training.model.census import Census


@pytest.fixture
def looks(monkeypatch):
    """The generations that were looked at; None for all objects. The collector runs only when it is called."""
    looked, get_objects = [], gc.get_objects

    def noted(generation=None):
        looked.append(generation)
        return get_objects(generation)

    monkeypatch.setattr(gc, "get_objects", noted)
    gc.collect()
    gc.disable()
    yield looked
    gc.enable()


def test_a_new_model_is_found_among_young_objects_and_all_are_looked_at_once_they_have_moved(looks):
    census, first = Census(), keras.Sequential()
    assert first in census.models()
    assert looks == [None]
    second = keras.Sequential()
    assert {first, second} <= set(census.models())
    assert looks[1:] == [0, 1]
    third = keras.Sequential()
    gc.collect(1)  # moves it to the oldest generation
    assert {first, second, third} <= set(census.models())
    assert looks[3:] == [None]
    gone = weakref.ref(third)
    del third
    gc.collect()
    assert gone() is None

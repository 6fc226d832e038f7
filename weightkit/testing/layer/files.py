"""Points 5, 6, 20 and 21: a layer in files, on other backends, exported and replicated, in separate processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import point
from weightkit.testing.layer.fresh import Fresh, facts_of
from weightkit.testing.layer.subject import LayerSubject

if TYPE_CHECKING:
    import pytest

_TOLERANCE = 1e-4  # between backends, in float32


class FilePoints(LayerSubject):
    """A layer in files, on other backends, exported and replicated.

    Starting Keras takes seconds: one fresh process for each backend looks at all subjects of a session, and the test
    that asks first waits for it.
    """

    @point(5)
    def test_saved_whole_it_loads_in_a_fresh_process_and_gives_the_same_bits(
        self, request: pytest.FixtureRequest
    ) -> None:
        self._same_bits(facts_of(request, self, Fresh.HERE), "keras")

    @point(5)
    def test_its_weights_alone_load_in_a_fresh_process_and_give_the_same_bits(
        self, request: pytest.FixtureRequest
    ) -> None:
        self._same_bits(facts_of(request, self, Fresh.HERE), "weights")

    @point(6)
    def test_its_files_are_read_on_another_backend(self, request: pytest.FixtureRequest) -> None:
        facts = facts_of(request, self, Fresh.ELSEWHERE)
        for way in ("keras", "weights"):
            assert "error" not in facts[way], facts[way]["error"]
            np.testing.assert_allclose(facts[way]["output"], facts["expected"], rtol=_TOLERANCE, atol=_TOLERANCE)

    @point(20)
    def test_exported_it_gives_the_same(self, request: pytest.FixtureRequest) -> None:
        """On TensorFlow, which has the format."""
        if not self._on_tensorflow():
            return
        facts = facts_of(request, self, Fresh.HERE)
        assert "error" not in facts["exported"], facts["exported"]["error"]
        np.testing.assert_allclose(facts["exported"]["output"], facts["expected"], rtol=1e-5, atol=1e-5)

    @point(21, "stochastic")
    def test_on_two_replicas_it_trains_as_on_one(self, request: pytest.FixtureRequest) -> None:
        """On TensorFlow, under ``MirroredStrategy``."""
        if not self._on_tensorflow():
            return
        facts = facts_of(request, self, Fresh.HERE)["replicas"]
        assert "error" not in facts, facts["error"]
        for one, two in zip(facts["one"], facts["two"], strict=True):
            assert np.isfinite(two).all()
            if self.exempt("stochastic") is None:
                np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)

    def _on_tensorflow(self) -> bool:
        if backends.backend() != "tensorflow":
            self.not_looked_at("not on this backend")
        return backends.backend() == "tensorflow"

    @staticmethod
    def _same_bits(facts: Any, way: str) -> None:
        assert "error" not in facts[way], facts[way]["error"]
        np.testing.assert_array_equal(facts[way]["output"], facts["expected"])

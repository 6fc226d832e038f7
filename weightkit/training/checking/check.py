"""Check a model for mistakes that Keras does not report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weightkit.escape import escape
from weightkit.html import table
from weightkit.training.checking.equal_weights import equal_weights
from weightkit.training.checking.findings import (
    Finding,
    half_frozen_statistics,
    idle_patterns,
    never_saved,
    shared_paths,
    stale_flags,
    stray_slots,
    trainable_below_frozen,
)
from weightkit.training.checking.ties import ties_outside
from weightkit.training.model.inventory import ModelWeights

_CHECKS = (
    never_saved,
    stale_flags,
    trainable_below_frozen,
    half_frozen_statistics,
    equal_weights,
    shared_paths,
    stray_slots,
    idle_patterns,
    ties_outside,
)


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """The findings of `check_model`. It is true where there are none."""

    model: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<ModelCheck of {escape(self.model)}: {len(self.findings)} findings>"

    def __str__(self) -> str:
        if self.ok:
            return escape(f"{self.model}: nothing found")
        return "\n".join(escape(line) for line in (f"{self.model}:", *(f"  {found}" for found in self.findings)))

    def _repr_html_(self) -> str:
        rows = [(found.what, found.problem, found.hint) for found in self.findings]
        return table(f"{self.model}: {len(rows) or 'nothing'} found", ("what", "problem", "what to do"), rows)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        return {
            "schema": "weightkit.check_model/1",
            "model": self.model,
            "ok": self.ok,
            "findings": [found.to_dict() for found in self.findings],
        }


def check_model(model: Any) -> ModelCheck:
    """Check a model for mistakes that Keras does not report; nothing is run and nothing changes.

    - ``never saved``: weights that are trained or tracked, and that Keras leaves out of every file, such as those of
      layers in an attribute named ``_layers`` or in a set.
    - ``stale flags``: flags that were set after the optimizer was built or, on TensorFlow, after the train function was
      traced, so that the next ``fit`` ignores them, or fails.
    - ``trainable below frozen``: a layer is frozen and one inside it is not; that one is still trained.
    - ``half-frozen statistics``: the gamma or beta of a BatchNormalization is frozen and its own flag is on, so that
      its moving statistics are still updated.
    - ``equal weights``: trained weights of one shape are equal bit for bit, as when one initializer object is used for
      several layers.
    - ``shared path``: several variables have one Keras path.
    - ``stray optimizer state``: the optimizer was built on variables that the model does not have.
    - ``idle pattern``: a pattern of an ``OptimizerMap`` matches nothing.
    - ``tied outside``: a weight is tied to a layer that the model does not hold.

    Args:
        model: A built model of Keras 3, compiled or not.

    Returns:
        The findings, each with what to do about it. They print, and have `to_dict`.

    Raises:
        RequestError: It is not a model of Keras 3, or is not built.

    Example:
        >>> import keras
        >>> one = keras.initializers.RandomNormal()
        >>> layers = [keras.layers.Dense(3, kernel_initializer=one, name=name) for name in ("a", "b")]
        >>> print(check_model(keras.Sequential([keras.Input((3,)), *layers], name="small")))  # doctest: +ELLIPSIS
        Sequential 'small':
          equal weights: a/kernel, b/kernel are equal, bit for bit: ...
    """
    weights = ModelWeights.of(model)
    return ModelCheck(weights.label, tuple(found for check in _CHECKS for found in check(model, weights)))

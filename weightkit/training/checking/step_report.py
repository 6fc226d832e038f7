"""What one training step did to each weight, compared with what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.html import table
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADINGS = ("weight", "expected", "gradient", "changed", "verdict")


@dataclass(frozen=True, slots=True)
class WeightReport:
    """What one training step did to one weight."""

    path: str
    expected: str
    """``trained``, ``frozen``, ``updated`` (a moving statistic) or ``fixed`` (seeds, counters)."""
    gradient: str
    """``flows``, ``zero``, ``none``, ``not finite`` or ``unknown``; empty for a weight that is not trained."""
    changed: bool
    """Whether its bits differ after the step."""
    failure: str = ""
    """What is wrong; empty where nothing is wrong."""
    warning: str = ""
    """What may be wrong."""

    @property
    def verdict(self) -> str:
        """``failed``, ``warning`` or ``ok``."""
        return "failed" if self.failure else "warning" if self.warning else "ok"

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        return {
            "path": self.path,
            "expected": self.expected,
            "gradient": self.gradient or None,
            "changed": self.changed,
            "verdict": self.verdict,
            "failure": self.failure or None,
            "warning": self.warning or None,
        }


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one training step did to a model; made by `verify_training`. It is true where nothing failed."""

    model: str
    weights: tuple[WeightReport, ...]
    model_failures: tuple[str, ...] = ()
    """What is wrong with the model as a whole, a sentence each."""
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[str, ...]:
        """Everything that is wrong, a sentence each; weights with the same problem share one."""
        return (*self.model_failures, *_by_text((one.failure, one.path) for one in self.weights if one.failure))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything that may be wrong, a sentence each."""
        return _by_text((one.warning, one.path) for one in self.weights if one.warning)

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings do not count."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.ok

    def raise_if_failed(self) -> StepReport:
        """Return the report where nothing failed.

        Raises:
            RequestError: Something failed; it lists what.
        """
        if not self.ok:
            raise RequestError(
                "; ".join(self.failures), hint="see check_model(model), or recompile(model)", file=self.model
            )
        return self

    def __repr__(self) -> str:
        return f"<StepReport of {escape(self.model)}: {len(self.failures)} failures, {len(self.warnings)} warnings>"

    def __str__(self) -> str:
        counts = {
            expected: sum(one.expected == expected for one in self.weights)
            for expected in ("trained", "frozen", "updated", "fixed")
        }
        counted = ", ".join(f"{number} {expected}" for expected, number in counts.items() if number)
        lines = [f"{self._headline()} ({counted})"]
        lines += [f"  failed: {text}" for text in self.failures]
        lines += [f"  warning: {text}" for text in self.warnings]
        lines += [f"  note: {text}" for text in self.notes]
        return "\n".join(escape(line) for line in lines)

    def _headline(self) -> str:
        return f"{self.model}: {'as expected' if self.ok else 'not as expected'}"

    def _repr_html_(self) -> str:
        rows = [(w.path, w.expected, w.gradient, "yes" if w.changed else "no", w.verdict) for w in self.weights]
        return table(self._headline(), _HEADINGS, rows, (*self.failures, *self.warnings, *self.notes))

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON: every weight, and all failures, warnings and notes."""
        return {
            "schema": "weightkit.verify_training/1",
            "model": self.model,
            "ok": self.ok,
            "failures": list(self.failures),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "weights": [one.to_dict() for one in self.weights],
        }


def _by_text(found: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """One sentence for each text, with the paths of its weights."""
    paths: dict[str, list[str]] = {}
    for text, path in found:
        paths.setdefault(text, []).append(path)
    return tuple(f"{listed(names)}: {text}" for text, names in paths.items())

"""What one training step did to each weight, held against what was meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.html import table
from weightkit.text import listed

_HEADINGS = ("weight", "meant", "gradient", "changed", "verdict")


@dataclass(frozen=True, slots=True)
class WeightProof:
    """What one training step did to one weight."""

    path: str
    meant: str
    """``trained``, ``frozen``, ``updated`` (statistics), ``held`` (statistics) or ``fixed`` (others)."""
    gradient: str
    """``flows``, ``zero``, ``none``, ``not finite`` or ``unknown``; empty for what is not trained."""
    changed: bool
    """Whether its bits are others after the step."""
    failure: str = ""
    """What is wrong; empty where nothing is."""
    warning: str = ""
    """What may be wrong."""

    @property
    def verdict(self) -> str:
        """``failed``, ``warning`` or ``ok``."""
        return "failed" if self.failure else "warning" if self.warning else "ok"

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "path": self.path,
            "meant": self.meant,
            "gradient": self.gradient or None,
            "changed": self.changed,
            "verdict": self.verdict,
            "failure": self.failure or None,
            "warning": self.warning or None,
        }


@dataclass(frozen=True, slots=True)
class Proof:
    """What one training step did to a model; made by `verify`. It is true where nothing failed."""

    model: str
    weights: tuple[WeightProof, ...]
    others: tuple[str, ...] = ()
    """What is wrong with the model as a whole, a sentence each."""
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[str, ...]:
        """All that is wrong, a sentence each: weights of which the same is wrong are told together."""
        return (*self.others, *_together((one.failure, one.path) for one in self.weights if one.failure))

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that may be wrong, a sentence each."""
        return _together((one.warning, one.path) for one in self.weights if one.warning)

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings do not count."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.ok

    def raise_if_failed(self) -> Proof:
        """Itself, where nothing failed.

        Raises:
            RequestError: Something did.
        """
        if not self.ok:
            raise RequestError(
                "; ".join(self.failures), hint="see check_model(model), or recompile(model)", file=self.model
            )
        return self

    def __repr__(self) -> str:
        return f"<Proof of {self.model}: {len(self.failures)} failures, {len(self.warnings)} warnings>"

    def __str__(self) -> str:
        count = {
            meant: sum(one.meant == meant for one in self.weights)
            for meant in ("trained", "frozen", "updated", "held", "fixed")
        }
        told = ", ".join(f"{number} {meant}" for meant, number in count.items() if number)
        lines = [f"{self.model}: {'as meant' if self.ok else 'not as meant'} ({told})"]
        lines += [f"  failed: {text}" for text in self.failures]
        lines += [f"  warning: {text}" for text in self.warnings]
        lines += [f"  note: {text}" for text in self.notes]
        return "\n".join(escape(line) for line in lines)

    def _repr_html_(self) -> str:
        rows = [(w.path, w.meant, w.gradient, "yes" if w.changed else "no", w.verdict) for w in self.weights]
        told = (*self.failures, *self.warnings, *self.notes)
        return table(f"{self.model}: {'as meant' if self.ok else 'not as meant'}", _HEADINGS, rows, told)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: every weight, and what is told of all."""
        return {
            "schema": "weightkit.verify_training/1",
            "model": self.model,
            "ok": self.ok,
            "failures": list(self.failures),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "weights": [one.to_dict() for one in self.weights],
        }


def _together(told: Any) -> tuple[str, ...]:
    paths: dict[str, list[str]] = {}
    for text, path in told:
        paths.setdefault(text, []).append(path)
    return tuple(f"{listed(found)}: {text}" for text, found in paths.items())

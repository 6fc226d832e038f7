"""What freezing changes: flags before and after, weight by weight; it prints, undoes itself, and is kept as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from weightkit.access.ref import Kind, Source, WeightRef
from weightkit.errors import RequestError
from weightkit.escape import escape

if TYPE_CHECKING:
    import os

    from weightkit.training.doing import Done

SCHEMA = "weightkit.freeze/1"


@dataclass(frozen=True, slots=True)
class Flag:
    """One weight's flag: whether it is trained; of a BatchNormalization's statistics, whether they are updated."""

    ref: WeightRef
    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class FreezePlan:
    """The flags of all weights of a model before and after, as a value."""

    label: str
    act: str
    """``freeze``, ``unfreeze``, with what was selected."""
    weights: tuple[Flag, ...]
    """All that could be trained."""
    statistics: tuple[Flag, ...] = ()
    """Moving means and variances of BatchNormalizations."""
    notes: tuple[str, ...] = ()
    ordered: bool = False
    """Whether the weights come in the order of the layers."""
    done: Done | None = field(default=None, compare=False, repr=False)
    """How to undo it, where it was done here."""

    @property
    def changed(self) -> tuple[Flag, ...]:
        """The weights whose flag changes, statistics included."""
        return tuple(flag for flag in (*self.weights, *self.statistics) if flag.before != flag.after)

    def summary(self) -> str:
        """What changes, in one line."""
        frozen = sum(not flag.after for flag in self.weights)
        return f"{self.act} on {self.label}: {len(self.changed)} flags change, {frozen} of {len(self.weights)} frozen"

    def __str__(self) -> str:
        lines = [self.summary()]
        for flag in self.changed:
            on, off = ("updated", "held") if flag.ref.kind is Kind.STATISTIC else ("trained", "frozen")
            lines.append(f"  {flag.ref.path}  {flag.ref.shape}  {on if flag.after else off}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(escape(line) for line in lines)

    def undo(self) -> None:
        """Give every layer and every variable the flag that it had, and the optimizer what was set aside.

        Raises:
            RequestError: It was read from a file, or its model is gone.
        """
        if self.done is None:
            raise RequestError("this plan was not done here, so that nothing tells what was", mend="apply(model) first")
        self.done.undo()

    def apply(self, model: Any, *, recompile: bool = True) -> FreezePlan:
        """Give a model the flags of this plan: the same model loaded again, whose single weights Keras forgets.

        Returns:
            The plan as it was done here, which can be undone.

        Raises:
            RequestError: The model's weights are not those of the plan.
        """
        from weightkit.training.doing import apply_plan  # noqa: PLC0415  # it makes plans

        return apply_plan(self, model, recompile_too=recompile)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with all that `from_dict` needs."""
        return {
            "schema": SCHEMA,
            "label": self.label,
            "act": self.act,
            "ordered": self.ordered,
            "weights": [_flag_to_dict(flag) for flag in self.weights],
            "statistics": [_flag_to_dict(flag) for flag in self.statistics],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FreezePlan:
        """From what `to_dict` gave.

        Raises:
            RequestError: It is something else.
        """
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise RequestError(f"this is no {SCHEMA}", mend="give what FreezePlan.save wrote")
        try:
            weights = tuple(map(_flag_from_dict, data["weights"]))
            statistics = tuple(map(_flag_from_dict, data["statistics"]))
            return cls(data["label"], data["act"], weights, statistics, tuple(data["notes"]), bool(data["ordered"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RequestError(f"this {SCHEMA} is incomplete: {error!r}", mend="save the plan again") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as a JSON file."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FreezePlan:
        """Read what `save` wrote.

        Raises:
            RequestError: There is no such file, or it is something else.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise RequestError(f"cannot be read: {error}", mend="give a saved plan", file=str(path)) from error


def _flag_to_dict(flag: Flag) -> dict[str, Any]:
    ref = flag.ref
    return {
        "structure": ref.structure,
        "layer": ref.layer,
        "index": ref.index,
        "name": ref.name,
        "path": ref.path,
        "shape": list(ref.shape),
        "dtype": ref.dtype.name,
        "kind": str(ref.kind),
        "layer_class": ref.layer_class,
        "duplicate": ref.duplicate,
        "before": flag.before,
        "after": flag.after,
    }


def _flag_from_dict(data: dict[str, Any]) -> Flag:
    name = data["dtype"]
    dtype = np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else np.dtype(name)
    ref = WeightRef(
        structure=data["structure"],
        layer=data["layer"],
        index=data["index"],
        name=data["name"],
        shape=tuple(data["shape"]),
        dtype=dtype,
        kind=Kind(data["kind"]),
        layer_class=data["layer_class"],
        trainable=bool(data["before"]),
        known_from=Source.MODEL,
        duplicate=data["duplicate"],
    )
    return Flag(ref, bool(data["before"]), bool(data["after"]))

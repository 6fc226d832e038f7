"""How far a run in stages has come, as a file of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from weightkit.errors import DamagedFileError
from weightkit.text import listed
from weightkit.training.state_file.differences import differences

SCHEMA = "weightkit.stages/1"
_HINT = "delete the folder to start again"


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run after one of its epochs."""

    model: list[str]
    """Every weight of the model, as in `StagePlan`."""
    optimizer: dict[str, str]
    """The class of the optimizer that it began with, and its configuration as JSON."""
    stages: list[dict[str, Any]]
    """The settings of all stages."""
    options: dict[str, Any]
    """Arguments of `staged_fit` that a resumed run must have in common."""
    names: list[str]
    """The stages' names."""
    stage: int
    """The place of the stage that the epoch is of."""
    ended: bool
    """Whether the stage ends with this epoch."""
    begins: list[int]
    """For each stage up to this one, how many epochs there were before it."""
    starts: list[dict[str, dict[str, float]]]
    """For each stage up to this one, the step counts and rates of the optimizers at its beginning; see `StageRun`."""
    epoch: list[int]
    """The epochs of the history."""
    history: dict[str, list[Any]]
    epoch_stages: list[str]
    """By epoch, the name of its stage."""
    callbacks: list[dict[str, Any]]
    """Of each callback, its class and its counters."""

    def to_json(self) -> bytes:
        """The content of the file."""
        return json.dumps({"schema": SCHEMA} | asdict(self), default=_number).encode()

    def difference(self, other: SavedRun) -> str:
        """What forbids that the other run goes on from this one, in a sentence; empty where nothing does."""
        of_another = "the folder belongs to a run"
        if told := _first_difference("weight", self.model, other.model):
            return f"{of_another} of another model: {told}"
        if told := _other_optimizer(self.optimizer, other.optimizer):
            return f"{of_another} of another optimizer: {told}"
        if told := _other_stage(self.stages, as_json(other.stages), other.names):
            return f"{of_another} of other stages: {told}"
        if told := _first_difference("callback", _classes(self), _classes(other)):
            return f"{of_another} with other callbacks: {told}"
        if told := _other_setting(self.options, other.options):
            return f"{of_another} with other arguments: {told}"
        return ""

    @classmethod
    def from_json(cls, content: bytes, file: str) -> SavedRun:
        """Read what `to_json` wrote.

        Raises:
            DamagedFileError: It is something else.
        """
        try:
            data = json.loads(content)
            if data.pop("schema") != SCHEMA:
                raise DamagedFileError(f"schema must be {SCHEMA}", hint=_HINT, file=file)
            saved = cls(**data)
            saved._require_valid()
        # Any JSON may be in the file: each of these means that a part has another form.
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DamagedFileError(f"not the state of a run in stages: {error!r}", hint=_HINT, file=file) from error
        return saved

    def _require_valid(self) -> None:
        """Raise a ValueError where a part has another form."""
        whole = isinstance(self.stage, int) and 0 <= self.stage < len(self.stages) == len(self.names)
        lists = (self.model, self.stages, self.names, self.starts, self.epoch, self.epoch_stages, self.callbacks)
        whole = whole and len(self.begins) == len(self.starts) and all(type(begin) is int for begin in self.begins)
        whole = whole and all(isinstance(one, list) for one in lists) and isinstance(self.options, dict)
        whole = whole and len(self.epoch) == len(self.epoch_stages) > 0 and len(self.starts) == self.stage + 1
        numbers = [number for one in self.starts for state in one.values() for number in state.values()]
        whole = whole and all(type(number) in (int, float) for number in numbers)
        whole = whole and self.epoch == list(range(len(self.epoch))) and isinstance(self.ended, bool)
        whole = whole and all(isinstance(values, list) for values in self.history.values())
        whole = whole and all(isinstance(self.optimizer[key], str) for key in ("class", "config"))
        if not whole or not all(isinstance(one["counters"], dict) for one in self.callbacks):
            raise ValueError("a part is missing or has another form")


def as_json(value: Any) -> Any:
    """A value as it is read back from JSON."""
    return json.loads(json.dumps(value, default=_number))


def _other_optimizer(before: dict[str, str], now: dict[str, str]) -> str:
    if before["class"] != now["class"]:
        return f"it was {before['class']} and is {now['class']}"
    return listed(differences(before["config"], now["config"]))


def _other_stage(before: list[dict[str, Any]], now: list[dict[str, Any]], names: list[str]) -> str:
    for place, (was, there) in enumerate(zip(before, now, strict=False)):
        if told := _other_setting(was, there):
            return f"stage {place + 1} ({names[place]}): {told}"
    return "" if len(before) == len(now) else f"there were {len(before)} and are {len(now)}"


def _other_setting(before: dict[str, Any], now: dict[str, Any]) -> str:
    for key, value in now.items():
        if before.get(key) != value:
            # Weights are told apart by a digest.
            return "it trained other weights" if key == "train" else f"{key} was {before.get(key)} and is {value}"
    return ""


def _classes(run: SavedRun) -> list[str]:
    return [str(one.get("class")) for one in run.callbacks]


def _first_difference(what: str, before: list[str], now: list[str]) -> str:
    for place, (was, there) in enumerate(zip(before, now, strict=False)):
        if was != there:
            return f"{what} {place + 1} was {was} and is {there}"
    return "" if len(before) == len(now) else f"there were {len(before)} {what}s and are {len(now)}"


def _number(value: Any) -> Any:
    """What JSON does not know: numbers of NumPy in the logs, and objects in settings, told by their class."""
    return value.item() if hasattr(value, "item") else type(value).__name__

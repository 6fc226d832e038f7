"""Which weights share an optimizer when a new one is made, by the old optimizer, the step count and the rate."""

from __future__ import annotations

import itertools
import re
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.errors import RequestError
from weightkit.training.optimizer.clones import UNSAVED, Clones
from weightkit.training.optimizer.grouped import has_settable_rate
from weightkit.training.optimizer.rates import rate_of
from weightkit.training.optimizer.slot_values import own_state, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


_OWN_OF_EACH = {"name", "learning_rate"}
"""What two optimizers may differ in and still become one, for weights that get the same rate."""


@dataclass(frozen=True, slots=True)
class Division:
    """How the weights of a model are to be divided between optimizers."""

    variables: Sequence[Any]
    """All that can be trained, frozen ones too: the routes must be right when they are trained again."""
    apart: frozenset[int]
    """By ``id``, those that count their own steps from now on."""
    rates: Mapping[int, Any]
    """By ``id``, new learning rates: numbers or schedules."""
    root: str
    """The name of the model, which Keras puts before some variable paths."""


@dataclass(frozen=True, slots=True)
class Group:
    """Weights that get one optimizer."""

    source: Any
    """The old optimizer that trains them."""
    apart: bool
    rate: Any
    """The new learning rate; None where it stays."""
    members: list[Any] = field(default_factory=list)

    @property
    def is_unchanged(self) -> bool:
        """Whether its optimizer is the old one's successor in every respect."""
        return not self.apart and self.rate is None

    def optimizer(self, clones: Clones, name: str) -> Any:
        """A new optimizer for it."""
        if self.is_unchanged:
            return clones.of(self.source)
        if self.apart:  # no state, so that its step count starts at zero
            return clones.another(self.source, name, self.rate)
        return clones.copy(self.source, name, self.rate)


def groups_of(division: Division, sources: Sequence[Any]) -> list[Group]:
    """The groups, in the order of their first weights.

    Args:
        division: What is asked for.
        sources: For each variable, the old optimizer that trains it.

    Raises:
        RequestError: Optimizers of several groups would clip the norm of their own gradients, not of all of them.
    """
    merged = _merged(sources) if division.rates else {id(one): one for one in sources}
    groups: dict[tuple[int, bool, object], Group] = {}
    for variable, own in zip(division.variables, sources, strict=True):
        source, apart = merged[id(own)], id(variable) in division.apart
        rate = division.rates.get(id(variable), _rate_in(own) if division.rates else None)
        if rate is not None and _key(rate) == _key(_rate_in(source)):
            rate = None
        group = groups.setdefault((id(source), apart, _key(rate)), Group(source, apart, rate))
        group.members.append(variable)
    found = list(groups.values())
    if division.rates and len(found) > 1 and any(one.source.global_clipnorm is not None for one in found):
        raise RequestError(
            "an optimizer with a global_clipnorm must train all weights with one learning rate: "
            "each group would clip the norm of its own gradients",
            hint="compile with clipnorm, which clips the gradient of each weight",
        )
    return found


def names_for(groups: Iterable[Group], taken: set[str]) -> list[str]:
    """A name for the new optimizer of each group, numbered as Keras does where the old name is taken.

    Args:
        groups: The groups.
        taken: Names that optimizers have which stay; the new names are added.
    """
    names = []
    for group in groups:
        old = str(group.source.name)
        stem = re.sub(r"_\d+$", "", old)
        numbered = (f"{stem}_{number}" for number in itertools.count(1))
        candidates = (one for one in itertools.chain([old], numbered) if one not in taken)
        names.append(old if group.is_unchanged else next(candidates))
        taken.add(names[-1])
    return names


def patterns_of(groups: Sequence[Group], root: str) -> list[str]:
    """For each group, one regular expression for the paths of its variables, with or without the model's name before.

    Keras 3.15 puts the name of a Sequential before the paths of its variables when the model is loaded, and not when
    it is made from a list with an Input; and it leaves out the names of Sequential models in the model when that is
    loaded. So the ends of paths match too, where they belong to one variable alone.

    Raises:
        RequestError: Variables of two groups share a path, by which MultiOptimizer tells them apart.
    """
    owners: dict[str, int] = {}
    patterns = []
    paths = [[variable.path.removeprefix(f"{root}/") for variable in group.members] for group in groups]
    counted = Counter(end for known in paths for path in known for end in (path, *_ends(path)))
    for place, known in enumerate(paths):
        for path in known:
            if owners.setdefault(path, place) != place:
                raise RequestError(
                    f"weights with different optimizers must have different paths, got {path} twice: "
                    "Keras' MultiOptimizer tells weights apart by their paths alone",
                    hint='give the layers unique names, or pass step_count="shared"',
                )
        ends = [end for path in known for end in _ends(path) if counted[end] == 1]
        patterns.append(f"(?:{re.escape(root)}/)?(?:{'|'.join(map(re.escape, (*known, *ends)))})")
    return patterns


def _ends(path: str) -> list[str]:
    """The path without the names of models around its layer: ``body/low/kernel`` ends with ``low/kernel``."""
    parts = path.split("/")
    return ["/".join(parts[place:]) for place in range(1, len(parts) - 1)]


def without_root(pattern: str) -> str:
    """A pattern of `patterns_of` without the model's name, which may be an automatic one; others as they are.

    >>> without_root("(?:sequential_2/)?(?:head/kernel)")
    '(?:head/kernel)'
    """
    return re.sub(r"^\(\?:[^()]*/\)\?", "", pattern)


def _merged(sources: Iterable[Any]) -> dict[int, Any]:
    """By ``id`` of an old optimizer, the first one that is like it in all but the rate and the name."""
    first: list[Any] = []
    found = {}
    for source in {id(one): one for one in sources}.values():
        like = next((one for one in first if _is_like(one, source)), None)
        if like is None:
            first.append(like := source)
        found[id(source)] = like
    return found


def _is_like(one: Any, other: Any) -> bool:
    return type(one) is type(other) and _settings(one) == _settings(other) and _state(one) == _state(other)


def _settings(optimizer: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of a lambda as learning rate
        config = optimizer.get_config()
    unsaved = {name: getattr(optimizer, name, None) for name in UNSAVED}
    return {name: value for name, value in (config | unsaved).items() if name not in _OWN_OF_EACH}


def _state(optimizer: Any) -> dict[str, bytes]:
    """The values that belong to no weight, such as the step count."""
    state = own_state(optimizer)
    return {name: values_of(variable).tobytes() for name, variable in state.items() if name not in _OWN_OF_EACH}


def _rate_in(optimizer: Any) -> Any:
    """The rate of an optimizer: a number, or its schedule."""
    return rate_of(optimizer) if has_settable_rate(optimizer) else optimizer._learning_rate  # noqa: SLF001


def _key(rate: Any) -> object:
    """Equal for equal rates: numbers as float32 has them, schedules by identity."""
    return float(np.float32(rate)) if isinstance(rate, float) else None if rate is None else id(rate)

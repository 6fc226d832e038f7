"""What a parametrization is: the variables it adds to a weight, and the weight that it computes from all of them."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.layers.making.casting import as_held
from weightkit.layers.parametrizations.axes import Axes, axes_of

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True, eq=False)
class Added:
    """One variable that a parametrization added, and how it begins."""

    variable: Any
    initial: Callable[..., Any]

    def begin(self) -> None:
        """Give it the values that it has for the weight as it is now."""
        self.variable.assign(self.initial(tuple(self.variable.shape), dtype=self.variable.dtype))


@dataclass(slots=True, eq=False)
class Weight:
    """One weight of an inner layer that is computed, as its parametrizations see it."""

    variable: Any
    """The layer's own variable: what the computation starts from."""
    owner: Any
    """The layer that made it."""
    label: str
    """Its own name, numbered where several weights of a wrapper have one: ``kernel``, ``kernel_1``."""
    wrapper: Any
    """The layer that holds what is added."""
    seeds: Any = None
    """A generator of seeds, where a parametrization asked for one."""
    name: str = ""
    """Its own name."""
    earlier: Callable[[], Any] | None = None
    """What it is after the parametrizations that are applied before this one; None for the first."""

    def before(self) -> Any:
        """The present value that this parametrization is applied to: what it adds begins from that."""
        return self.variable.value if self.earlier is None else self.earlier()

    @property
    def axes(self) -> Axes:
        """Which of its axes are inputs."""
        return axes_of(self.owner, self.name, tuple(self.variable.shape))

    def add(self, name: str, shape: tuple[int, ...], initial: Callable[..., Any], *, trainable: bool = True) -> Added:
        """Add a variable beside it, of its own type; ``initial(shape, dtype)`` may look at the weight."""
        variable = self.wrapper.add_weight(
            name=name, shape=shape, dtype=self.variable.dtype, initializer=initial, trainable=trainable
        )
        return Added(variable, initial)


class Parametrization:
    """One way to compute a weight.

    A subclass is a frozen dataclass whose fields are its settings, registered with Keras. It holds no variables, so
    that one object may serve many weights.
    """

    wants_seeds = False
    """Whether ``compute`` draws random numbers."""
    keeps_base = True
    """Whether the layer's own variable goes on being one of the model's."""
    freezes_base = False
    """Whether the layer's own variable is taken out of training."""

    is_fixed = False
    """Whether what it adds stays when the layer gets other weights."""

    def _is_integer(self, name: str) -> bool:
        """Whether a setting is one, and not a flag."""
        value = getattr(self, name)
        return isinstance(value, int) and not isinstance(value, bool)

    def _require(self, name: str, good: bool, hint: str) -> None:
        """Refuse a setting that is not good, by its name and value.

        Raises:
            RequestError: It is not.
        """
        if not good:
            raise RequestError(f"{type(self).__name__}: {name}={getattr(self, name)!r}", hint=hint)

    def _require_flags(self, *names: str) -> None:
        """Refuse settings that are neither true nor false."""
        for name in names:
            self._require(name, isinstance(getattr(self, name), bool), "give True or False")

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it suits a weight that a selection of a whole layer found: of rank 2 and more, mostly."""
        return len(shape) > 1

    def objection(self, weight: Weight) -> str:  # noqa: ARG002  # for subclasses
        """Why it cannot be applied to a weight that was asked for; empty where it can."""
        return ""

    def build(self, weight: Weight) -> dict[str, Added]:  # noqa: ARG002  # for subclasses
        """Add its variables to a weight; by the keys that ``compute`` knows them by."""
        return {}

    def compute(self, base: Any, added: dict[str, Added], weight: Weight, *, training: bool) -> Any:
        """The weight, from the layer's own variable or what came before, and the variables that were added.

        Args:
            base: A tensor of the weight's shape, in the variable's own type.
            added: What ``build`` returned.
            weight: The weight it is for.
            training: Whether this is a step of training, which may draw and update.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Its settings, as JSON."""
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.init}  # type: ignore[arg-type]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Parametrization:
        """Made again."""
        return cls(**config)


@dataclass(slots=True, eq=False)
class Computed:
    """A weight with its parametrizations, in the order in which they are applied."""

    weight: Weight
    steps: list[tuple[Parametrization, dict[str, Added]]]
    constraint: Any = None
    """The weight's own, which acts on what is computed."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What the last merge put aside, what it made, and its number; empty where nothing is merged."""

    def append(self, parametrization: Parametrization) -> None:
        """Apply one more parametrization after those that are there, and let it add its variables."""
        place = len(self.steps)
        seen = dataclasses.replace(self.weight, earlier=functools.partial(self._after, place)) if place else self.weight
        self.steps.append((parametrization, parametrization.build(seen)))

    def value(self, *, training: bool) -> Any:
        """The weight's present value, in the variable's own type."""
        tensor = self._stepped(len(self.steps), training=training)
        return tensor if self.constraint is None else self.constraint(tensor)

    def _after(self, count: int) -> Any:
        """What the first parametrizations make of the weight, outside training."""
        with as_held():
            return self._stepped(count, training=False)

    def _stepped(self, count: int, *, training: bool) -> Any:
        tensor = self.weight.variable.value if all(one.keeps_base for one, _ in self.steps) else None
        for one, added in self.steps[:count]:
            tensor = one.compute(tensor, added, self.weight, training=training)
        return tensor

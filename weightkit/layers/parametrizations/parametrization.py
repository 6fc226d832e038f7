"""A parametrization: the variables that it adds to a weight, and how it computes the weight from all of them."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weightkit.layers.making.precision import no_autocast
from weightkit.layers.parametrizations.axes import Axes, axes_of

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True, eq=False)
class AddedVariable:
    """One variable that a parametrization added, and its initializer."""

    variable: Any
    initial: Callable[..., Any]

    def reinitialize(self) -> None:
        """Set the variable to its initial values for the present weight."""
        self.variable.assign(self.initial(tuple(self.variable.shape), dtype=self.variable.dtype))


@dataclass(slots=True, eq=False)
class Weight:
    """One weight of the wrapped layer, as its parametrizations see it."""

    variable: Any
    """The layer's own variable, which the computation starts from."""
    owner: Any
    """The layer that made it."""
    label: str
    """Its name, numbered where several weights of a wrapper have the same: ``kernel``, ``kernel_1``."""
    wrapper: Any
    """The layer that has the added variables."""
    seeds: Any = None
    """A seed generator, where a parametrization needs one."""
    name: str = ""
    """Its name in the layer."""
    earlier: Callable[[], Any] | None = None
    """Its value after the parametrizations that are applied before this one; None for the first."""

    def before(self) -> Any:
        """The present value that this parametrization is applied to; initial values are computed from it."""
        return self.variable.value if self.earlier is None else self.earlier()

    @property
    def axes(self) -> Axes:
        """Its input and output axes."""
        return axes_of(self.owner, self.name, tuple(self.variable.shape))

    def add(
        self, name: str, shape: tuple[int, ...], initial: Callable[..., Any], *, trainable: bool = True
    ) -> AddedVariable:
        """Add a variable of the weight's dtype; ``initial(shape, dtype)`` returns its initial values."""
        variable = self.wrapper.add_weight(
            name=name, shape=shape, dtype=self.variable.dtype, initializer=initial, trainable=trainable
        )
        return AddedVariable(variable, initial)


class Parametrization:
    """One way to compute a weight.

    A subclass is a frozen dataclass whose fields are its settings, registered with Keras. It has no variables, so that
    one object works for many weights.
    """

    needs_seeds = False
    """Whether ``compute`` needs random numbers."""
    keeps_base = True
    """Whether the layer's own variable stays a variable of the model."""
    freezes_base = False
    """Whether the layer's own variable is frozen."""
    is_fixed = False
    """Whether the added variables keep their values when the layer gets other weights."""
    updates_added = False
    """Whether ``compute`` updates the added variables in training."""
    fits_named_vectors = False
    """Whether it applies to a weight of rank 1 that is selected by its name, such as ``bias=``."""

    def _check(self, check: Callable[..., Any], *names: str, **bounds: Any) -> None:
        """Check settings with a function of `weightkit.arguments`, and store what it returns.

        That is a plain Python value, which Keras can serialize; a NumPy one may not be.

        Raises:
            RequestError: A setting is wrong; it names the class, the setting and the value.
        """
        for name in names:
            value = check(f"{type(self).__name__}: {name}", getattr(self, name), **bounds)
            object.__setattr__(self, name, value)  # the dataclass is frozen once it is made

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it applies to a weight that a selection of a whole layer finds: by default of rank 2 or more."""
        return len(shape) > 1

    def objection(self, weight: Weight) -> str:  # noqa: ARG002  # for subclasses
        """Why it cannot be applied to a weight; empty where it can."""
        return ""

    def build(self, weight: Weight) -> dict[str, AddedVariable]:  # noqa: ARG002  # for subclasses
        """Add its variables to a weight; returns them by the keys that ``compute`` uses."""
        return {}

    def compute(self, base: Any, added: dict[str, AddedVariable], weight: Weight, *, training: bool) -> Any:
        """Compute the weight.

        Args:
            base: The layer's variable, or the result of the parametrization before; of the weight's shape and dtype.
            added: The variables that ``build`` returned.
            weight: The weight.
            training: Whether this is a training step, which may use random numbers and update variables.
        """
        raise NotImplementedError

    def after_constraint(self, constrained: Any, added: dict[str, AddedVariable]) -> Any:  # noqa: ARG002  # for subclasses
        """What it makes of the weight after the weight's constraint, where it is the last one that is applied."""
        return constrained

    def get_config(self) -> dict[str, Any]:
        """Its settings, for JSON."""
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.init}  # type: ignore[arg-type]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Parametrization:
        """Make it from its settings."""
        return cls(**config)


@dataclass(slots=True, eq=False)
class ComputedWeight:
    """A weight with its parametrizations, in the order in which they are applied."""

    weight: Weight
    steps: list[tuple[Parametrization, dict[str, AddedVariable]]]
    constraint: Any = None
    """The weight's constraint, applied to the computed value."""
    merge_record: dict[str, Any] = field(default_factory=dict)
    """The values before and after the last merge, and its number; empty where nothing is merged."""

    def append(self, parametrization: Parametrization) -> None:
        """Apply one more parametrization after the present ones, and add its variables."""
        place = len(self.steps)
        seen = dataclasses.replace(self.weight, earlier=functools.partial(self._after, place)) if place else self.weight
        self.steps.append((parametrization, parametrization.build(seen)))

    def value(self, *, training: bool) -> Any:
        """The weight's present value, in the variable's dtype."""
        tensor = self._after_steps(len(self.steps), training=training)
        if self.constraint is None:
            return tensor
        last, added = self.steps[-1]
        return last.after_constraint(self.constraint(tensor), added)

    def _after(self, count: int) -> Any:
        """The weight after the first ``count`` parametrizations, outside training."""
        with no_autocast():
            return self._after_steps(count, training=False)

    def _after_steps(self, count: int, *, training: bool) -> Any:
        # The variable of a tied weight has no value (`save_without`).
        tensor = self.weight.variable.value if all(one.keeps_base for one, _ in self.steps) else None
        for one, added in self.steps[:count]:
            tensor = one.compute(tensor, added, self.weight, training=training)
        return tensor

"""From selections to the weights of one built layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind, combine, role_of
from weightkit.access.live import open_unread
from weightkit.errors import RequestError
from weightkit.layers.parametrizations.parametrization import Weight
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access import Selector, WeightRef
    from weightkit.layers.parametrizations.parametrization import Parametrization

_SHOWN = 5
Steps = dict[str, list["Parametrization"]]
"""Parametrizations, by the selection of their weights."""
Targets = dict[str, dict[str, str]]
"""By selection, the structural address of each weight and the label for the names of added variables."""


def choose(layer: Any, steps: Steps) -> Targets:
    """Find the weights of each selection.

    Raises:
        RequestError: A selection finds no weight that its parametrizations apply to, or two find the same weight.
    """
    store = open_unread(layer)
    refs = tuple(store)
    found: Targets = {}
    taken: dict[int, str] = {}
    labels: set[str] = set()
    for selection, parametrizations in steps.items():
        selector, _ = combine(selection)
        bound = selector.bind(refs, ordered=store.ordered) if selector is not None else None
        chosen = [ref for ref in refs if bound is not None and bound(ref) and fits(ref, bound, parametrizations)]
        if not chosen:
            selected = [ref for ref in refs if bound is not None and bound(ref)]
            problem, hint = no_weight(_asked(selection), selected, refs, parametrizations)
            raise RequestError(f"{store.label} {problem}", hint=hint)
        found[selection] = {}
        for ref in chosen:
            variable = id(store.variable(ref))  # SpectralNormalization also has its layer's kernel as an attribute
            if variable in taken:
                if taken[variable] != selection:
                    raise RequestError(f"{ref.path} must be selected once, got {taken[variable]!r} and {selection!r}")
                continue
            taken[variable] = selection
            found[selection][ref.structure] = label(ref.name or "weight", labels)
    return found


def weights_of(wrapper: Any, layer: Any, targets: Targets) -> dict[str, list[Weight]]:
    """The weights at structural addresses, by selection.

    Raises:
        RequestError: The layer has no weight there, as when its configuration was edited by hand.
    """
    if targets.keys() != wrapper.steps.keys():
        raise RequestError(
            f"{wrapper.name}: targets must have the selections {list(wrapper.steps)}, got {list(targets)}",
            hint="leave it to get_config()",
        )
    store, seeds = open_unread(layer), getattr(wrapper, "seed_generator", None)
    refs = {ref.structure: ref for ref in store}
    found: dict[str, list[Weight]] = {}
    for selection, places in targets.items():
        missing = next((place for place in places if place not in refs), None)
        if missing is not None:
            raise RequestError(
                f"{store.label} must have the weight {missing!r} once it is built, and has {listed(refs, _SHOWN)}",
                hint="build the layers in it in its build(), and leave targets to get_config()",
            )
        found[selection] = [
            Weight(
                store.variable(refs[place]),
                store.owner(refs[place]),
                label,
                wrapper,
                seeds,
                name=refs[place].name or "",
            )
            for place, label in places.items()
        ]
    return found


def fits(ref: WeightRef, selector: Selector, parametrizations: Sequence[Parametrization]) -> bool:
    """Whether a selected weight can be computed by these parametrizations.

    It must be one that can be trained, of a shape that all of them apply to. A bias, which has rank 2 in attention,
    must be selected by its name.
    """
    is_named = selector.explicit(ref)
    is_meant = role_of(ref) != "bias" or is_named
    return (
        is_meant
        and ref.kind is Kind.PARAMETER
        and all(one.fits(ref.shape) or (is_named and one.fits_named_vectors) for one in parametrizations)
    )


def copy_targets(targets: Any) -> Targets | None:
    """A copy of the targets in a configuration.

    Raises:
        RequestError: They have another form.
    """
    if targets is None:
        return None
    if not isinstance(targets, Mapping) or not all(isinstance(one, Mapping) for one in targets.values()):
        raise RequestError(
            f"Parametrized: targets must be a mapping of mappings, got {targets!r}", hint="leave it to get_config()"
        )
    return {key: dict(places) for key, places in targets.items()}


def label(name: str, labels: set[str]) -> str:
    """A label for the names of variables added to a weight: its name, numbered where the label is in use."""
    base = name.replace("/", "_")
    made, number = base, 0
    while made in labels:
        number += 1
        made = f"{base}_{number}"
    labels.add(made)
    return made


def no_weight(
    selection: str, found: Sequence[WeightRef], refs: Sequence[WeightRef], parametrizations: Sequence[Parametrization]
) -> tuple[str, str]:
    """What to say of a selection without a weight that parametrizations apply to: the problem, and what to do.

    Args:
        selection: As the user wrote it.
        found: The weights that it finds, none of which fits.
        refs: All weights of the layer or model.
        parametrizations: What was to be applied.
    """
    if not refs:
        return "has no weights", "select a layer with weights"
    what = " and ".join(type(one).__name__ for one in parametrizations)
    fitting = [ref for ref in refs if _can_be_computed(ref, parametrizations)]
    able = _shown(ref for ref in fitting if role_of(ref) != "bias")
    if not found:
        return f"has no weight {selection!r}, only {_shown(refs)}", f"{what} applies to {able or 'none of these'}"
    hint = f"{what} applies to {able}" if able else "choose another layer or parametrization"
    if any(ref in fitting for ref in found):
        hint = f"select a bias by its name: name:{found[0].name}"
    return f"has no weight in {selection!r} that {what} applies to, only {_shown(found)}", hint


def _can_be_computed(ref: WeightRef, parametrizations: Sequence[Parametrization]) -> bool:
    return ref.kind is Kind.PARAMETER and all(one.fits(ref.shape) for one in parametrizations)


def _shown(refs: Iterable[WeightRef]) -> str:
    return listed((f"{ref.path} {ref.shape}" for ref in refs), _SHOWN)


def _asked(selection: str) -> str:
    """A selection as the user wrote it: ``kernel`` for the argument ``kernel=``."""
    return selection.removeprefix("name:")


def by_selection(weights: Mapping[str, Any] | None, by_name: Mapping[str, Any]) -> Steps:
    """The arguments of a wrapper in one form: ``kernel=`` becomes the selection ``name:kernel``.

    Raises:
        RequestError: There are none, or one is not a parametrization.
    """
    from weightkit.layers.parametrizations.parametrization import Parametrization  # noqa: PLC0415

    if weights is not None and not isinstance(weights, Mapping):
        raise RequestError(f"Parametrized: weights must be a mapping {{selection: parametrization}}, got {weights!r}")
    given = {**(weights or {}), **{f"name:{name}": value for name, value in by_name.items()}}
    if not given:
        raise RequestError("Parametrized must be given a weight to compute", hint="for example kernel=WeightNorm()")
    steps: Steps = {}
    for selection, value in given.items():
        steps[selection] = list(value) if isinstance(value, list | tuple) else [value]
        for one in steps[selection]:
            if not isinstance(one, Parametrization):
                raise RequestError(f"Parametrized: {_asked(selection)} must be a Parametrization, got {one!r}")
        if not steps[selection]:
            raise RequestError(f"Parametrized: {_asked(selection)} must not be empty, got {value!r}")
    return steps

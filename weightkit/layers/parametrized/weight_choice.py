"""From selections to the weights of one built layer that parametrizations are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind, combine, role_of
from weightkit.access.live import open_live
from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.layers.parametrizations.parametrization import Weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access import Selector, WeightRef
    from weightkit.access.live import LiveStore
    from weightkit.layers.parametrizations.parametrization import Parametrization

Steps = dict[str, list["Parametrization"]]
"""Parametrizations by the selection of the weights that they are for."""
Targets = dict[str, dict[str, str]]
"""For each selection its weights: the structure of each, and the label that names what is added to it."""


def choose(layer: Any, steps: Steps) -> Targets:
    """Find the weights that each selection means.

    Raises:
        RequestError: A selection finds nothing that its parametrizations fit, or a weight is found twice.
    """
    store = open_live(layer)
    refs = tuple(store)
    found: Targets = {}
    taken: dict[int, str] = {}
    labels: set[str] = set()
    for selection, parametrizations in steps.items():
        selector, _ = combine(selection)
        bound = selector.bind(refs, ordered=store.ordered) if selector is not None else None
        chosen = [ref for ref in refs if bound is not None and bound(ref) and fits(ref, bound, parametrizations)]
        if not chosen:
            raise RequestError(_nothing(store, selection, parametrizations), hint="name one of these")
        found[selection] = {}
        for ref in chosen:
            variable = id(store.variable(ref))  # SpectralNormalization has its layer's kernel under its own name too
            if variable in taken:
                if taken[variable] != selection:
                    raise RequestError(f"{ref.path} is selected by {taken[variable]!r} and by {selection!r}")
                continue
            taken[variable] = selection
            found[selection][ref.structure] = label(ref.name or "weight", labels)
    return found


def weights_of(wrapper: Any, layer: Any, targets: Targets) -> dict[str, list[Weight]]:
    """The weights at the places that were chosen, by selection.

    Raises:
        RequestError: The layer has no such place, as when its configuration was changed by hand.
    """
    store, seeds = open_live(layer), getattr(wrapper, "seed_generator", None)
    refs = {ref.structure: ref for ref in store}
    found: dict[str, list[Weight]] = {}
    for selection, places in targets.items():
        missing = next((place for place in places if place not in refs), None)
        if missing is not None:
            raise RequestError(f"{store.label}: there is no weight at {missing}", hint=f"it has {', '.join(refs)}")
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
    """A trained weight, or one taken out of training, of a shape that suits all; a bias, whose rank may be 2 in
    attention, where it is named itself.
    """  # noqa: D205
    is_meant = role_of(ref) != "bias" or selector.explicit(ref)
    return is_meant and ref.kind is Kind.PARAMETER and all(one.fits(ref.shape) for one in parametrizations)


def copied(targets: Any) -> Targets | None:
    """What a configuration says of targets, in a copy of its own.

    Raises:
        RequestError: It is nothing that a configuration says.
    """
    if targets is None:
        return None
    if not isinstance(targets, Mapping) or not all(isinstance(one, Mapping) for one in targets.values()):
        raise RequestError(
            f"Parametrized: targets={targets!r} is no mapping of mappings", hint="leave it to get_config()"
        )
    return {key: dict(places) for key, places in targets.items()}


def label(name: str, labels: set[str]) -> str:
    """What names the variables that are added to a weight: its own name, numbered where another has that label."""
    base = name.replace("/", "_")
    made, number = base, 0
    while made in labels:
        number += 1
        made = f"{base}_{number}"
    labels.add(made)
    return made


def _nothing(store: LiveStore, selection: str, parametrizations: Sequence[Parametrization]) -> str:
    what = " and ".join(type(one).__name__ for one in parametrizations)
    has = ", ".join(f"{escape(ref.path)} {ref.shape}" for ref in store)
    asked = selection.removeprefix("name:")
    return f"{store.label} has no weight {escape(asked)!r} that {what} fits; it has {has}"


def by_selection(weights: Mapping[str, Any] | None, by_name: Mapping[str, Any]) -> Steps:
    """What a wrapper was given, in one form: ``kernel=`` is the selection ``name:kernel``.

    Raises:
        RequestError: Something given is no parametrization, or nothing was given.
    """
    from weightkit.layers.parametrizations.parametrization import Parametrization  # noqa: PLC0415

    if weights is not None and not isinstance(weights, Mapping):
        raise RequestError(f"Parametrized: weights={weights!r} is no mapping", hint="say {selection: parametrization}")
    given = {**(weights or {}), **{f"name:{name}": value for name, value in by_name.items()}}
    if not given:
        raise RequestError("Parametrized: no weight was named", hint="say for example kernel=WeightNorm()")
    steps: Steps = {}
    for selection, value in given.items():
        steps[selection] = list(value) if isinstance(value, list | tuple) else [value]
        for one in steps[selection]:
            if not isinstance(one, Parametrization):
                raise RequestError(f"Parametrized: {selection.removeprefix('name:')}={one!r} is no parametrization")
        if not steps[selection]:
            raise RequestError(f"Parametrized: {selection.removeprefix('name:')}={value!r} is empty")
    return steps

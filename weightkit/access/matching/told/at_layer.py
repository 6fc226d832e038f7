"""The weights of one layer as those of a model of its own: ``source_at``, ``target_at``."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from weightkit.access.matching.root import Root
from weightkit.access.matching.told.moved import moved, steps
from weightkit.access.select.captures import CapturingGlob
from weightkit.access.select.paths import Glob
from weightkit.access.select.suggestions import nearest
from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access.matching.told.addresses import Addresses
    from weightkit.access.ref import WeightRef

_NEAREST = 3  # suggestions


class AtLayer(NamedTuple):
    """A layer of a store."""

    weights: dict[WeightRef, WeightRef]
    """Its weights with their addresses below it, each with the weight of the store that it is."""
    root: Root
    """What it is in its store."""


def at_layer(known: Addresses, layer: str, option: str) -> AtLayer:
    """The only layer at an address.

    Args:
        known: All weights of a store.
        layer: Its address by name or by structure, as a glob; or its last names alone.
        option: What messages call ``layer``.

    Raises:
        RequestError: There is no such layer, or several.
        SelectionError: The glob is malformed.
    """
    at_top, anywhere = CapturingGlob(layer), CapturingGlob(f"**/{layer}")
    found = _under(at_top, known, by_name=True)
    if not found:
        stored, named = _under(at_top, known, by_name=False), _under(anywhere, known, by_name=True)
        # An attribute of a model may be called what another layer is named; that one has no other address.
        found = stored | named if all(ref.layer is not None for refs in stored.values() for ref in refs) else stored
        found = found or _under(anywhere, known, by_name=False)
    if len(found) > 1:
        places = listed("/".join(_shown(one, refs, known)) for one, refs in found.items())
        raise RequestError(
            f"{option} must be one layer, got {layer!r}, which matches {len(found)}: {places}",
            hint="give the whole address of one of them",
        )
    for one, refs in found.items():
        return AtLayer(alone(refs, len(one.names), by_name=one.by_name), _root(one, refs, known))
    raise no_such_layer(f"{option} must be a layer with weights, got {layer!r}, and there is none", layer, known)


def no_such_layer(problem: str, layer: str, known: Addresses) -> RequestError:
    """The error for an address that no layer has, with those that are most like it."""
    near = ((one, CapturingGlob(one)) for one in _like(layer, known))
    layers = [one for one, glob in near if any(_under(glob, known, by_name=by_name) for by_name in (True, False))]
    return RequestError(problem, hint=_did_you_mean(layers))


def no_such_address(problem: str, pattern: str, known: Addresses) -> RequestError:
    """The same for a glob that neither a layer nor a weight matches, as it is written before an equals sign."""
    return RequestError(problem, hint=_did_you_mean([one.replace("=", "\\=") for one in _like(pattern, known)]))


def _like(pattern: str, known: Addresses) -> list[str]:
    return [near for near in nearest(Glob(pattern), known.of, 2 * _NEAREST) if near != pattern]


def _did_you_mean(near: Sequence[str]) -> str:
    shown = " or ".join(f"'{one}'" for one in near[:_NEAREST])
    return f"did you mean {shown}?" if shown else "see what `weightkit show` lists"


class _Place(NamedTuple):
    """The address of a layer."""

    names: tuple[str, ...]
    by_name: bool


def _under(glob: CapturingGlob, known: Addresses, *, by_name: bool) -> dict[_Place, list[WeightRef]]:
    """The weights under each layer that matches."""
    found: dict[_Place, list[WeightRef]] = {}
    for ref, one in known.by(name=by_name, names=glob.names):
        if ref.layer is not None or not by_name:
            matched = glob.match(one.layers)
            if matched is not None:
                found.setdefault(_Place(one.layers[: matched.length], by_name), []).append(ref)
    return found


def _shown(place: _Place, refs: Sequence[WeightRef], known: Addresses) -> tuple[str, ...]:
    """The address of a layer that people read."""
    return place.names if place.by_name else _shared([known.shown(ref).layers for ref in refs]) or place.names


def _root(place: _Place, refs: Sequence[WeightRef], known: Addresses) -> Root:
    names = _shown(place, refs, known)
    first = refs[0]
    if first.layer is None:  # the keys of a list say only the class
        return Root(None if names[-2:-1] == ("layers",) else names[-1], None, "/".join(names))
    around = (*first.around, *[None] * len(names))[len(names) - 1]
    return Root(names[-1], first.layer_class if first.layer == "/".join(names) else around, "/".join(names))


def _shared(addresses: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The first names that all have."""
    names = takewhile(lambda same: len(set(same)) == 1, zip(*addresses, strict=False))
    return tuple(same[0] for same in names)


def alone(refs: Sequence[WeightRef], depth: int, *, by_name: bool) -> dict[WeightRef, WeightRef]:
    """Weights without what is around their layer, which is this deep, each with the one that was given."""
    keys = [list(steps(ref))[-1] for ref in refs]
    around = len(_shared([one.layers for one in keys])) if by_name else depth
    return {
        replace(
            moved(ref, next(steps(ref)).layers[depth:], ref.name)
            if by_name
            else replace(ref, layer=None, near=(), around=()),
            structure="/".join(one.all[around:]),
            also=(),
        ): ref
        for ref, one in zip(refs, keys, strict=True)
    }

"""Open a live object as a store: every weight with its reference and its place."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weightkit.access.live.handles import as_numpy, handle_of
from weightkit.access.live.live_refs import is_variable, ref_of_variable, refs_of_object
from weightkit.access.live.live_store import LiveStore
from weightkit.access.live.loops.guards import require_readable
from weightkit.access.live.loops.keras_loops import variables_of
from weightkit.access.live.merged_kernel import merged_kernel
from weightkit.access.live.object_walk import Walk, is_optimizer
from weightkit.access.live.place import Place
from weightkit.access.live.target import label_of, require_saveable, require_variables
from weightkit.access.live.unsaved import unsaved_variables
from weightkit.access.quantized_layers import with_plain_helpers
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weightkit.access.live.object_walk import SavedObject
    from weightkit.access.ref import WeightRef


def open_live(target: Any) -> LiveStore:
    """Open a model, a layer, an optimizer or a list of variables as a store of weights.

    Raises:
        RequestError: It is none of these, is from Keras 2, is not built, is in a function that TensorFlow traces, or is
            in a step of a running ``fit``, which on JAX holds the values.
    """
    if isinstance(target, list | tuple):
        require_readable(target, "the variables cannot be read")
        return _of_variables(require_variables(target))
    require_saveable(target)
    require_readable(variables_of(target), f"{label_of(target)} cannot be read")
    return open_unread(target)


def open_unread(target: Any) -> LiveStore:
    """Open a model, a layer or an optimizer of which no value is to be read, so that none needs to be there.

    A layer is built in functions that are traced, and in the first step of ``fit``.
    """
    walk = Walk(target)
    places = _unique(pair for saved in walk.objects for pair in _places_of(saved, walk.other_paths.of(saved.thing)))
    form = "live model" if hasattr(target, "fit") else "live optimizer" if is_optimizer(target) else "live layer"
    return LiveStore(
        label_of(target),
        form,
        places,
        ordered=walk.ordered,
        unsaved=unsaved_variables(target, walk),
        root=(getattr(target, "name", None), type(target).__name__),
    )


def _places_of(saved: SavedObject, other_paths: Sequence[str]) -> Iterator[tuple[WeightRef, Place]]:
    computed = {key: as_numpy(value) for key, value in saved.values.items() if not is_variable(value)}
    for key, ref in zip(saved.values, refs_of_object(saved, computed, other_paths), strict=True):
        if key in computed:
            yield ref, Place(merged_kernel(saved.thing, key, ref.name), saved.thing, key)
        else:
            variable = saved.values[key]
            yield ref, Place(handle_of(variable), saved.thing, key, variable)


def _of_variables(variables: Sequence[Any]) -> LiveStore:
    seen: Counter[str] = Counter()
    places = []
    for index, variable in enumerate(variables):
        # Paths are not unique: layers of subclassed models may share their names.
        seen[variable.path] += 1
        number = seen[variable.path]
        structure = variable.path if number == 1 else f"{variable.path}#{number}"
        places.append((ref_of_variable(variable, structure, index), Place(handle_of(variable), variable=variable)))
    return LiveStore(f"{len(variables)} variables", "live variables", _unique(places), ordered=True)


def _unique(places: Iterable[tuple[WeightRef, Place]]) -> dict[WeightRef, Place]:
    """The weights, the second and later ones of one name address numbered."""
    seen: Counter[tuple[str | None, str | None]] = Counter()
    found = {}
    for ref, place in places:
        address = (ref.layer, ref.name)
        seen[address] += 1
        numbered = ref.name is not None and seen[address] > 1
        found[replace(ref, duplicate=seen[address]) if numbered else ref] = place
    # Names alone do not say that a layer is quantized.
    return dict(zip(with_plain_helpers([*found], Kind.STATE), found.values(), strict=True))

"""What keeps weights from being loaded, and the options that help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access import is_floating
from weightkit.errors import SelectionError, UnmatchedError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weightkit.access import Match, WeightRef
    from weightkit.transforms.loading.loaded import Loaded

_EXCLUDE = "exclude= (--exclude)"
_SAY = "say which layer is which with rename= (--rename OLD=NEW)"


def require_all(
    chosen: Sequence[WeightRef], pairs: Mapping[WeightRef, WeightRef], made: Loaded, source: str, target: str
) -> None:
    """Refuse to load only a part of the selection: a half-loaded model looks like a complete one.

    Args:
        chosen: The weights to load.
        pairs: What each is copied from.
        made: How those are made that are not simply copied.
        source: The name of the source.
        target: The name of the target.

    Raises:
        SelectionError: One of them cannot be loaded.
    """
    held = {ref: why for ref in chosen if (why := _obstacle(ref, pairs, made))}
    if held:
        problems = listed(f"{ref.path} {why}" for ref, why in held.items())
        raise SelectionError(
            f"{len(held)} of {len(chosen)} weights cannot be loaded from {source}: {problems}",
            hint=_way_around(list(held), pairs, made, leaves_some=len(held) < len(chosen)),
            file=target,
        )


def way_out(error: UnmatchedError, proposed: int) -> str:
    """What loads some of the weights although nothing settles which is which.

    Args:
        error: It.
        proposed: How many layers `suggest` proposes to rename.
    """
    ways = [_SAY]
    if proposed:
        layers = "1 layer" if proposed == 1 else f"{proposed} layers"
        ways.append(f"see the {layers} that suggest(target, source) (--suggest) proposes for it")
    ways += [f"load what matches with {_choice(found)}" for found in error.ways]
    return ", or ".join(ways)


def _choice(found: Match) -> str:
    options = {"match": found.by}
    if any(ref.shape != other.shape for ref, other in found.pairs.items()):
        options["on_mismatch"] = "skip"
    if found.missing:
        options["on_missing"] = "skip"
    return f"{_in_python(options)} ({_on_command_line(options)})"


def _way_around(
    held: Sequence[WeightRef], pairs: Mapping[WeightRef, WeightRef], made: Loaded, *, leaves_some: bool
) -> str:
    """What would load these weights, or leave them as they are if others are loaded."""
    if all(ref in made.resizable for ref in held):
        resize = "resize them with on_mismatch='resize' (--on-mismatch resize)"
        return f"{resize}, or leave them as they are with 'skip'" if leaves_some else resize
    hints = [made.hints[ref] for ref in held if ref in made.hints]
    ways = [made.ways[ref] for ref in held if ref in made.ways]
    found = list(dict.fromkeys((*hints, *ways)))
    skipping = _skipping(held, pairs, made)
    if ways and not skipping:
        return "; ".join(found)
    if ways or leaves_some:
        return "; ".join((*found, f"leave {'the others' if ways else 'them'} as they are with {skipping or _EXCLUDE}"))
    return "; ".join(found) or _instead(held, pairs, made)


def _skipping(held: Sequence[WeightRef], pairs: Mapping[WeightRef, WeightRef], made: Loaded) -> str:
    """The options that leave these weights as they are."""
    options = {}
    if any(ref not in pairs and ref not in made.of and ref not in made.refused for ref in held):
        options["on_missing"] = "skip"
    if any(ref in made.shapes for ref in held):
        options["on_mismatch"] = "skip"
    found = [f"{_in_python(options)} ({_on_command_line(options)})"] if options else []
    if any(ref in made.refused and ref not in made.ways and ref not in made.shapes for ref in held):
        found.append(_EXCLUDE)
    return " and ".join(found)


def _instead(held: Sequence[WeightRef], pairs: Mapping[WeightRef, WeightRef], made: Loaded) -> str:
    """What helps where nothing would be loaded if these weights were left as they are."""
    if any(ref not in pairs and ref not in made.of for ref in held):
        return f"{_SAY}; suggest(target, source) (--suggest) proposes it"
    return "" if any(ref in made.refused for ref in held) else "give a source with weights of these shapes and types"


def _in_python(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _on_command_line(options: Mapping[str, str]) -> str:
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in options.items())


def _obstacle(ref: WeightRef, pairs: Mapping[WeightRef, WeightRef], made: Loaded) -> str:
    if ref in made.refused:
        return f"cannot be made, since {made.refused[ref]}"
    conversion = made.of.get(ref)
    own = pairs.get(ref) if conversion is None else conversion
    if own is None:
        return "is not there"
    if own.shape != ref.shape:
        return f"is {ref.shape} here and {own.shape} there"
    return "" if conversion is not None else _difference(ref, pairs[ref])


def _difference(ref: WeightRef, own: WeightRef) -> str:
    if ref.stored_as or own.stored_as:
        return f"holds {ref.stored_as or own.stored_as}, which is not a plain number"
    if is_floating(own.dtype) != is_floating(ref.dtype):
        return f"is {ref.dtype_text} here and {own.dtype_text} there"
    return ""

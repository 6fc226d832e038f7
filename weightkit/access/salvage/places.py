"""Where in the tree of a file each object was: as groups say, and, where a group is lost, as its lists of names do."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.ref import excess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access.salvage.structure.attributes import Text
    from weightkit.access.salvage.structure.survey import FoundGroup, Survey

MODEL, OPTIMIZER, UNNAMED, VARIABLES = "model_weights", "optimizer_weights", "unnamed", "vars"
LAYERS, WEIGHTS = "layer_names", "weight_names"
_MODEL_ATTRIBUTES = {"model_config", "training_config"}
# The first name in the list of an optimizer's slots, by era of Keras.
_OF_OPTIMIZER = re.compile(
    r"(training|optimizer|iterations?|learning_rate|loss_scale\w*|adam\w*|sgd|rmsprop|adagrad|adadelta|adafactor|nadam"
    r"|ftrl|lion|lamb)(_\d+)?([/:]|$)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Places:
    """The paths of what was found."""

    top: str
    """Where the layers of a legacy file are: ``model_weights``, or the root."""
    is_legacy: bool
    groups: dict[str, FoundGroup] = field(default_factory=dict)
    datasets: dict[str, int] = field(default_factory=dict)
    """Addresses by path."""
    lost: dict[str, str] = field(default_factory=dict)
    """Why there is nothing at a path that a link leads to."""
    _placed: set[int] = field(default_factory=set)

    def add(self, path: str, address: int, found: Survey) -> None:
        """Place an object, and all below it, each at the first path that leads to it."""
        waiting = [(path, address)]
        while waiting:
            path, address = waiting.pop()
            if address in self._placed:
                continue
            if excess(path):
                self.lost[path] = "its path is longer than any that Keras writes"
            elif address in found.datasets:
                self._placed.add(address)
                self.datasets[path] = address
            elif address in found.groups:
                self._placed.add(address)
                self.groups[path] = found.groups[address]
                waiting.extend((joined(path, link.name), link.address) for link in found.groups[address].links[::-1])
            else:
                self.lost[path] = found.broken.get(address, "its header was not found")

    def is_free(self, path: str) -> bool:
        """Whether nothing is at a path yet."""
        return path not in self.groups and path not in self.datasets

    def has(self, address: int) -> bool:
        """Whether an object has its path."""
        return address in self._placed


def joined(*parts: str) -> str:
    """A path from its parts, of which some may be empty."""
    return "/".join(part for part in parts if part)


def split_list(attributes: Mapping[str, Text | None], name: str) -> tuple[str, ...] | None:
    """A list in the attributes of a group, which may be split into ``name0`` and so on; None if it is not there."""
    whole = attributes.get(name)
    if whole is not None:
        return (whole,) if isinstance(whole, str) else whole
    parts = []
    for number in itertools.count():
        part = attributes.get(f"{name}{number}")
        if part is None:
            break
        parts.append(part)
    return tuple(text for part in parts for text in ((part,) if isinstance(part, str) else part)) if parts else None


def places(found: Survey) -> Places:
    """Where everything was that was found."""
    tops = _tops(found)
    root = found.root
    if root is None and len(tops) == 1:  # all else hangs below it, as below the root alone
        root = tops[0]
    top, is_legacy = _era(found, root)
    known = Places(top, is_legacy)
    if root is not None:
        known.add("", root, found)
    others = [address for address in tops if not known.has(address)]
    # The group of all layers first: it says how the layers are called.
    for address in sorted(others, key=lambda address: split_list(found.groups[address].attributes, LAYERS) is None):
        known.add(_path_of(found.groups[address], known, found), address, found)
    for address in sorted(found.datasets):
        if not known.has(address):
            # Under a name that tells a variable of Keras 3 from other things.
            name = f"at_{address}" if is_legacy else joined(VARIABLES, str(address))
            known.add(joined(UNNAMED, name), address, found)
    return known


def _tops(found: Survey) -> list[int]:
    """Groups that no other leads to, by address."""
    below = {link.address for group in found.groups.values() for link in group.links}
    return sorted(address for address in found.groups if address not in below and address != found.root)


def _era(found: Survey, root: int | None) -> tuple[str, bool]:
    """Where the layers of a legacy file are, and whether this is one."""
    listed = [group for group in found.groups.values() if _is_listed(group.attributes)]
    if not listed:
        return "", False
    group = None if root is None else found.groups.get(root)
    if group is None or split_list(group.attributes, LAYERS) is not None:
        return "", True
    whole = _MODEL_ATTRIBUTES & group.attributes.keys() or any(link.name == MODEL for link in group.links)
    return (MODEL if whole else ""), True


def _is_listed(attributes: Mapping[str, Text | None]) -> bool:
    return any(split_list(attributes, name) is not None for name in (LAYERS, WEIGHTS))


def _path_of(group: FoundGroup, known: Places, found: Survey) -> str:
    """The path of a group that no other leads to: what its own lists say of it."""
    if split_list(group.attributes, LAYERS) is not None and known.is_free(known.top):
        return known.top
    names = split_list(group.attributes, WEIGHTS) or ()
    if names and known.top and _OF_OPTIMIZER.match(names[0]) and known.is_free(OPTIMIZER):
        return OPTIMIZER
    for name in _layer_names(names, known):
        path = joined(known.top, name)
        if known.is_free(path) and not excess(path):
            return path
    named = joined(UNNAMED, _object_name(group, found))
    return named if named != UNNAMED and known.is_free(named) else joined(UNNAMED, f"group_at_{group.address}")


def _object_name(group: FoundGroup, found: Survey) -> str:
    """The name that Keras 3 stores on the variables of an object; empty if it is not there."""
    variables = next((found.groups.get(link.address) for link in group.links if link.name == VARIABLES), None)
    name = variables.attributes.get("name") if variables else None
    return name if isinstance(name, str) and name and "/" not in name and not excess(name) else ""


def _layer_names(weights: tuple[str, ...], known: Places) -> Iterator[str]:
    """How a layer with these weights may be called, the likeliest first: what the file lists, then how they begin."""
    if not weights:
        return
    parent = known.groups.get(known.top)
    listed = (split_list(parent.attributes, LAYERS) if parent else None) or ()
    fits = [name for name in listed if all(weight.startswith((f"{name}/", f"{name}_")) for weight in weights)]
    if fits:
        yield max(fits, key=len)
        return
    # Keras 3 begins with the name of the model; where two layers fit, nothing says which one it is.
    within = [name for name in listed if all(f"/{name}/" in f"/{weight}" for weight in weights)]
    if len(within) == 1:
        yield within[0]
    first = {weight.partition("/")[0] for weight in weights if weight.endswith(":0") and "/" in weight}
    if not listed and len(first) == 1:
        yield first.pop()

"""A model in memory as a store: values come from its variables; an edit is undone on any failure."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.configured import Configured
from weightkit.access.live.live_refs import class_of
from weightkit.access.live.live_sink import LiveSink
from weightkit.access.live.loops.guards import is_away, require_between_steps, require_readable
from weightkit.access.live.object_walk import is_builtin
from weightkit.access.live.read_cache import Steady
from weightkit.access.live.slot import part
from weightkit.access.live.unsaved import note_on_unsaved
from weightkit.access.store import ALL, IN_PLACE, Destination, WeightStore
from weightkit.builtin import defined_in
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from weightkit.access.live.handles import Handle
    from weightkit.access.live.place import Place
    from weightkit.access.live.unsaved import Unsaved
    from weightkit.access.ref import WeightRef


class LiveStore(WeightStore):
    """The weights of a Keras 3 model, layer or list of variables, at the paths and in the order that Keras saves them.

    Nothing is held open: leaving a ``with`` statement changes nothing. Values are current when they are read. Open the
    model again after its structure changes.
    """

    def __init__(
        self,
        label: str,
        form: str,
        places: Mapping[WeightRef, Place],
        *,
        ordered: bool,
        unsaved: tuple[Unsaved, ...] = (),
        root: tuple[str | None, str | None] = (None, None),
    ) -> None:
        self._label, self._form, self._places, self._ordered = label, form, places, ordered
        self.unsaved = unsaved
        """Variables that are trained or tracked, and that Keras never saves: they are not among the weights."""
        self._root = root
        self._sink: LiveSink | None = None
        self._steady: Steady | None = None

    @property
    def label(self) -> str:
        """The class and the name of what was opened."""
        return self._label

    @property
    def format(self) -> str:
        """``live model``, ``live layer`` or ``live variables``."""
        return self._form

    @property
    def ordered(self) -> bool:
        """Whether the weights come in the order of the layers."""
        return self._ordered

    @property
    def root(self) -> tuple[str | None, str | None]:
        """The name and the class of what was opened; None for a list of variables."""
        return self._root

    @property
    def keras_version(self) -> str | None:
        """The version of Keras that is loaded."""
        return getattr(sys.modules.get("keras"), "__version__", None)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which weights Keras never saves."""
        return note_on_unsaved(self.unsaved)

    @property
    def makes_files(self) -> bool:
        """False: the variables themselves are set."""
        return False

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def values(self, ref: WeightRef, span: slice) -> np.ndarray:
        """A copy of the values of this moment: the whole weight in its shape, or a flat span in C order."""
        return self.look(ref, span).copy()

    def look(self, ref: WeightRef, span: slice = ALL) -> np.ndarray:
        """Like `read` but without a copy, for edits: do not change or keep the array."""
        # An edit reads what was there when it began.
        before = self._sink.before(ref, span) if self._sink is not None else None
        return part(self._value(ref), span) if before is None else before

    def _value(self, ref: WeightRef) -> np.ndarray:
        place = self._places[ref]
        if any(map(is_away, place.variables())):
            require_readable(place.variables(), f"{ref.path} of {self._label} cannot be read")
        return place.look() if place.variable is not None or self._steady is None else self._steady.value(ref, place)

    @contextlib.contextmanager
    def steady(self) -> Iterator[None]:
        """While the model does not change: ask layers once for what they report and compute, not once per span."""
        before, self._steady = self._steady, Steady()
        try:
            yield
        finally:
            self._steady = before

    def owner(self, ref: WeightRef) -> Any:
        """The model, layer or optimizer that saves a weight; None for a variable from a list."""
        return self._places[ref].thing

    def variable(self, ref: WeightRef) -> Any:
        """A weight's variable, which two addresses may share; None for a value computed on saving."""
        return self._places[ref].variable

    def configured(self, ref: WeightRef) -> Configured | None:
        """The class and configuration of the layer that saves a weight; None where it has none."""
        thing = self.owner(ref)
        return _configured(thing) if self._steady is None else self._steady.configured(thing, _configured)

    def require_possible(
        self, changing: Sequence[WeightRef], destination: Destination = IN_PLACE, changes: Changes = NO_CHANGES
    ) -> None:
        """Refuse an edit that would be refused before anything is set; nothing is touched.

        Raises:
            RequestError: As `editing` does.
        """
        self._require_values_only(destination, changes)
        self._require_between_steps(changing)
        for ref in changing:
            self._settable(ref)
        self._repeated(changing)

    @contextlib.contextmanager
    def editing(
        self,
        changing: Sequence[WeightRef],
        destination: Destination = IN_PLACE,
        changes: Changes = NO_CHANGES,
    ) -> Iterator[LiveSink]:
        """Set exactly the weights ``changing``, all of them or none.

        Args:
            changing: The weights that get new values.
            destination: Must be in place.
            changes: Must be empty: a model has no file structure to change.

        Raises:
            RequestError: A weight is computed on saving, or shares its variable with one that is not among them, or
                more than new values is requested; or a loop of Keras is running, and this is not in its callback.
        """
        self._require_values_only(destination, changes)
        self._require_between_steps(changing)
        if self._sink is not None:
            raise RequestError("it is being edited already", hint="finish that edit first", file=self._label)
        sink = LiveSink({ref: self._settable(ref) for ref in changing}, self._repeated(changing))
        self._sink = sink
        try:
            yield sink
            sink.commit()
        except BaseException:
            sink.undo()
            raise
        finally:
            self._sink = None
            sink.close()

    def _require_between_steps(self, changing: Sequence[WeightRef]) -> None:
        variables = (variable for ref in changing for variable in self._places[ref].variables())
        require_between_steps(variables, f"{self._label} must not be edited")

    def _settable(self, ref: WeightRef) -> Handle:
        handle = self._places[ref].handle
        if handle is None:
            raise RequestError(
                f"{ref.path} is computed on saving from other variables of its layer, and cannot be set",
                hint="leave it out of the selection, or save the model and edit the file",
                file=self._label,
            )
        return handle

    def _repeated(self, changing: Sequence[WeightRef]) -> dict[WeightRef, WeightRef]:
        """All but the last address of each variable, with the last: Keras keeps its values when it loads a file too.

        Raises:
            RequestError: Some addresses of a variable are to change, and others are not.
        """
        wanted = set(changing)
        addresses: dict[int, list[WeightRef]] = {}
        for ref, place in self._places.items():
            if place.variable is not None:
                # By identity: `==` of Keras' variables compares their values.
                addresses.setdefault(id(place.variable), []).append(ref)
        shared = [refs for refs in addresses.values() if len(refs) > 1 and not wanted.isdisjoint(refs)]
        for refs in shared:
            if not wanted.issuperset(refs):
                raise RequestError(
                    f"{' and '.join(ref.path for ref in refs)} are one variable, but only some of them are selected",
                    hint="select all or none of them",
                    file=self._label,
                )
        return {ref: refs[-1] for refs in shared for ref in refs[:-1]}

    def _require_values_only(self, destination: Destination, changes: Changes) -> None:
        if destination != IN_PLACE:
            raise RequestError(
                "a model in memory is edited in place: it has no output, no backup and no links",
                hint="leave those options out, or save the model and edit the file",
                file=self._label,
            )
        if changes:
            raise RequestError(
                "only the values of a model in memory can be edited",
                hint="save the model and edit the file",
                file=self._label,
            )


def _configured(thing: Any) -> Configured | None:
    try:
        config = thing.get_config()
    except Exception:  # noqa: BLE001  # a user's own get_config may fail in any way, and variables have none
        return None
    package = "weightkit" if defined_in(type(thing), "weightkit") else ""
    return Configured(class_of(thing), config, builtin=is_builtin(thing), package=package)

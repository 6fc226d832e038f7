"""The interface of every store of weights, a file or a model in memory."""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.errors import RequestError
from weightkit.escape import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Self

    import numpy as np

    from weightkit.access.configured import Configured
    from weightkit.access.names.initial_values import Initial
    from weightkit.access.names.kernel_axes import KernelAxes
    from weightkit.access.ref import WeightRef
    from weightkit.access.select import Where

ALL = slice(None)
"""The span of the whole weight, in its own shape."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the result of an edit goes; by default it replaces the file, and the old file is kept as a backup."""

    output: Path | None = None
    """Another file; None edits in place."""
    overwrite: bool = False
    """Whether ``output`` may exist already."""
    backup: bool = True
    """Whether an edit in place keeps the old file as a backup."""
    break_links: bool = False
    """Whether an edit in place may replace a file that has other hard links (they keep the old content)."""


IN_PLACE = Destination()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an edit left on disk; both paths are None for a model in memory."""

    output: Path | None = None
    backup: Path | None = None
    backups: int = 0
    """How many backups the file now has."""
    backups_bytes: int = 0
    """Their total size in bytes."""
    notes: tuple[str, ...] = ()
    """What else happened, one sentence each: links followed or broken, leftovers of a killed edit kept."""


class Sink(ABC):
    """Takes an edit's new values; all of them become visible when the edit is complete, but see `may_set_early`."""

    outcome: Outcome | None = None
    """Set when the edit has been committed."""

    @abstractmethod
    def write(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> None:
        """Set the elements of ``span`` (C order) of a weight. May be called from several threads."""

    def may_set_early(self) -> None:  # noqa: B027  # most never do
        """Called before the first value, if the edit reads the store's old values through the store alone.

        A model may then set weights before the edit is complete, which takes less memory: whoever looks at the model
        meanwhile sees some new weights. The store still reads the old ones, and an edit that fails restores them.
        """

    def complete(self) -> int:
        """Finish the new file after all values are written, before it replaces anything; returns its descriptor.

        Raises:
            RequestError: There is no new file, as for a model in memory.
        """
        raise RequestError("there is no new file to verify", hint="leave verify out")


class WeightStore(ABC):
    """Weights with addresses: iterate to list them, read values by address, edit all or nothing.

    Subclass it, and write what is abstract. What it holds does not change while it is open, but for the values.
    """

    @property
    @abstractmethod
    def label(self) -> str:
        """Its name in messages: for a file, the path as given."""

    @property
    @abstractmethod
    def format(self) -> str:
        """Name of the format, such as ``legacy HDF5 model``."""

    @property
    @abstractmethod
    def ordered(self) -> bool:
        """Whether the store knows the order of its layers."""

    @abstractmethod
    def __iter__(self) -> Iterator[WeightRef]:
        """All weights, in the order of the layers if that is known; reads no values."""

    @abstractmethod
    def values(self, ref: WeightRef, span: slice) -> np.ndarray:
        """What `read` returns: a copy of the whole weight in its shape, or of a flat span in C order."""

    @abstractmethod
    def editing(
        self, changing: Sequence[WeightRef], destination: Destination = IN_PLACE, changes: Changes = NO_CHANGES
    ) -> AbstractContextManager[Sink]:
        """Set exactly the weights ``changing`` and apply ``changes``: commits on exit, discards everything on error."""

    @property
    def root(self) -> tuple[str | None, str | None]:
        """Name and class of the layer or model that the store is as a whole; None where that is not known."""
        return (None, None)

    @property
    def keras_version(self) -> str | None:
        """The version of Keras that made it, if that is known."""
        return None

    @property
    def backend(self) -> str | None:
        """The backend of Keras whose convolutions its kernels are for, where the store says it: ``theano``."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the whole store, one sentence each."""
        return ()

    @property
    def nbytes(self) -> int:
        """Size of the store in bytes: for a file, of the whole file."""
        return sum(ref.nbytes for ref in self)

    @property
    def makes_files(self) -> bool:
        """Whether an edit makes a new file, which can be verified before it replaces anything."""
        return True

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, weight: object) -> bool:
        """Whether an address or a reference is that of a weight in this store."""
        self.require_usable()
        if isinstance(weight, str):
            return weight in self._by_address
        structure = getattr(weight, "structure", None)  # any object may be tested
        return structure is not None and self._by_structure.get(structure) == weight

    def __getitem__(self, address: str) -> np.ndarray:
        """The values of a weight, by its path or its structural address."""
        return self.read(address)

    def ref(self, address: str) -> WeightRef:
        """The weight that has this path or this structural address.

        Raises:
            UnknownWeightError: There is none; the hint names the nearest.
        """
        self.require_usable()
        if not isinstance(address, str):
            raise _not_an_address(address, self.label)
        found = self._by_address.get(address)
        if found is None:
            from weightkit.access.select.unknown import unknown_weight  # noqa: PLC0415  # few addresses are wrong

            raise unknown_weight(address, self, self.label)
        return found

    def select(self, where: Where = None, exclude: Where = None) -> tuple[WeightRef, ...]:
        """The selected weights, in the order of the store; all of them without a selection.

        Raises:
            SelectionError: The selection is malformed, or chooses nothing.
        """
        from weightkit.access.select.selecting import selected  # noqa: PLC0415  # few stores need it

        return selected(self, where, exclude).refs

    def read(self, weight: WeightRef | str, span: slice = ALL) -> np.ndarray:
        """A copy of the values: the whole weight in its shape, or a flat span of its elements in C order.

        Args:
            weight: A reference of this store; or a path or a structural address.
            span: Which elements; its step is 1.

        Raises:
            UnknownWeightError: No weight has this address.
            RequestError: It is neither an address nor a reference, or the step of the span is another one.
        """
        if span.step not in {None, 1}:
            raise RequestError(
                f"the step of a span must be 1, got {span.step}", hint="read it whole and slice the result"
            )
        is_ref = hasattr(weight, "structure")  # the class of references loads NumPy
        return self.values(cast("WeightRef", weight) if is_ref else self.ref(cast("str", weight)), span)

    def look(self, ref: WeightRef, span: slice = ALL) -> np.ndarray:
        """Like `read`, without a copy if possible: do not change or keep the result."""
        return self.values(ref, span)

    def steady(self) -> AbstractContextManager[None]:
        """A context in which values do not change, so computed values may be cached."""
        return contextlib.nullcontext()

    def configured(self, ref: WeightRef) -> Configured | None:  # noqa: ARG002  # there is no configuration
        """What the model's configuration says about a weight's layer; None if it says nothing, or there is none."""
        return None

    def initial(self, ref: WeightRef) -> Initial:
        """How Keras initializes a weight, as the model's configuration says.

        Raises:
            RequestError: There is no configuration of its layer, or it names no initializer.
        """
        from weightkit.access.names.initial_values import require_initial  # noqa: PLC0415  # few edits need it

        ref = self._original(ref)
        return require_initial(self.configured(ref), ref, self._inputs_of(ref))

    def _inputs_of(self, ref: WeightRef) -> int | None:
        """The rows of the kernel that its layer saves first, if there is one."""
        kernels = (self._by_structure.get(f"{ref.owner}/{key}") for key in ("0", "kernel"))
        return next((one.shape[0] for one in kernels if one is not None and one.name == "kernel" and one.shape), None)

    def kernel_axes(self, ref: WeightRef) -> KernelAxes | None:
        """Which axes of a weight are its inputs and outputs, where these are not the last two of a kernel.

        Raises:
            RequestError: It is a kernel whose axes may be in either order, and nothing says in which.
        """
        from weightkit.access.names.kernel_axes import kernel_axes  # noqa: PLC0415  # few edits need it

        ref = self._original(ref)
        return kernel_axes(ref, self.configured(ref), self.keras_version)

    def _original(self, ref: WeightRef) -> WeightRef:
        """The weight of which this one is a copy, else itself."""
        return self._originals.get(ref, ref)

    @functools.cached_property
    def _originals(self) -> Mapping[WeightRef, WeightRef]:
        from weightkit.access.copied_weights import originals  # noqa: PLC0415  # few edits need it

        return originals(self)

    def require_possible(
        self,
        changing: Sequence[WeightRef],  # noqa: ARG002  # none is refused
        destination: Destination = IN_PLACE,  # noqa: ARG002
        changes: Changes = NO_CHANGES,  # noqa: ARG002
    ) -> None:
        """Refuse an edit that `editing` would refuse, before anything is written; changes nothing."""
        return

    def require_usable(self) -> None:
        """Refuse a store that cannot be read any more, such as a closed one.

        Raises:
            RequestError: It cannot be read.
        """
        return

    def close(self) -> None:
        """Close what is open; safe to call twice."""
        return

    def __enter__(self) -> Self:
        self.require_usable()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {quoted(self.label)}: {self.format}, {len(self)} weights>"

    def _repr_html_(self) -> str:
        from weightkit.access.weight_table import weight_table  # noqa: PLC0415  # only notebooks show it

        return weight_table(f"{self.label}: {self.format}", self._listed())

    def _listed(self) -> Iterable[WeightRef]:
        """What a notebook shows, of a store that cannot be used any more too."""
        return self

    @functools.cached_property
    def _by_structure(self) -> Mapping[str, WeightRef]:
        return {ref.structure: ref for ref in self}

    @functools.cached_property
    def _by_address(self) -> Mapping[str, WeightRef]:
        """A path wins over another weight's equal structural address: it is what people read."""
        return {**self._by_structure, **{ref.path: ref for ref in self}}


def _not_an_address(weight: object, label: str) -> RequestError:
    return RequestError(
        f"a weight must be given by its address or reference, got {type(weight).__name__}",
        hint="give its path, as in store['encoder/kernel']",
        file=label,
    )

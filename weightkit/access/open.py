"""Open anything that holds weights; its content decides the format, never its name."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from weightkit.access.files.local_path import is_folder, require_local
from weightkit.access.files.openfile import OpenFile
from weightkit.access.formats.foreign import HINT
from weightkit.access.hdf5.limits import DEFAULT_LIMITS, Limits
from weightkit.access.hdf5.scanner import Scanner
from weightkit.arguments import boolean
from weightkit.errors import RequestError, UnsupportedFileError, WeightkitError

if TYPE_CHECKING:
    from weightkit.access.formats.unknown_file import UnknownFile
    from weightkit.access.hdf5.file_store import FileStore
    from weightkit.access.live.live_store import LiveStore

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@overload
def open_weights(
    target: str | os.PathLike[str], *, editable: bool = False, like: Any = None, limits: Limits = DEFAULT_LIMITS
) -> FileStore: ...


@overload
def open_weights(
    target: object, *, editable: bool = False, like: None = None, limits: Limits = DEFAULT_LIMITS
) -> FileStore | LiveStore: ...


def open_weights(
    target: Any, *, editable: bool = False, like: Any = None, limits: Limits = DEFAULT_LIMITS
) -> FileStore | LiveStore:
    """Open a weight file, or a model in memory, as a store of weights.

    Legacy HDF5 of Keras 1 to 3 (whole models and weights alone), ``.weights.h5`` and ``.keras`` are recognized by
    their content. No weight is read until you ask for it, and the file is never opened for writing. Before the first
    values of an archive are handed out, its checksum is compared.

    Args:
        target: Path of the file, or of a folder that Keras saved with ``zipped=False``; or a model, a layer, an
            optimizer or a list of variables of Keras 3, whose weights get the addresses that they have in a
            ``.weights.h5``.
        editable: Whether the file may be edited; nothing else may then have it open for writing or editing.
        like: Another file or model, to borrow names, kinds and configurations from where this file has none.
        limits: What reading the file may cost.

    Raises:
        RequestError: There is no such file, or it is a URL; a folder would be edited; the model is not built; or the
            target is neither a file nor a model.
        RefusedError: It is damaged, unsafe, or holds no Keras weights; the error says what it is instead.
        MachineError: It cannot be opened, or another process is writing it.

    Example:
        >>> with open_weights("model.h5") as store:  # doctest: +SKIP
        ...     for ref in store:
        ...         print(ref.path, ref.shape)
    """
    boolean("editable", editable)
    if not isinstance(target, str | os.PathLike):
        return _open_live(target, like)
    return FileOpening(target, editable=editable, limits=limits).store(like)


class FileOpening:
    """A weight file that is being opened: its reading process starts, and NumPy need not be loaded yet.

    Args:
        path: Path of the file.
        editable: Whether the file may be edited.
        limits: What reading the file may cost.
        advise: Whether the error for a damaged file looks for what is whole in it, to say how that is rescued.

    Raises:
        RequestError: There is no such file, or it is a URL, or a folder that would be edited.
        RefusedError: It is neither HDF5 nor an archive.
        MachineError: It cannot be opened, or another process is writing it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        editable: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        advise: bool = True,
    ) -> None:
        if isinstance(os.fspath(path), bytes):
            raise RequestError(f"the target must be a path in text, got {type(path).__name__}", hint=HINT)
        self._editable, self._limits, self._advise = editable, limits, advise
        require_local(path)
        self._folder = Path(path) if is_folder(path) else None
        if self._folder is not None:
            path = _weights_in(self._folder, editable=editable)
        with contextlib.ExitStack() as opened:
            self._source = opened.enter_context(OpenFile(path))
            self._source.lock(exclusive=editable)
            self._require_content()
            # Last: no process is started for what is neither HDF5 nor an archive.
            self._scanner = opened.enter_context(Scanner(limits))
            self._opened = opened.pop_all()

    def store(self, like: Any = None) -> FileStore:
        """The store, which must be closed in place of this; see `open_weights`."""
        source, limits = self._source, self._limits
        with self._opened as opened:
            try:
                file = _unknown(source, self._scanner, limits, self._folder)
                store = opened.enter_context(_store(file, self._scanner, editable=self._editable))
                if like is not None:
                    _require_another(source, like, editable=self._editable)
                    # It takes over all that the first store holds, so that closing both is safe.
                    store = opened.enter_context(_named_like(store, like, limits))
            except WeightkitError as error:
                raise self._advised(error.about(source.name)) from error.__cause__
            opened.pop_all()
            return store

    def close(self) -> None:
        """Stop opening it; does nothing once there is a store."""
        self._opened.close()

    def _require_content(self) -> None:
        try:
            _require_content(self._source)
        except UnsupportedFileError as error:
            raise self._advised(error) from None

    def _advised(self, error: WeightkitError) -> WeightkitError:
        if not self._advise:
            return error
        from weightkit.access.salvage.way_out import advised  # noqa: PLC0415  # few files are damaged

        return advised(error, self._source, self._limits)


def _open_live(target: object, like: object) -> LiveStore:
    from weightkit.access.live.opening import open_live  # noqa: PLC0415  # files do without

    store = open_live(target)
    if like is not None:
        raise RequestError("a model in memory knows its own names", hint="leave like out", file=store.label)
    return store


def open_descriptor(descriptor: int, name: str, limits: Limits = DEFAULT_LIMITS) -> FileStore:
    """Open a weight file for reading by its descriptor, such as a new file that has no name yet.

    Args:
        descriptor: The caller keeps it and closes it.
        name: What messages call the file.
        limits: What reading the file may cost.

    Raises:
        RefusedError: It is damaged, unsafe, or holds no Keras weights; or its archive's checksum is wrong.
    """
    with contextlib.ExitStack() as opened:
        source = opened.enter_context(OpenFile.of(descriptor, name))
        _require_content(source)
        scanner = opened.enter_context(Scanner(limits))
        store = opened.enter_context(_store(_unknown(source, scanner, limits), scanner, editable=False))
        store.require_intact()
        opened.pop_all()
        return store


def _require_content(source: OpenFile) -> None:
    if source.size == 0:
        raise UnsupportedFileError("the file is empty", hint=HINT, file=source.name)
    start = source.read(0, 8)
    if start.startswith((b"PK\3\4", b"PK\5\6")) or start == _HDF5_SIGNATURE or _has_user_block(source):
        return
    from weightkit.access.formats.foreign.first_bytes import foreign  # noqa: PLC0415  # weight files do without

    raise foreign(source)


def _has_user_block(source: OpenFile) -> bool:
    """HDF5 may start at byte 512, 1024, 2048 and so on, after a user block; a tar archive has its own block there."""
    place = 512
    while place < source.size:
        if source.read(place, 8) == _HDF5_SIGNATURE:
            from weightkit.access.formats.foreign.first_bytes import is_tar  # noqa: PLC0415  # few files have one

            return not is_tar(source.read(0, 512))
        place *= 2
    return False


def _weights_in(folder: Path, *, editable: bool) -> Path:
    from weightkit.access.formats.model_folder import weights_in  # noqa: PLC0415  # files do without

    return weights_in(folder, editable=editable)


def _unknown(source: OpenFile, scanner: Scanner, limits: Limits, folder: Path | None = None) -> UnknownFile:
    from weightkit.access.formats.unknown_file import UnknownFile  # noqa: PLC0415  # after the child has been started

    return UnknownFile(source, scanner, limits, folder)


def _store(file: UnknownFile, scanner: Scanner, *, editable: bool) -> FileStore:
    from weightkit.access.formats.table import contents_of  # noqa: PLC0415
    from weightkit.access.hdf5.file_store import FileStore  # noqa: PLC0415

    try:
        contents = contents_of(file)
        return FileStore(file.source, scanner, file.container, file.index, contents, editable=editable)
    except BaseException:
        file.container.close()  # weights that were decompressed for this file
        raise


def _require_another(source: OpenFile, like: Any, *, editable: bool) -> None:
    """Refuse the file itself, which is locked, in words of the request."""
    if not editable or not isinstance(like, str | os.PathLike):
        return
    with contextlib.suppress(OSError, ValueError):  # opening it says what is wrong
        if os.path.samestat(Path(like).stat(), source.status):
            raise RequestError("like must be another file, got the file itself", hint="leave like out")


def _named_like(store: FileStore, like: Any, limits: Limits) -> FileStore:
    from weightkit.access.like import borrow_configurations, borrow_names  # noqa: PLC0415

    with open_weights(like, limits=limits) as other:
        return store.renamed(borrow_names(store, other), borrow_configurations(store, other))

"""Rewrite an HDF5 file: the objects of another, less what was dropped, with types and attributes changed.

Only the reading process imports this module: libhdf5 may crash when a write fails, and then only this process dies.
Contiguous values are not copied here: the new file reserves their space, and the parent fills it at the speed of the
disk. Chunks are copied as stored, compressed; values inside headers are copied with the headers.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5, h5a, h5d, h5f, h5g, h5i, h5o, h5p, h5s, h5t

from weightkit.access.hdf5.child.attributes import attribute_values, text_of
from weightkit.access.hdf5.child.comments import copy_comment
from weightkit.access.hdf5.child.damage import in_words
from weightkit.access.hdf5.child.file_part import Part, open_for_reading
from weightkit.access.hdf5.child.refusal import Refusal
from weightkit.access.hdf5.child.stored_values import fill_value, stored_chunks
from weightkit.access.hdf5.child.type_names import LONG_TEXT, type_name, type_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_DENSE = 1  # superblock version from which attributes may be larger than a header
_ALIVE: Json = {}  # a record that only says that this process is alive


class Target(Part):
    """A part of an open file that libhdf5 may write to."""

    fault = ""
    """Why writing failed; libhdf5 does not report it."""

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, content: Any) -> int:
        """Write all of ``content`` at the position."""
        view = memoryview(content).cast("B")
        done = 0
        while done < len(view):
            with self._faults():
                done += os.pwrite(self._descriptor, view[done:], self._start + self._position + done)
        self._position += done
        self._length = max(self._length, self._position)
        return done

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or make it longer, so that the part has ``size`` bytes."""
        self._length = self._position if size is None else size
        with self._faults():
            os.ftruncate(self._descriptor, self._start + self._length)
        return self._length

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.fault = error.strerror or str(error)
            raise


def build(source: int, target: int, request: Json) -> Iterator[Json]:
    """Write the new file's skeleton; the last record gives its length, all others only show that work continues."""
    old = open_for_reading(Part(source, request["start"], request["length"]))
    part = Target(target, request["target_start"], 0)
    root = h5g.open(old, b"/")
    with explained(part):
        # The driver writes through `part`; the name appears in messages only.
        new = h5f.create(b"built", h5f.ACC_TRUNC, fcpl=_file_creation(old, root), fapl=access_list(part, old))
        yield from _Copy(request).group(root, h5g.open(new, b"/"), "")
        new.close()
        length = part.truncate(part.seek(0, os.SEEK_END))
    # The parent copies the user block: the library reserves room for it, and leaves it empty.
    yield {"built": length, "user_block": old.get_create_plist().get_userblock()}


def fill(target: int, staging: int, request: Json) -> Iterator[Json]:
    """Write encoded chunks and values in headers from the parent's staging file."""
    part = Target(target, request["target_start"], request["target_length"])
    with explained(part):
        new = h5f.open(b"built", h5f.ACC_RDWR, fapl=access_list(part, None))
        for piece in request["pieces"]:
            # Names that are not UTF-8 become the very bytes that the scan read.
            dataset = h5d.open(new, piece["path"].encode("utf-8", "surrogateescape"))
            content = os.pread(staging, piece["size"], piece["at"])
            if piece["chunk"] is None:
                kind = dataset.get_type()
                # Raw bytes of the file's own type on both sides: the library converts nothing.
                values = np.frombuffer(content, dtype=f"V{kind.get_size()}").reshape(dataset.shape)
                dataset.write(h5s.ALL, h5s.ALL, values, mtype=kind)
            else:
                dataset.write_direct_chunk(tuple(piece["chunk"]), content, 0)  # no filter was skipped
            yield _ALIVE
        new.close()
        length = part.truncate(part.seek(0, os.SEEK_END))
    yield {"built": length}


@contextlib.contextmanager
def explained(part: Target) -> Iterator[None]:
    """Distinguish a failed disk from a file that HDF5 cannot rewrite."""
    try:
        yield
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        if part.fault:
            raise Refusal("machine", "/", f"writing the new file failed: {part.fault}") from error
        raise Refusal("unsupported", "/", f"it cannot be rewritten: {in_words(error)}") from error


def access_list(part: Part, like: h5f.FileID | None) -> h5p.PropFAID:
    """The file access list for a part of a file; with the format version of ``like`` if that is later."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, part)
    # Closing the file closes what Python still refers to in it, so that everything is written.
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    if like is not None and like.get_create_plist().get_version()[0] > _DENSE:
        access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_LATEST)
    return access


def _file_creation(old: h5f.FileID, root: h5g.GroupID) -> h5p.PropFCID:
    """The old file's creation properties; only the root group knows whether it tracks creation order."""
    creation, known = old.get_create_plist(), root.get_create_plist()
    creation.set_link_creation_order(known.get_link_creation_order())
    creation.set_attr_creation_order(known.get_attr_creation_order())
    return creation


class _Copy:
    """One walk over the old file that writes the new one."""

    def __init__(self, request: Json) -> None:
        self._dropped = set(request["drop"])
        self._types: dict[str, str] = request["types"]
        self._attributes: dict[str, dict[str, Any]] = request["attributes"]
        self._deferred = set(request["deferred"])
        self._known_as: dict[str, str] = request["aliases"]
        self._made: dict[int, tuple[h5g.GroupID, bytes]] = {}

    def group(self, old: h5g.GroupID, new: h5g.GroupID, path: str) -> Iterator[Json]:
        """Copy what a group holds, depth first; the scan has bounded the depth.

        Of an object's names, this walk may meet another one first than the scan; requests use the scan's first name.
        """
        self._copy_words(old, new, path)
        for name, cset in _links(old):
            child_path = f"{path}/{text_of(name)}" if path else text_of(name)
            if child_path in self._dropped:
                continue
            child_path = self._known_as.get(child_path, child_path)
            child = h5o.open(old, name)
            link = h5p.create(h5p.LINK_CREATE)
            link.set_char_encoding(cset)
            address = h5o.get_info(child).addr
            if address in self._made:
                # One object with two names stays one: the second name is a hard link.
                home, first = self._made[address]
                new.links.create_hard(name, home, first, lcpl=link)
                continue
            self._made[address] = (new, name)
            if isinstance(child, h5g.GroupID):
                made = h5g.create(new, name, lcpl=link, gcpl=_group_creation(child))
                yield from self.group(child, made, child_path)
            else:
                yield from self._dataset(child, new, name, link, child_path)

    def _dataset(
        self, old: h5d.DatasetID, home: h5g.GroupID, name: bytes, link: h5p.PropLCID, path: str
    ) -> Iterator[Json]:
        new_type = self._types.get(path)
        kind = old.get_type() if new_type is None else type_of(new_type)
        creation = _creation(old, new_type)
        made = h5d.create(home, name, kind, old.get_space(), dcpl=creation, lcpl=link)
        yield _ALIVE
        if path not in self._deferred:  # the others' values are still to come from the parent
            yield from _copy_values(old, made)
        self._copy_words(old, made, path)

    def _copy_words(self, old: Any, new: Any, path: str) -> None:
        copy_comment(old, new)
        changed = self._attributes.get(path, {})
        for attribute in _attributes(old):
            name = text_of(attribute.name)
            if name not in changed:
                _copy_attribute(attribute, new)
            elif changed[name] is not None:
                set_attribute(new, name, changed[name], like=attribute)
        present = {text_of(attribute.name) for attribute in _attributes(old)}
        for name, value in changed.items():
            if name not in present and value is not None:
                set_attribute(new, name, value, like=None)


def _links(group: h5g.GroupID) -> list[tuple[bytes, int]]:
    """Names and their encodings, in creation order if the group tracks it."""
    found: list[tuple[bytes, int]] = []
    tracked = group.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED
    order = h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME
    group.links.iterate(lambda name, link: found.append((name, link.cset)), idx_type=order, info=True)
    return found


def _attributes(owner: Any) -> Iterator[h5a.AttrID]:
    tracked = owner.get_create_plist().get_attr_creation_order() & h5p.CRT_ORDER_TRACKED
    order = h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME
    names: list[bytes] = []
    h5a.iterate(owner, names.append, index_type=order)  # opening thousands by index takes quadratic time
    for name in names:
        yield h5a.open(owner, name)


def _group_creation(old: h5g.GroupID) -> h5p.PropGCID:
    """The group's creation properties.

    Its own list cannot be reused: HDF5 1.14.6 puts the addresses of the group's heap and link tree into it, and a link
    in a group made from it then fails with "address of object past end of allocation", or ruins the new file.
    """
    known, creation = old.get_create_plist(), h5p.create(h5p.GROUP_CREATE)
    creation.set_link_creation_order(known.get_link_creation_order())
    creation.set_attr_creation_order(known.get_attr_creation_order())
    creation.set_attr_phase_change(*known.get_attr_phase_change())
    creation.set_obj_track_times(known.get_obj_track_times())
    return creation


def _creation(old: h5d.DatasetID, new_type: str | None) -> h5p.PropDCID:
    """The new dataset's creation properties: the old one's, with space for contiguous values allocated early."""
    known = old.get_create_plist()
    creation = known if new_type is None else _for_type(old, known, np.dtype(new_type))
    creation.set_obj_track_times(bool(h5o.get_info(old).mtime))  # the list says yes for all old headers
    # What the old file never wrote gets no space here either.
    in_one_piece = known.get_layout() == h5d.CONTIGUOUS and old.get_storage_size()
    if in_one_piece and type_name(old.get_type()) != LONG_TEXT:
        creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        # The parent fills the space: fill values would be written for nothing.
        creation.set_fill_time(h5d.FILL_TIME_NEVER)
    return creation


def _for_type(old: h5d.DatasetID, known: h5p.PropDCID, dtype: np.dtype) -> h5p.PropDCID:
    """The same layout for another type; the fill value is cast if both types are numbers."""
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_layout(known.get_layout())
    creation.set_obj_track_times(known.get_obj_track_times())
    creation.set_attr_creation_order(known.get_attr_creation_order())
    creation.set_attr_phase_change(*known.get_attr_phase_change())
    if known.get_layout() == h5d.CHUNKED:
        creation.set_chunk(known.get_chunk())
        for number in range(known.get_nfilters()):
            code, flags, options, _ = known.get_filter(number)
            # The option of shuffle is the old type's size; the library sets it for the new type.
            creation.set_filter(code, flags, options)
    fill = fill_value(old, known)
    # bfloat16 is opaque bytes for the library: no fill value can be cast to it.
    if fill is not None and {fill.dtype.kind, dtype.kind} == {"f"}:
        # An overflow does no harm: all chunks of a dataset with a new type are written, none reads as fill.
        with np.errstate(all="ignore"):
            creation.set_fill_value(fill.astype(dtype))
    return creation


def _copy_values(old: h5d.DatasetID, new: h5d.DatasetID) -> Iterator[Json]:
    """Copy chunks as stored, and values in a header as raw bytes; the parent copies contiguous values.

    Text of variable length is stored in a heap that the dataset points into, so it is read and written as text.
    """
    layout, kind = old.get_create_plist().get_layout(), old.get_type()
    if type_name(kind) == LONG_TEXT:
        if old.get_storage_size() and old.shape is not None:
            texts = np.empty(old.shape, dtype=h5py.string_dtype())
            old.read(h5s.ALL, h5s.ALL, texts)
            new.write(h5s.ALL, h5s.ALL, texts)
    elif layout == h5d.CHUNKED:
        for chunk in stored_chunks(old):
            mask, content = _stored(old, chunk.chunk_offset)
            new.write_direct_chunk(chunk.chunk_offset, content, mask)
            yield _ALIVE
    elif layout == h5d.COMPACT:
        values = np.empty(old.shape, dtype=f"V{kind.get_size()}")
        old.read(h5s.ALL, h5s.ALL, values, mtype=kind)
        new.write(h5s.ALL, h5s.ALL, values, mtype=kind)


def _stored(dataset: h5d.DatasetID, place: tuple[int, ...]) -> tuple[int, bytes]:
    """A chunk as stored, with the mask of the filters that were skipped."""
    try:
        mask, content = dataset.read_direct_chunk(place)
        return mask, bytes(content)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        name = text_of(h5i.get_name(dataset) or b"/")
        raise Refusal("damaged", name, f"the chunk at {place} cannot be read") from error


def _copy_attribute(old: h5a.AttrID, owner: Any) -> None:
    kind, space = old.get_type(), old.get_space()
    new = h5a.create(owner, old.name, kind, space)
    if space.get_simple_extent_npoints():
        values = attribute_values(old, kind, list(space.shape))
        # Python's text: h5py has to convert it, so it gets no type in memory.
        if values.dtype.hasobject:
            new.write(values)
        else:
            new.write(values, mtype=kind)


def _variable_text(like: h5a.AttrID | None) -> h5t.TypeID | None:
    """The type of variable-length text: as in the old attribute, or, if there was none, as Keras writes text."""
    if like is None:  # text of fixed length is read as bytes, and Keras 3.15 compares with `== "bfloat16"`
        return h5t.py_create(h5py.string_dtype(), logical=True)
    kind = like.get_type()
    return kind if kind.get_class() == h5t.STRING and kind.is_variable_str() else None


def set_attribute(
    owner: Any, name: str, value: str | list[str], *, like: h5a.AttrID | None, fixed: bool = False
) -> None:
    """Text, or a list of text, stored in the manner of the attribute whose place it takes, or with a fixed length."""
    encoded = name.encode("utf-8", "surrogateescape")
    if isinstance(value, list) and not value:  # as Keras writes a list without names
        h5a.create(owner, encoded, h5t.IEEE_F64LE, h5s.create_simple((0,)))
        return
    texts = [text.encode("utf-8", "surrogateescape") for text in (value if isinstance(value, list) else [value])]
    space = h5s.create_simple((len(texts),)) if isinstance(value, list) else h5s.create(h5s.SCALAR)
    variable = None if fixed else _variable_text(like)
    if variable is not None:
        kind = variable
        values = np.array(texts, dtype=h5py.string_dtype()).reshape(space.shape)
        h5a.create(owner, encoded, kind, space).write(values)
        return
    kind = h5t.C_S1.copy()
    kind.set_size(max(1, *map(len, texts)))  # HDF5 has no text type of 0 bytes
    kind.set_strpad(h5t.STR_NULLPAD)
    values = np.array(texts, dtype=f"S{kind.get_size()}").reshape(space.shape)
    h5a.create(owner, encoded, kind, space).write(values, mtype=kind)

"""What a scan reports about one dataset: its type and shape, and how and where its values are stored.

Only the reading process imports this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from h5py import h5d, h5f, h5p, h5z

from weightkit.access.hdf5.child.attributes import attributes_of, shape_of
from weightkit.access.hdf5.child.chunk_spans import ChunkSpans
from weightkit.access.hdf5.child.refusal import Refusal
from weightkit.access.hdf5.child.stored_values import content_of, fill_value, filters_of
from weightkit.access.hdf5.child.type_names import stored_size, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.hdf5.child.file_part import Part

Json = dict[str, Any]

_LAYOUTS = {h5d.CONTIGUOUS: "contiguous", h5d.CHUNKED: "chunked", h5d.COMPACT: "compact"}


class Source(NamedTuple):
    """What a record needs to know of the file around its dataset."""

    file: h5f.FileID
    part: Part
    address: int
    """Bytes of an address."""
    limits: Json


def dataset_records(dataset: h5d.DatasetID, path: str, address: int, source: Source) -> Iterator[Json]:
    """What a scan reports about a dataset, and then where its chunks are.

    Raises:
        Refusal: Its values are not plain data in this file, or its chunk table is damaged.
    """
    creation, element = dataset.get_create_plist(), stored_size(dataset.get_type(), source.address)
    layout, fill = _layout(creation, path), fill_value(dataset, creation)
    size = dataset.get_storage_size()
    lies = layout == "contiguous" and size > 0  # HDF5 1.14.6: without space it has an offset too after a user block
    chunks = ChunkSpans(dataset, path) if layout == "chunked" else None
    yield {
        "path": path,
        "type": "dataset",
        "address": address,
        "shape": shape_of(dataset.get_space()),
        "dtype": type_name(dataset.get_type()),
        "element": element,
        "layout": layout,
        "filters": filters_of(creation, path) if layout == "chunked" else [],
        "offset": dataset.get_offset() if lies else None,
        "size": size,
        "attributes": attributes_of(dataset, path, source.limits),
        "form": _dataset_form(dataset, creation, layout),
        "fill": "" if fill is None else fill.tobytes().hex(),
        "table": chunks.digest if chunks else "",
        "content": content_of(dataset, layout, source.limits),
    }
    if chunks:
        yield from chunks.records(path, element, source.file, source.part)


def _dataset_form(dataset: h5d.DatasetID, creation: h5p.PropDCID, layout: str) -> str:
    form = f"order {creation.get_attr_creation_order()}"
    if layout == "chunked":
        steps = [creation.get_filter(number) for number in range(creation.get_nfilters())]
        options = [options for code, _, options, _ in steps if code != h5z.FILTER_SHUFFLE]  # that is the type's size
        grows = dataset.get_space().get_simple_extent_dims(maxdims=True)
        form += f" grows {grows} chunks {creation.get_chunk()} filters {options}"
    return form


def _layout(creation: h5p.PropDCID, path: str) -> str:
    if creation.get_external_count():
        raise Refusal("unsafe", path, "it keeps its values in another file (external storage)")
    layout = creation.get_layout()
    if layout not in _LAYOUTS:
        raise Refusal("unsafe", path, "it takes its values from other datasets (a virtual dataset)")
    return _LAYOUTS[layout]

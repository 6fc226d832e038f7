"""A file whose format is yet to be told: its first bytes, and its structure once somebody asks for it."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.hdf5.container import Body, Plain
from weightkit.access.hdf5.index import Index

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.container import Container
    from weightkit.access.hdf5.limits import Limits
    from weightkit.access.hdf5.scanner import Scanner


class UnknownFile:
    """An open file, which is taken for HDF5 from its first byte to its last until a format enters a container."""

    def __init__(self, source: OpenFile, scanner: Scanner, limits: Limits, folder: Path | None = None) -> None:
        self.source, self.limits = source, limits
        self.folder = folder
        """The folder that was given in place of the file in it."""
        self.container: Container = Plain(Body(source.fd, 0, source.size, source.name))
        self._scanner = scanner

    def enter(self, container: Container) -> None:
        """Look at the HDF5 file inside a container from now on."""
        self.container = container
        self.__dict__.pop("index", None)  # the cached one is of the container's own bytes

    @functools.cached_property
    def index(self) -> Index:
        """The structure of the HDF5 file, scanned when it is first asked for.

        Raises:
            RefusedError: It is damaged, unsafe or unsupported.
        """
        body = self.container.body
        index = Index.of(self._scanner.records(body.fd, body.start, body.length), body.length)
        return replace(index, reply_digest=self._scanner.reply_digest)  # known after the last record only

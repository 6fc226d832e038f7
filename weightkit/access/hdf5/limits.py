"""How much memory, time and disk a file may cost before it is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what reading one file may cost; each states its unit."""

    objects: int = 2_000_000
    """Groups and datasets in one file."""
    depth: int = 64
    """Levels of groups; Keras' own files have fewer than ten."""
    attribute: int = 32 << 20
    """Bytes of one attribute: the largest is a model's configuration, a few megabytes."""
    reply: int = 512 << 20
    """Bytes that the reading process may send for one file."""
    memory: int = 1 << 30
    """Bytes of address space that the reading process may add to what it starts with."""
    silence: float = 60.0
    """Seconds of silence after which the reading process counts as hung."""
    processor: int = 900
    """Seconds of processor time that the reading process may use."""
    members: int = 100_000
    """Members of a ``.keras`` archive."""
    directory: int = 16 << 20
    """Bytes of an archive's directory; one member needs about a hundred."""
    inflated: int = 1 << 40
    """Bytes to which an archive's compressed weights may decompress, on disk."""
    text_member: int = 32 << 20
    """Bytes of an archive's configuration, decompressed."""


DEFAULT_LIMITS = Limits()

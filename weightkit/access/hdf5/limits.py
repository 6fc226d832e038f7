"""How much a file may ask of us before it is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what reading one file may cost; each has its unit in its sentence."""

    objects: int = 2_000_000
    """Groups and datasets in one file."""
    depth: int = 64
    """Levels of groups; Keras' own files have fewer than ten."""
    attribute: int = 32 << 20
    """Bytes of one attribute: a model's configuration is the largest, and has a few megabytes."""
    reply: int = 512 << 20
    """Bytes that the reading process may send about one file."""
    memory: int = 1 << 30
    """Bytes of address space that the reading process may add to what it starts with."""
    silence: float = 60.0
    """Seconds without a word from the reading process before it counts as hung."""
    processor: int = 900
    """Seconds of processor time that the reading process may use."""
    members: int = 100_000
    """Members of a ``.keras`` archive."""
    directory: int = 16 << 20
    """Bytes of an archive's directory; a member takes about a hundred."""
    inflated: int = 1 << 40
    """Bytes to which an archive's compressed weights may inflate, on the disk."""
    text_member: int = 32 << 20
    """Bytes of an archive's configuration, inflated."""


DEFAULT_LIMITS = Limits()

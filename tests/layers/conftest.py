"""What the tests of the layers are given; they run under ``--backend``."""

from __future__ import annotations

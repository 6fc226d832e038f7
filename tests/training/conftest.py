"""What the tests of the training helpers are given; they run under ``--backend``."""

from __future__ import annotations

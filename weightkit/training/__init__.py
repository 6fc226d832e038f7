"""Freeze, thaw and recompile models, losing nothing."""

from __future__ import annotations

from weightkit.training.freezing import freeze, freeze_all_but, freeze_to, frozen, unfreeze
from weightkit.training.plan import FreezePlan, NothingTrainedWarning
from weightkit.training.recompiling import Recompiled, recompile

__all__ = [
    "FreezePlan",
    "NothingTrainedWarning",
    "Recompiled",
    "freeze",
    "freeze_all_but",
    "freeze_to",
    "frozen",
    "recompile",
    "unfreeze",
]

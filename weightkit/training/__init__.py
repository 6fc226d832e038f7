"""Freeze, unfreeze and recompile models, losing nothing."""

from __future__ import annotations

from weightkit.training.carrying import Recompiled
from weightkit.training.check import ModelCheck, check_model
from weightkit.training.freezing import freeze, freeze_all_but, freeze_to, frozen, unfreeze
from weightkit.training.optimizer_file import load_optimizer_state, save_optimizer_state
from weightkit.training.optimizer_report import OptimizerState
from weightkit.training.plan import FreezePlan, NothingTrainedWarning
from weightkit.training.proof import Proof
from weightkit.training.recompiling import recompile
from weightkit.training.summary import TrainableSummary, trainable_summary
from weightkit.training.verify import verify

__all__ = [
    "FreezePlan",
    "ModelCheck",
    "NothingTrainedWarning",
    "OptimizerState",
    "Proof",
    "Recompiled",
    "TrainableSummary",
    "check_model",
    "freeze",
    "freeze_all_but",
    "freeze_to",
    "frozen",
    "load_optimizer_state",
    "recompile",
    "save_optimizer_state",
    "trainable_summary",
    "unfreeze",
    "verify",
]

"""Freeze, unfreeze and recompile models, and keep the optimizer's state."""

from __future__ import annotations

from weightkit.training.checking.check import ModelCheck, check_model
from weightkit.training.checking.step_report import StepReport
from weightkit.training.checking.summary import TrainableSummary, trainable_summary
from weightkit.training.checking.verify_training import verify_training
from weightkit.training.freezing.freeze_plan import FreezePlan
from weightkit.training.freezing.freezing import freeze, frozen, unfreeze
from weightkit.training.freezing.nothing_trained import NothingTrainedWarning
from weightkit.training.freezing.train_only import freeze_all_but, freeze_to
from weightkit.training.layer_rates.by_depth import discriminative_learning_rates, layerwise_lr_decay
from weightkit.training.layer_rates.by_selection import learning_rates
from weightkit.training.optimizer.carried_optimizer import CarriedOptimizer, carry_optimizer
from weightkit.training.optimizer.grouped import GroupedOptimizer
from weightkit.training.optimizer.recompilation import Recompiled
from weightkit.training.optimizer.recompiling import recompile
from weightkit.training.parametrizing.in_place import parametrize_in_place
from weightkit.training.stages.stage import Stage
from weightkit.training.stages.staged_fit import staged_fit
from weightkit.training.stages.staged_history import StagedHistory
from weightkit.training.stages.unfreeze_schedule import unfreeze_schedule
from weightkit.training.state_file.optimizer_state import OptimizerState
from weightkit.training.state_file.saving import load_optimizer_state, save_optimizer_state

__all__ = [
    "CarriedOptimizer",
    "FreezePlan",
    "GroupedOptimizer",
    "ModelCheck",
    "NothingTrainedWarning",
    "OptimizerState",
    "Recompiled",
    "Stage",
    "StagedHistory",
    "StepReport",
    "TrainableSummary",
    "carry_optimizer",
    "check_model",
    "discriminative_learning_rates",
    "freeze",
    "freeze_all_but",
    "freeze_to",
    "frozen",
    "layerwise_lr_decay",
    "learning_rates",
    "load_optimizer_state",
    "parametrize_in_place",
    "recompile",
    "save_optimizer_state",
    "staged_fit",
    "trainable_summary",
    "unfreeze",
    "unfreeze_schedule",
    "verify_training",
]

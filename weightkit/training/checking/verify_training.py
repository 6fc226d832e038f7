"""Verify by one real training step that a model trains the weights that it should, and no others."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import keras

from weightkit.access import Kind
from weightkit.errors import RequestError
from weightkit.training.checking.batches import batch_of
from weightkit.training.checking.findings import stale_flags, unsaved_notes
from weightkit.training.checking.gradients import Gradient, gradients_of
from weightkit.training.checking.snapshot import Snapshot
from weightkit.training.checking.step_report import StepReport, WeightReport
from weightkit.training.checking.ties import ties_outside
from weightkit.training.checking.training_step import train_on
from weightkit.training.freezing.expected_flags import ExpectedFlags
from weightkit.training.model.compile_arguments import require_not_running
from weightkit.training.model.inventory import ModelWeights
from weightkit.training.model.model_view import is_batch_norm
from weightkit.training.optimizer.slots import inner_optimizers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.training.checking.batches import Batch
    from weightkit.training.freezing.freeze_plan import FreezePlan
    from weightkit.training.model.inventory import ModelWeight

_REPORTED_HERE = ("Gradients do not exist for variables", "The model does not have any trainable weights")
"""Warnings of Keras that the report covers for every weight."""


def verify_training(model: Any, plan: FreezePlan | None = None, data: Any = None) -> StepReport:
    """Run one real training step, report what it did to each weight, and restore the model.

    The step is the model's own ``train_on_batch``, with its present train function and the data in the form in which
    ``fit`` gives it, so that a train step of your own may unpack ``x, y = data``. With gradient accumulation it is as
    many steps as one update takes. A second step, run eagerly, shows which weights get a gradient. It checks that

    - a frozen weight has the same bits after the step;
    - a trained weight has a gradient. No gradient (the loss does not depend on the weight) fails. A gradient of zeros
      is a warning: LoRA's first matrix has one at the first step, since the second matrix starts at zero;
    - the moving statistics of a BatchNormalization are updated, or frozen, as the plan or else the layer's flag says;
    - flags, optimizer and train function agree, and the model holds what its weights are tied to (see `check_model`).

    Afterwards weights, optimizer, metrics, seeds and the train function with its traces are restored bit for bit, so
    that the next ``fit`` is not affected; `Snapshot` lists what it cannot restore.

    Args:
        model: A built and compiled model of Keras 3.
        plan: The plan that ``freeze`` or ``unfreeze`` returned, which says what is expected; by default the flags do.
        data: The training data: ``(x, y)`` or ``(x, y, sample_weight)``, of which the first 32 rows are used; a
            dictionary with these names, or of inputs; or a dataset, a ``PyDataset``, a PyTorch ``DataLoader`` or a
            generator, of which the first batch is used. By default it is random, for Sequential and Functional models
            with the loss mean squared or absolute error, Huber, log-cosh, or binary, categorical or sparse
            categorical crossentropy.

    Returns:
        A report that prints, displays in notebooks and has `to_dict`. It is false where something failed; its
        `raise_if_failed` raises then.

    Raises:
        RequestError: The model is not built or not compiled, ``fit`` or similar runs for it, the data has no batch, or
            the step raised an error although the flags agree.

    Example:
        >>> import keras
        >>> layers = [keras.Input((2,)), keras.layers.Dense(3, name="body"), keras.layers.Dense(1, name="head")]
        >>> model = keras.Sequential(layers, name="small")
        >>> model.get_layer("body").trainable = False
        >>> model.compile("sgd", "mse")
        >>> print(verify_training(model))
        Sequential 'small': as expected (2 trained, 2 frozen)
    """
    if isinstance(model, keras.Model):
        require_not_running(model, f"verify_training must not train {model.name}", "call it before or after fit")
    weights = ModelWeights.of(model)
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise RequestError(
            "the model must be compiled with an optimizer, and is not",
            hint="call compile(...) first",
            file=weights.label,
        )
    flags = ExpectedFlags.of(plan, weights)
    batch = batch_of(model, data)
    stale = [str(finding) for finding in stale_flags(model, weights)]
    with Snapshot(model) as before:
        try:
            gradients, changed = _step(model, batch, weights, before)
        except Exception as error:
            # On JAX a step with stale flags raises: that is a finding of the report, not an error of the caller.
            if not stale:
                raise _failed(error, weights.label) from error
            return StepReport(weights.label, (), (*flags.mismatches, *stale, f"the step failed: {_line(error)}"))
    # A rate of zero or a skipped step changes no weight: one note says so, not a warning for each.
    idle = not any(changed[id(weight.variable)] for weight in weights if weight.is_trained)
    reports = tuple(_judge(weight, flags, gradients, changed[id(weight.variable)], idle=idle) for weight in weights)
    # After the step, in which ties by name are found.
    outside = [str(finding) for finding in ties_outside(model, weights)]
    return StepReport(
        weights.label, reports, (*flags.mismatches, *stale, *outside), tuple(_notes(weights, gradients, idle=idle))
    )


def _step(
    model: Any, batch: Batch, weights: ModelWeights, before: Snapshot
) -> tuple[Mapping[int, Gradient], Mapping[int, bool]]:
    """The gradient of each variable, and whether a step changes it, by ``id``."""
    with warnings.catch_warnings():
        for message in _REPORTED_HERE:
            warnings.filterwarnings("ignore", message)
        gradients = gradients_of(model, batch)
        # The eager step moved weights and seeds; the real step starts from the same state.
        before.put_back()
        for _ in range(_steps_of_an_update(model.optimizer)):
            train_on(model, batch)
    return gradients, {id(weight.variable): before.changed(weight.variable) for weight in weights}


def _steps_of_an_update(optimizer: Any) -> int:
    """How many calls of ``train_on_batch`` one update of the weights takes."""
    steps = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    # The last 1 is for optimizers with no others inside: `max` of one number raises.
    return max(steps, *map(_steps_of_an_update, inner_optimizers(optimizer).values()), 1)


def _failed(error: Exception, label: str) -> RequestError:
    return RequestError(f"the training step failed: {_line(error)}", hint="check that fit accepts the data", file=label)


def _line(error: Exception) -> str:
    # Errors of a traced step may quote the whole graph.
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _judge(
    weight: ModelWeight, flags: ExpectedFlags, gradients: Mapping[int, Gradient], changed: bool, *, idle: bool
) -> WeightReport:
    if weight.ref.kind is Kind.STATISTIC and is_batch_norm(weight.owner):
        return _judge_statistics(weight, flags.statistics(weight), changed=changed)
    if weight.is_trained or weight.is_parameter:
        return _judge_parameter(weight, gradients, changed=changed, idle=idle)
    return WeightReport(weight.path, "fixed", "", changed)  # seeds and counters: their layers decide


def _judge_statistics(weight: ModelWeight, expected: str, *, changed: bool) -> WeightReport:
    if expected == "frozen":
        failure = "its statistics must stay frozen, and changed" if changed else ""
        return WeightReport(weight.path, expected, "", changed, failure)
    # Statistics that already equal the batch's do not change, so this alone is only a warning.
    warning = "" if changed else "its statistics must be updated, and did not change"
    failure = "" if changed or weight.owner.trainable else f"{warning}: the layer's flag is off"
    return WeightReport(weight.path, expected, "", changed, failure, "" if failure else warning)


def _judge_parameter(
    weight: ModelWeight, gradients: Mapping[int, Gradient], *, changed: bool, idle: bool
) -> WeightReport:
    if not weight.is_trained:
        return WeightReport(weight.path, "frozen", "", changed, "it is frozen, and changed" if changed else "")
    gradient = gradients.get(id(weight.variable), Gradient.UNKNOWN)
    failure = "no gradient: the loss does not depend on it" if gradient is Gradient.NONE else ""
    warning = {
        Gradient.ZERO: "its gradient is zero everywhere",
        Gradient.NOT_FINITE: "its gradient is not finite",
    }.get(gradient, "")
    if gradient is Gradient.FLOWS and not changed and not idle:
        warning = "it has a gradient, and did not change"
    return WeightReport(weight.path, "trained", str(gradient), changed, failure, warning)


def _notes(weights: ModelWeights, gradients: Mapping[int, Gradient], *, idle: bool) -> Iterator[str]:
    trained = [weight for weight in weights if weight.is_trained]
    if not trained:
        yield "everything is frozen: nothing is trained"
    elif not gradients:
        yield "the model's own train step passes no gradients to its optimizer, so none were recorded"
    if trained and idle:
        yield "no trained weight changed: is the learning rate zero, or did the loss scale skip the step?"
    yield from unsaved_notes(weights)

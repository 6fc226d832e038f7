"""Prove by one real training step that a model trains what it is meant to train, and nothing else."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind
from weightkit.errors import RequestError
from weightkit.training.checking.batches import batch_of
from weightkit.training.checking.findings import stale_flags
from weightkit.training.checking.gradients import Gradient, gradients_of
from weightkit.training.checking.proof import Proof, WeightProof
from weightkit.training.checking.snapshot import Snapshot
from weightkit.training.freezing.intention import Intention
from weightkit.training.model.batch_norm import is_batch_norm
from weightkit.training.model.inventory import Weights
from weightkit.training.optimizer.slots import inner_optimizers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.training.checking.batches import Batch
    from weightkit.training.freezing.freeze_plan import FreezePlan
    from weightkit.training.model.inventory import Weight

_TOLD_HERE = ("Gradients do not exist for variables", "The model does not have any trainable weights")
"""Keras' warnings of what the proof says too, of every weight."""


def verify(model: Any, plan: FreezePlan | None = None, data: Any = None) -> Proof:
    """Run one real training step on a snapshot of a model, and tell what it did; then put everything back.

    The step is the model's own ``train_on_batch``, by the train function that it has. Where gradients are accumulated
    it is as many steps as one update takes. A second step, run eagerly, tells which gradients reach which weights.
    What must hold:

    - a frozen weight has the very same bits after the step;
    - a trained one has a gradient. None (the loss does not depend on it) fails. Zero is a warning: LoRA's first
      matrix has a zero gradient at its first step, as the second one begins at zero;
    - the statistics of a BatchNormalization are updated, or held, as the plan or else the layer's own flag says;
    - flags, optimizer and train function agree (`check_model` tells more).

    Weights, optimizer, metrics, seeds and the train function with its traces are afterwards what they were, bit for
    bit, so that a ``fit`` goes on as if nothing had been; see `Snapshot` for what it cannot know of.

    Args:
        model: A compiled model of Keras 3 that has been built.
        plan: What is meant to be frozen and trained, as ``freeze`` gives it; by default the flags as they are.
        data: What is trained on: ``(x, y)`` or ``(x, y, sample_weight)``, of which the first 32 rows are taken; a
            dictionary of these names; or a dataset or a generator, of which the first batch is taken. It may be left
            out where the model tells its inputs and the loss is one of mean squared or absolute error, Huber,
            log-cosh, or binary, categorical or sparse categorical crossentropy: then it is random.

    Returns:
        A proof that prints, shows itself in notebooks and has `to_dict`. It raises nothing for what failed: it is
        false then, and `raise_if_failed` raises.

    Raises:
        RequestError: The model is not built or not compiled, the data gives no batch, or the step itself failed
            though the flags are in order.

    Example:
        >>> import keras
        >>> layers = [keras.Input((2,)), keras.layers.Dense(3, name="body"), keras.layers.Dense(1, name="head")]
        >>> model = keras.Sequential(layers, name="small")
        >>> model.get_layer("body").trainable = False
        >>> model.compile("sgd", "mse")
        >>> print(verify(model))
        Sequential 'small': as meant (2 trained, 2 frozen)
    """
    weights = Weights.of(model)
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise RequestError(
            "the model is not compiled with an optimizer", hint="call compile(...) first", file=weights.label
        )
    intention = Intention.of(plan, weights)
    batch = batch_of(model, data)
    stale = [str(finding) for finding in stale_flags(model, weights)]
    with Snapshot(model) as before:
        try:
            gradients, changed = _step(model, batch, weights, before)
        except Exception as error:
            if not stale:
                raise _failed(error, weights.label) from error
            return Proof(weights.label, (), (*intention.broken, *stale, f"the step failed: {_line(error)}"))
    idle = not any(changed[id(weight.variable)] for weight in weights if weight.trains)
    proofs = tuple(_judge(weight, intention, gradients, changed[id(weight.variable)], idle=idle) for weight in weights)
    return Proof(weights.label, proofs, (*intention.broken, *stale), tuple(_notes(weights, gradients, idle=idle)))


def _step(
    model: Any, batch: Batch, weights: Weights, before: Snapshot
) -> tuple[Mapping[int, Gradient], Mapping[int, bool]]:
    """The gradients, and which variables a step changes."""
    with warnings.catch_warnings():
        for message in _TOLD_HERE:
            warnings.filterwarnings("ignore", message)
        gradients = gradients_of(model, batch)
        before.put_back()
        for _ in range(_steps_of_an_update(model.optimizer)):
            model.train_on_batch(*batch)
    return gradients, {id(weight.variable): before.changed(weight.variable) for weight in weights}


def _steps_of_an_update(optimizer: Any) -> int:
    own = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    return max(own, *map(_steps_of_an_update, inner_optimizers(optimizer).values()), 1)


def _failed(error: Exception, label: str) -> RequestError:
    return RequestError(
        f"the training step failed: {_line(error)}", hint="see that train_on_batch takes the data as it is", file=label
    )


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _judge(
    weight: Weight, intention: Intention, gradients: Mapping[int, Gradient], changed: bool, *, idle: bool
) -> WeightProof:
    if weight.ref.kind is Kind.STATISTIC and is_batch_norm(weight.owner):
        return _judge_statistics(weight, intention.statistics(weight), changed=changed)
    if weight.trains or weight.is_parameter:
        return _judge_parameter(weight, gradients, changed=changed, idle=idle)
    return WeightProof(weight.path, "fixed", "", changed)  # seeds and counters go as their layers will


def _judge_statistics(weight: Weight, meant: str, *, changed: bool) -> WeightProof:
    if meant == "held":
        failure = "statistics changed, and are meant to be held" if changed else ""
        return WeightProof(weight.path, meant, "", changed, failure)
    warning = "" if changed else "statistics did not change, and are meant to be updated"
    failure = "" if changed or weight.owner.trainable else f"{warning}: the layer's own flag is off"
    return WeightProof(weight.path, meant, "", changed, failure, "" if failure else warning)


def _judge_parameter(weight: Weight, gradients: Mapping[int, Gradient], *, changed: bool, idle: bool) -> WeightProof:
    if not weight.trains:
        return WeightProof(weight.path, "frozen", "", changed, "frozen, and changed all the same" if changed else "")
    gradient = gradients.get(id(weight.variable), Gradient.UNKNOWN)
    failure = "no gradient: the loss does not depend on it" if gradient is Gradient.NONE else ""
    warning = {
        Gradient.ZERO: "its gradient is zero everywhere",
        Gradient.NOT_FINITE: "its gradient is not finite",
    }.get(gradient, "")
    if gradient is Gradient.FLOWS and not changed and not idle:
        warning = "it has a gradient, and did not change"
    return WeightProof(weight.path, "trained", str(gradient), changed, failure, warning)


def _notes(weights: Weights, gradients: Mapping[int, Gradient], *, idle: bool) -> Iterator[str]:
    trained = [weight for weight in weights if weight.trains]
    if not trained:
        yield "everything is frozen: nothing is trained"
    elif not gradients:
        yield "the model's own train step hands no gradients to its optimizer, so that none were seen"
    if trained and idle:
        yield "no trained weight changed: is the learning rate zero, or did the loss scale skip the step?"

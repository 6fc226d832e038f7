"""What Keras 2 called the slots of its optimizers, and their order, by the class of the optimizer.

The names are those of Keras 2.0 to 2.15: Adam's ``m`` is ``momentum`` in Keras 3, and so on. Only slots whose numbers
mean the same are here. Nadam's are not before Keras 2.11: there its momentum follows another schedule
(``0.96 ** (0.004 * step)``, in Keras 3 ``0.96 ** step``), so that ``m`` and the product are of other factors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADAM = {"m": "momentum", "v": "velocity", "vhat": "velocity_hat"}
SLOTS: Mapping[str, Mapping[str, str]] = {
    "SGD": {"momentum": "momentum", "m": "momentum"},
    "RMSprop": {
        "rms": "velocity", "velocity": "velocity", "momentum": "momentum",
        "mg": "average_gradient", "average_gradient": "average_gradient",
    },
    "Adagrad": {"accumulator": "accumulator"},
    "Adadelta": {
        "accum_grad": "accumulated_grad", "accumulated_grad": "accumulated_grad",
        "accum_var": "accumulated_delta_var", "accumulated_delta_var": "accumulated_delta_var",
    },
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "Adamax": {"m": "momentum", "v": "norm", "u": "norm"},
    "Nadam": {"m": "momentum", "v": "velocity"},
    "Ftrl": {"accumulator": "accumulator", "linear": "linear"},
}  # fmt: skip
"""By class, the names of slots in files of Keras 2 and in Keras 3."""
ORDER: Mapping[str, tuple[str, ...]] = {
    "SGD": ("momentum",),
    "RMSprop": ("velocity",),
    "Adagrad": ("accumulator",),
    "Adadelta": ("accumulated_grad", "accumulated_delta_var"),
    "Adam": ("momentum", "velocity"),
    "Adamax": ("momentum", "norm"),
}
"""By class, the slots of Keras before tf.keras 2, which saved all of one after all of another, without names."""
STEPS = frozenset({"iter", "iterations", "iteration"})
"""Names of the step count."""
RATES = frozenset({"learning_rate", "current_learning_rate"})
"""Names of the learning rate, in the few files where it is a variable."""

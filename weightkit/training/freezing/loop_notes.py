"""When a change of flags takes effect: for ``fit``, and for training loops of one's own, on each backend.

Measured on Keras 3.15: TensorFlow's ``tf.function`` uses the flags of the moment at which it is traced. A step under
``jax.jit`` uses those of its trace as long as it is given lists of the same lengths, and Keras' ``stateless_apply``
refuses lists of others than the optimizer was built on. PyTorch's ``requires_grad`` follows the flags, also under
``torch.compile``.
"""

from __future__ import annotations

import keras

NOT_COMPILED = "the model is not compiled: fit trains by these flags once it is"
COMPILED_AGAIN = (
    "the optimizer has taken steps outside of fit: in a training loop of your own, take model.optimizer again, which "
    "is a new one, and make a tf.function or a step under jax.jit again, which otherwise trains by the earlier flags"
)
_LOOPS = {
    "tensorflow": (
        "a tf.function that was traced before trains by the earlier flags: make it again, with the optimizer of "
        "carry_optimizer where weights were unfrozen"
    ),
    "jax": (
        "take the lists of variables again, with the optimizer of carry_optimizer: given the earlier lists, a step "
        "under jax.jit trains by the earlier flags"
    ),
    "torch": (
        "requires_grad has changed, also for torch.compile; where weights were unfrozen, a Keras optimizer needs "
        "carry_optimizer; clear gradients with zero_grad(), since an optimizer of torch.optim still moves a frozen "
        "weight that has one"
    ),
}


def loop_notes() -> tuple[str, ...]:
    """What holds for a training loop of one's own on the present backend."""
    known = _LOOPS.get(keras.backend.backend())
    return () if known is None else (f"in a training loop of your own: {known}",)

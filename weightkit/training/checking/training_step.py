"""One training step, whose data the train step gets in the form in which ``fit`` gives it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.builtin import defined_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weightkit.training.checking.batches import Batch


def train_on(model: Any, batch: Batch) -> None:
    """Run the model's own ``train_on_batch``; a train step of the user's own gets the data as ``fit`` gives it.

    In Keras 3.15 ``train_on_batch`` gives the train step ``(x, y, sample_weight)``, also where there are no weights,
    and ``fit`` then gives ``(x, y)``: ``x, y = data`` fails in one and works in the other. Keras' own train step takes
    both, and keeps the form for which it is traced.

    Args:
        model: A compiled model.
        batch: The data of the step.
    """
    is_own = not defined_in(type(model).train_step)
    with _fed_as_by_fit(model, batch) if is_own else contextlib.nullcontext():
        # As a dictionary, since a step of one's own may return other metrics than the model has.
        model.train_on_batch(*batch.parts, return_dict=True)


@contextlib.contextmanager
def _fed_as_by_fit(model: Any, batch: Batch) -> Iterator[None]:
    """Make the train function get what ``fit`` gives it, in place of what ``train_on_batch`` does."""
    make, made = model.make_train_function, []

    def make_train_function(force: bool = False) -> None:
        make(force=force)
        made.append(model.train_function)
        vars(model)["train_function"] = _given(model.train_function, batch)

    # Through `vars`: Keras 3.15 tracks what is set, and resets the train function.
    vars(model)["make_train_function"] = make_train_function
    try:
        yield
    finally:
        del vars(model)["make_train_function"]
        if made:
            vars(model)["train_function"] = made[-1]


def _given(train_function: Callable[..., Any], batch: Batch) -> Callable[..., Any]:
    """A train function whose data, the last argument (an iterator, or on PyTorch a list), is packed as by ``fit``."""

    def function(*arguments: Any) -> Any:
        *state, data = arguments
        packed = (_element(batch, *parts) for parts in data)
        return train_function(*state, list(packed) if isinstance(data, list) else packed)

    return function


def _element(batch: Batch, x: Any, y: Any, sample_weight: Any) -> Any:
    import keras  # noqa: PLC0415

    element = x if batch.is_whole else keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
    # On JAX, `fit` gives arrays of NumPy.
    return element if keras.backend.backend() == "jax" else keras.tree.map_structure(_as_tensor, element)


def _as_tensor(value: Any) -> Any:
    import keras  # noqa: PLC0415

    # Text stays as it is: only TensorFlow has tensors of it.
    is_number = getattr(getattr(value, "dtype", None), "kind", "O") not in "SUO"
    return keras.ops.convert_to_tensor(value) if is_number else value

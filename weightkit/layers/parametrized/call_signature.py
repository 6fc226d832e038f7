"""Give a wrapper the call signature of the layer inside it."""

from __future__ import annotations

import inspect
from typing import Any


def copy_call_signature(wrapper: Any, layer: Any) -> None:
    """Copy what Keras 3.15 reads from the signatures of ``call`` and ``build`` to decide how a layer is called."""
    signature = layer._call_signature  # noqa: SLF001
    if "training" not in signature.parameters and not _takes_anything(signature):
        # Keras passes `training` only where it is in the signature, and parametrizations need it.
        training = inspect.Parameter("training", inspect.Parameter.KEYWORD_ONLY, default=None)
        signature = signature.replace(parameters=[*signature.parameters.values(), training])
    wrapper._call_signature = signature  # noqa: SLF001
    wrapper.call_signature_parameters = list(signature.parameters)
    for name in ("_call_has_mask_arg", "_convert_input_args", "_allow_non_tensor_positional_args"):
        setattr(wrapper, name, getattr(layer, name))
    wrapper.build.__signature__ = inspect.signature(layer.build)
    wrapper.supports_masking = layer.supports_masking
    wrapper.supports_jit = layer.supports_jit


def _takes_anything(signature: inspect.Signature) -> bool:
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.parameters.values())

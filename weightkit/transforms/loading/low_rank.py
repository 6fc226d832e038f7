"""Kernels with a low-rank update beside them (LoRA), for a layer that has none: the update is merged in.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models": W + (alpha / r) A B. Legacy files of Keras 3 keep
the three apart, and all others hold the sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weightkit.errors import RequestError
from weightkit.transforms.loading.conversion import Conversion
from weightkit.transforms.loading.keras1_names import meaning

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from weightkit.access import WeightRef
    from weightkit.transforms.loading.facts import LayerFacts

_BEFORE, _FIRST, _SECOND = "lora_", "_a", "_b"

STALE = RequestError(
    "its layer keeps a low-rank update here, which the source does not have, and which would be added to the kernel",
    hint="load into a model, whose updates Keras sets to zero, and save that",
)
"""Why a weight is refused whose layer has an update of its own."""


def is_factor(ref: WeightRef) -> bool:
    """Whether a weight is a factor of a low-rank update: ``lora_kernel_a``."""
    name = ref.name or ""
    return name.startswith(_BEFORE) and name.endswith((_FIRST, _SECOND))


def stale(missing: Iterable[WeightRef], pairs: Iterable[WeightRef]) -> list[WeightRef]:
    """The weights of a target that would be off by an update of its own, which the source does not have, and these.

    Args:
        missing: The weights that the source does not have.
        pairs: Those that it has.
    """
    factors = list(filter(is_factor, missing))
    names = {(ref.owner, meaning(_whole(ref.name or ""), ())) for ref in factors}
    return [*(ref for ref in pairs if (ref.owner, meaning(ref.name or "", ())) in names), *factors]


def _whole(name: str) -> str:
    return name.removeprefix(_BEFORE).removesuffix(_FIRST).removesuffix(_SECOND)


def with_updates(weights: Mapping[str, Conversion], kept: Container[str], source: LayerFacts) -> dict[str, Conversion]:
    """The weights of a layer with their low-rank updates merged in, as Keras 3 does on saving.

    Args:
        weights: By what they are.
        kept: What the target has, where it keeps updates apart too.
        source: The layer that they are of.

    Raises:
        RequestError: Nothing says by how much an update counts.
    """
    found = dict(weights)
    for name in weights:
        own = name.removeprefix(_BEFORE).removesuffix(_FIRST)
        second, whole = f"{_BEFORE}{own}{_SECOND}", meaning(own, ())
        if name == f"{_BEFORE}{own}{_FIRST}" and name not in kept and second in weights and whole in weights:
            found[whole] = _merged([weights[one] for one in (whole, name, second)], source, own)
    return found


def _alpha(source: LayerFacts, name: str) -> float:
    alpha = source.config.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        raise RequestError(
            f"the source has a low-rank update beside its {name}, and does not say by how much it counts (lora_alpha)",
            hint="give a whole model with its configuration",
        )
    return float(alpha)


def _merged(parts: Sequence[Conversion], source: LayerFacts, name: str) -> Conversion:
    whole, first, second = parts
    rank = first.shape[-1]
    if second.shape[:1] != (rank,) or (*first.shape[:-1], *second.shape[1:]) != whole.shape or not rank:
        raise RequestError(
            f"the low-rank update must be of the shape {whole.shape}, got the factors {first.shape} and {second.shape}",
            hint="give a sound file",
        )
    alpha = _alpha(source, name)

    def merge(arrays: Sequence[np.ndarray]) -> np.ndarray:
        waiting = iter(arrays)
        kernel, a, b = (part.run([next(waiting) for _ in part.sources]) for part in parts)
        update: np.ndarray = kernel.dtype.type(alpha / rank) * np.matmul(a, b)
        return np.asarray(kernel + update.astype(kernel.dtype))

    sources = tuple(ref for part in parts for ref in part.sources)
    step = ", ".join((*whole.steps, f"low-rank update merged, {alpha:g}/{rank} of it"))
    return Conversion(sources, whole.shape, whole.dtype, (step,), (merge,))

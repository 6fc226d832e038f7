"""Contract tests for stores, transforms and layers, to subclass; they need pytest.

Each is loaded when it is first used: who tests a transform needs nothing of layers.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from weightkit.text import no_attribute

if TYPE_CHECKING:
    from weightkit.testing.layer.contract import LayerContract
    from weightkit.testing.store_contract import StoreContract
    from weightkit.testing.transform_contract import TransformContract

_HOMES = {
    "LayerContract": "weightkit.testing.layer.contract",
    "StoreContract": "weightkit.testing.store_contract",
    "TransformContract": "weightkit.testing.transform_contract",
}

if "pytest" in sys.modules:  # not in the contract's own processes, which have no use for it
    # pytest explains only the asserts of test files unless it is told; before the first of these is imported.
    sys.modules["pytest"].register_assert_rewrite(
        "weightkit.testing.layer", *(home for home in _HOMES.values() if home != _HOMES["LayerContract"])
    )

__all__ = ["LayerContract", "StoreContract", "TransformContract"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise no_attribute(__name__, name, __all__)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

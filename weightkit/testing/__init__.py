"""Contract suites: what every store and every transform keeps to, as tests to subclass; they need pytest."""

from weightkit.testing.store_contract import StoreContract
from weightkit.testing.transform_contract import TransformContract

__all__ = ["StoreContract", "TransformContract"]

"""Contract suites: what every store and every transform keeps to, as tests to subclass; they need pytest."""

from weightkit.testing.store import StoreContract
from weightkit.testing.transform import TransformContract

__all__ = ["StoreContract", "TransformContract"]

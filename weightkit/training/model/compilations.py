"""Which models were compiled when, to tell cheaply whether one was compiled since."""

from __future__ import annotations

import weakref
from typing import Any

from weightkit.training.model.compile_arguments import compilation_of, is_compiled
from weightkit.training.model.holders import compiled_models


class Compilations:
    """Every compiled model at one moment, with what its last ``compile`` made; no model is kept alive."""

    def __init__(self) -> None:
        self._known = weakref.WeakKeyDictionary({one: compilation_of(one) for one in compiled_models()})

    def newer(self) -> list[Any]:
        """The models that were compiled since."""
        return [one for one in compiled_models() if not self.is_same(one)]

    def is_same(self, model: Any) -> bool:
        """Whether a model was not compiled since; one that is not compiled was not."""
        return not is_compiled(model) or self._known.get(model) is compilation_of(model)

"""The new process of the contract: ``python -m weightkit.testing.layer.loader FOLDER BACKEND_THAT_WROTE``.

It loads what every subject has saved in the folder, on its own backend, and writes the results next to it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import pickle
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.testing.layer import backends

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Load every subject."""
    folder, written_on = Path(sys.argv[1]), sys.argv[2]
    same = backends.backend() == written_on
    if same and written_on == "tensorflow":
        backends.two_processors()
    facts = {path.parent.name: _facts(path.parent, same=same) for path in sorted(folder.glob("*/subject.json"))}
    (folder / f"{backends.backend()}.facts").write_bytes(pickle.dumps(facts))
    # `os._exit` flushes nothing.
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's replicas take up to a minute to end


def _facts(folder: Path, *, same: bool) -> dict[str, Any]:
    record = json.loads((folder / "subject.json").read_text(encoding="utf-8"))
    with np.load(folder / "inputs.npz") as stored:
        arrays = [stored[name] for name in stored.files]
    inputs = arrays if record["many"] else arrays[0]
    for module in record["imports"]:
        _import(module)
    ways: dict[str, Callable[[Path, Any], Any]] = {"keras": _whole, "weights": _weights_alone}
    if same and backends.backend() == "tensorflow":
        ways |= {"exported": _exported, "replicas": _replicas}
    return {name: _tried(way, folder, inputs) for name, way in ways.items() if name in record["ways"]}


def _tried(way: Callable[[Path, Any], Any], folder: Path, inputs: Any) -> dict[str, Any]:
    try:
        found = way(folder, inputs)
    except Exception:  # noqa: BLE001  # whatever it is, the test that needs the result reports it
        return {"error": traceback.format_exc()}
    return found if isinstance(found, dict) else {"output": found}


def _import(module: str | list[str]) -> None:
    """Import a module by name, or by its file if only a test runner knows the name."""
    name, source = (module, None) if isinstance(module, str) else module
    if name in sys.modules:
        return
    if importlib.util.find_spec(name.partition(".")[0]) is not None and source is None:
        importlib.import_module(name)
        return
    try:
        importlib.import_module(name)
    except ImportError:
        spec = importlib.util.spec_from_file_location(name, str(source))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


def _whole(folder: Path, inputs: Any) -> np.ndarray:
    return backends.array(backends.keras.saving.load_model(folder / "model.keras")(inputs, training=False))


def _fresh_model(folder: Path) -> Any:
    return backends.keras.models.model_from_json((folder / "model.json").read_text(encoding="utf-8"))


def _weights_alone(folder: Path, inputs: Any) -> np.ndarray:
    model = _fresh_model(folder)
    model.load_weights(folder / "model.weights.h5")
    return backends.array(model(inputs, training=False))


def _exported(folder: Path, inputs: Any) -> np.ndarray:
    return backends.serve_exported(folder / "exported", inputs)


def _replicas(folder: Path, inputs: Any) -> dict[str, list[np.ndarray]]:
    """The weights after one step of plain gradient descent, without replicas and on two replicas."""
    return {"one": _trained(folder, inputs, 1), "two": _trained(folder, inputs, 2)}


def _trained(folder: Path, inputs: Any, replicas: int) -> list[np.ndarray]:
    keras = backends.keras
    arrays = inputs if isinstance(inputs, list) else [inputs]
    arrays = [np.concatenate([one, one]) for one in arrays]  # each replica gets the same half
    with backends.two_replicas().scope() if replicas > 1 else contextlib.nullcontext():
        model = keras.saving.load_model(folder / "model.keras")
        # On one replica, eagerly: tracing is what takes the time.
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=replicas == 1)
    targets = np.zeros((len(arrays[0]), *model.output.shape[1:]), np.float32)
    given = arrays if isinstance(inputs, list) else arrays[0]
    model.fit(given, targets, batch_size=len(targets), epochs=1, shuffle=False, verbose=0)
    return [backends.array(variable.value) for variable in model.trainable_variables]


if __name__ == "__main__":
    main()

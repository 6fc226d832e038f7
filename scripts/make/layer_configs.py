"""Writes the golden configurations of weightkit's own layers, one JSON file for each subject of the contract.

python scripts/make/layer_configs.py [NAME …]

A configuration is written once and then held: models that people saved must go on loading. Rewrite one only where a
layer was changed on purpose, name it, and see by the difference that older configurations still mean what they meant.
Subjects are found where the tests declare them: in tests/layers.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from weightkit.testing.layer.building import BuildingPoints, configuration

TESTS = Path(__file__).resolve().parents[2] / "tests"


def subjects() -> dict[Path, BuildingPoints]:
    """Every subject that has a golden file, by that file."""
    sys.path.insert(0, str(TESTS))
    found = {}
    for path in sorted((TESTS / "layers").rglob("test_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, BuildingPoints) and thing.golden is not None:
                found[thing.golden] = thing()
    return {path: subject for path, subject in found.items() if type(subject).__name__.startswith("Test")}


def main() -> None:
    """Write those that are named, or that do not exist yet."""
    for path, subject in subjects().items():
        if path.stem in sys.argv[1:] or not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_text(configuration(subject.described()), encoding="utf-8")
            print(path)


if __name__ == "__main__":
    main()

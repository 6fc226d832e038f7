# ruff: noqa: UP006, UP035
"""Makes the golden files in tests/data, each with the Keras that is named in it.

    python scripts/make/golden_files.py --python /path/to/keras-1.2.2/bin/python -o tests/data
    python scripts/make/golden_files.py --python ... --case nested -o tests/data

Runs itself under that interpreter, so everything here is Python 3.6 (no `X | Y`, no `list[int]`), and Keras
is imported where it is used. Beside each file it writes expected/FILE.json: what the live model says of every
dataset. The two are joined by their values' digests alone, never by names, so they can be held against any
reading of names. Values are drawn from fixed seeds; the bytes of a file differ by the times that stand in it.
"""

import argparse
import hashlib
import io
import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import golden_cases
import golden_kinds
import h5py
import numpy as np

ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


def main() -> None:
    """Makes the cases asked for; all that the interpreter's Keras can make, if none is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="interpreter to run under (default: this one)")
    parser.add_argument("--case", action="append", help="name of a case; may be repeated")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder: tests/data")
    options = parser.parse_args()
    if options.python:
        cases = [word for case in options.case or () for word in ("--case", case)]
        subprocess.run([options.python, __file__, *cases, "-o", str(options.output)], check=True)
        return
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    family = golden_cases.family()
    own, of_every_era = golden_cases.CASES.get(family, {}), golden_kinds.cases(family)
    for folder, cases in ((options.output, own), (options.output / "eras", of_every_era)):
        for name, make in cases.items():
            if not options.case or name in options.case:
                make_one(family, name, make, folder)


def make_one(family: str, name: str, make: Any, output: Path) -> None:
    """Makes one case: its files, and beside them what the model says of each dataset."""
    golden_cases.begin()
    suffixes, model = make()
    (output / "expected").mkdir(parents=True, exist_ok=True)
    for suffix, save in suffixes.items():
        path = output / f"{family}_{name}{suffix}"
        save(model, str(path))
        lines = ",\n".join(json.dumps(record, sort_keys=True) for record in expectations(model, path))
        target = output / "expected" / (path.name + ".json")
        target.write_text(f'{{"keras": "{golden_cases.version()}", "weights": [\n{lines}\n]}}\n')
        print(path, path.stat().st_size)


def expectations(model: Any, path: Path) -> Iterator[Dict[str, Any]]:
    """Yields a record for each dataset of the file: its digest, and the live weight of that digest."""
    live = {}  # type: Dict[str, List[Dict[str, Any]]]
    for weight in golden_cases.weights(model):
        live.setdefault(digest(weight.pop("values")), []).append(weight)
    for dataset, values in datasets(path):
        sha256 = digest(values)
        found = live.get(sha256, [])
        # Equal values (three zero counters) leave it open which weight it is: then nothing is said.
        known = found[0] if len(found) == 1 else dict.fromkeys(("layers", "layer_class", "name", "trainable"))
        yield dict(known, dataset=dataset, sha256=sha256)


def datasets(path: Path) -> Iterator[Tuple[str, np.ndarray]]:
    """Yields each dataset's path and values; of an archive, those of its member model.weights.h5."""
    content = io.BytesIO(path.read_bytes())
    if zipfile.is_zipfile(content):
        content = io.BytesIO(zipfile.ZipFile(content).read("model.weights.h5"))
    found = []  # type: List[Tuple[str, np.ndarray]]

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((name, item[()]))

    with h5py.File(content, "r") as file:
        file.visititems(visit)
    return iter(found)


def digest(values: Any) -> str:
    """SHA-256 of the values' bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


if __name__ == "__main__":
    main()

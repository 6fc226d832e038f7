"""Who may import whom: every import of every module is read and held to the design's arrows.

A lazy import inside a function counts like any other, and so does one for types alone (``if TYPE_CHECKING``): a
reader follows it too.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

import weightkit

ROOT = Path(weightkit.__file__).parent
FRAMEWORKS = {"keras", "tensorflow", "jax", "torch", "tf_keras"}
KERAS_ROOMS = ("layers", "training")
SHARED = ("arguments", "builtin", "errors", "escape", "restore_on_error", "text")
"""Small modules at the top that every room may use."""
BACKEND_FILES = ("layers.making.invalid_ids", "testing.layer.backends")
"""What must call a backend's own functions, and is loaded where that backend is in use already."""
FACES_OF_ALL = (
    "weightkit.access",
    "weightkit.access.dequantize",
    "weightkit.access.salvage",
    "weightkit.access.suggest",
)
FACES = (*FACES_OF_ALL, "weightkit.access.live")
"""What other rooms may import of the floor."""
CHILD = "access.hdf5.child"
"""What runs in the reading process; its door is ``main``."""


@dataclass(frozen=True)
class Arrow:
    """One import: from which module, to what."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


def module_name(path: Path) -> str:
    parts = ["weightkit", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> list[Arrow]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.extend(Arrow(module_name(path), alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrow"
            found.extend(Arrow(module_name(path), target) for target in targets(node))
    return found


def targets(node: ast.ImportFrom) -> list[str]:
    """The modules that a from-import reaches: ``from a import b`` reaches a.b, where that is a module."""
    return [
        full if full in MODULES else node.module for alias in node.names for full in [f"{node.module}.{alias.name}"]
    ]


FILES = sorted(ROOT.rglob("*.py"))
MODULES = {module_name(path) for path in FILES}
ARROWS = [arrow for path in FILES for arrow in imports_of(path)]
INSIDE = [arrow for arrow in ARROWS if arrow.target.startswith("weightkit")]


def under(module: str, *places: str) -> bool:
    return any(module == f"weightkit.{place}" or module.startswith(f"weightkit.{place}.") for place in places)


def broken(source: str, *allowed: str) -> list[str]:
    """Arrows from ``source`` that lead to other places of the package than those allowed."""
    arrows = [arrow for arrow in INSIDE if under(arrow.source, source)]
    assert any(under(arrow.source, source) for arrow in ARROWS), f"nothing is imported in {source}: is it still there?"
    return [str(arrow) for arrow in arrows if not under(arrow.target, *allowed)]


def outside(source: str) -> set[str]:
    """Packages from elsewhere that ``source`` imports, the standard library left out."""
    packages = {arrow.target.partition(".")[0] for arrow in ARROWS if under(arrow.source, source)}
    return packages - set(sys.stdlib_module_names) - {"weightkit"}


def test_the_reading_finds_lazy_imports_and_those_for_types():
    assert Arrow("weightkit.access.open", "weightkit.access.like") in ARROWS
    assert Arrow("weightkit.access.open", "weightkit.access.live.live_store") in ARROWS


def test_keras_is_imported_in_its_own_rooms_alone():
    sources = {arrow.source for arrow in ARROWS if arrow.target.partition(".")[0] == "keras"}
    assert [source for source in sources if not under(source, *KERAS_ROOMS)] == []


def test_a_backend_is_imported_in_one_file_alone():
    sources = {arrow.source for arrow in ARROWS if arrow.target.partition(".")[0] in FRAMEWORKS - {"keras"}}
    assert [source for source in sources if not under(source, *BACKEND_FILES)] == []


def test_nothing_but_the_suites_that_are_shipped_enters_a_room_of_keras():
    arrows = [arrow for arrow in INSIDE if under(arrow.target, *KERAS_ROOMS)]
    inside = [arrow for arrow in arrows if arrow.source != "weightkit"]  # the package's face names its rooms
    assert [str(arrow) for arrow in inside if not under(arrow.source, *KERAS_ROOMS, "testing")] == []


@pytest.mark.parametrize("room", KERAS_ROOMS)
def test_a_room_of_keras_stands_on_the_floor(room):
    if under(f"weightkit.{room}", *(module.removeprefix("weightkit.") for module in MODULES)):
        copying = "transforms.load_weights"  # `load_unwrapped` fills a plain model first
        below = ("layers",) if room == "training" else ()  # entries are frozen by wrapping their layer
        assert broken(room, "access", copying, room, *below, "html", *SHARED) == []


def test_errors_and_escape_stand_on_nothing():
    for module in ("builtin", "escape", "text"):
        assert [str(arrow) for arrow in INSIDE if arrow.source == f"weightkit.{module}"] == []
    for module in ("builtin", "errors", "escape", "text"):
        assert outside(module) == set()
    for module in ("errors", "html"):
        assert broken(module, "escape") == []


def test_the_floor_stands_on_errors_alone():
    assert broken("access", "access", "arguments", "builtin", "errors", "escape", "html", "text") == []


def test_other_rooms_enter_the_floor_by_its_faces_alone():
    """Rooms without Keras by those that are for all; shipped suites look behind."""
    for arrow in INSIDE:
        if under(arrow.target, "access") and not under(arrow.source, "access", "testing"):
            assert arrow.target in FACES, arrow
            assert arrow.target in FACES_OF_ALL or under(arrow.source, *KERAS_ROOMS), arrow


def test_the_floor_does_not_use_its_own_faces():
    assert [str(arrow) for arrow in INSIDE if under(arrow.source, "access") and arrow.target in FACES] == []


@pytest.mark.parametrize("face", FACES)
def test_a_face_has_few_names_and_each_is_where_it_says(face):
    module = importlib.import_module(face)
    assert len(module.__all__) <= 38
    for name, home in module._HOMES.items():
        assert home.startswith("weightkit.access.")
        assert getattr(module, name) is getattr(importlib.import_module(home), name)
    assert sorted(module.__all__) == sorted(module._HOMES) == dir(module)
    with pytest.raises(AttributeError, match="nothing"):
        module.nothing  # noqa: B018


def test_a_name_of_a_face_is_no_module_beside_it():
    """Once the module is imported, it would be found in the name's place."""
    for face in FACES:
        assert [name for name in importlib.import_module(face).__all__ if f"{face}.{name}" in MODULES] == []


def test_no_folder_holds_more_than_18_modules():
    counts = Counter(path.parent for path in FILES if path.name != "__init__.py")
    assert {str(folder): count for folder, count in counts.items() if count > 18} == {}


def test_transforms_stand_on_the_floor():
    assert broken("transforms", "access", "transforms", "builtin", "errors", "text") == []
    assert outside("transforms") <= {"numpy"}


def test_surgery_stands_on_the_floor_and_knows_no_transforms():
    assert broken("surgery", "access", "surgery", "arguments", "errors", "text") == []
    assert outside("surgery") <= {"numpy", "ml_dtypes"}


def test_comparing_stands_on_the_floor_and_knows_neither_transforms_nor_surgery():
    assert broken("compare", "access", "compare", "errors", "escape", "html", "text") == []
    assert outside("compare") <= {"numpy", "ml_dtypes"}


def test_matching_knows_references_names_and_selections_and_no_store():
    known = ("access.matching", "html", "access.ref", "access.names", "access.select", "errors", "escape", "text")
    assert broken("access.matching", *known) == []


def test_looking_stands_on_the_floor():
    assert broken("inspect", "access", "inspect", "arguments", "errors", "escape", "html", "text") == []
    assert outside("inspect") <= {"numpy"}


def test_only_the_command_line_imports_the_command_line():
    arrows = [arrow for arrow in INSIDE if under(arrow.target, "cli")]
    assert {arrow.source for arrow in arrows if not under(arrow.source, "cli")} == {"weightkit.__main__"}


def test_only_the_command_line_imports_what_prints():
    printing = {"typer", "rich", "click"}
    sources = {arrow.source for arrow in ARROWS if arrow.target.partition(".")[0] in printing}
    assert [source for source in sources if not under(source, "cli")] == []


def test_references_selectors_and_names_know_no_store():
    known = ("access.ref", "access.threads", "access.configured", "access.select", "access.names")
    for place in ("access.ref", "access.select", "access.names"):
        if any(under(arrow.source, place) and arrow.target.startswith("weightkit") for arrow in ARROWS):
            assert broken(place, *known, "builtin", "errors", "escape") == []


def test_selectors_know_no_names_and_names_no_selectors():
    assert broken("access.select", "access.ref", "access.select", "errors", "escape") == []
    assert (
        broken("access.names", "access.ref", "access.configured", "access.names", "builtin", "errors", "escape") == []
    )


def test_references_know_nothing_but_how_names_are_printed():
    assert broken("access.ref", "escape") == []


def test_a_format_knows_no_other_format_but_the_archive_the_hdf5_ones():
    shared = {f"weightkit.access.formats.{name}" for name in ("refs", "saved_optimizer", "unknown_file")}
    hdf5 = {"weightkit.access.formats.legacy", "weightkit.access.formats.weights_h5"}
    optimizer = {"weightkit.access.formats.optimizer_state", "weightkit.access.formats.optimizer_file"}
    legacy = {"weightkit.access.formats.legacy", "weightkit.access.formats.listed_names"}
    zipped = {
        f"weightkit.access.formats.{name}" for name in ("archive", "member", "packing", "zip_directory", "zip_records")
    }  # one format, several ideas
    for arrow in INSIDE:
        if arrow.source == "weightkit.access.formats.table":
            continue  # it is there to name them all
        if under(arrow.target, "access.formats.foreign"):
            continue  # what a file is that is in no format
        if under(arrow.source, "access.formats") and under(arrow.target, "access.formats"):
            allowed = shared | (hdf5 | zipped if arrow.source in zipped else set())
            allowed |= next((parts for parts in (optimizer, legacy) if arrow.source in parts), set())
            allowed |= hdf5 if arrow.source.endswith((".lora", ".model_folder")) else set()
            assert arrow.target in allowed, arrow


def test_bytes_know_neither_formats_nor_names_nor_plans():
    known = ("access.ref", "access.threads", "access.configured", "access.store", "access.changes", "errors")
    assert broken("access.hdf5", "access.hdf5", "access.files", *known, "text") == []
    assert broken("access.files", "access.files", "access.store", "access.changes", "errors") == []


def test_what_runs_in_the_reading_process_is_imported_by_nobody_else():
    assert [str(arrow) for arrow in INSIDE if under(arrow.target, CHILD) and not under(arrow.source, CHILD)] == []


def test_hdf5_is_opened_in_the_reading_process_alone():
    sources = {arrow.source for arrow in ARROWS if arrow.target.partition(".")[0] == "h5py"}
    assert [source for source in sources if not under(source, CHILD)] == []


def test_nothing_imports_in_a_circle():
    onward: dict[str, set[str]] = {module: set() for module in MODULES}
    for arrow in INSIDE:
        if arrow.source != "weightkit":
            onward[arrow.source].add(arrow.target)
    done: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in done:
            for target in sorted(onward.get(module, ())):
                follow(target, (*way, module))
            done.add(module)

    for module in sorted(onward):
        follow(module, ())


def test_every_third_package_that_is_imported_is_a_declared_dependency():
    allowed = {"h5py", "ml_dtypes", "numpy", "rich", "typer"}
    assert outside("compare") | outside("access") | outside("cli") | outside("transforms") | outside(
        "surgery"
    ) | outside("editing") <= allowed | {"_typeshed"}

"""Who may import whom: every import of every module is read and held to the design's arrows.

A lazy import inside a function counts like any other: it is an arrow too. An import for types alone
(``if TYPE_CHECKING``) never runs, so it may point at what hands the value in, within two bounds: it stays inside its
own floor or a lower one, and it never names Keras or a backend.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import weightkit

ROOT = Path(weightkit.__file__).parent
FRAMEWORKS = {"keras", "tensorflow", "jax", "torch", "tf_keras"}
KERAS_ROOMS = ("layers", "training")
SHARED = ("arguments", "errors", "escape", "restore_on_error", "text")
"""Small modules at the top that every room may use."""
BACKEND_FILES = ("layers.making.invalid_ids", "testing.layer.backends")
"""What must call a backend's own functions, and is loaded where that backend is in use already."""
CHILD = "access.hdf5.child"
"""What runs in the reading process; its door is ``main``."""


@dataclass(frozen=True)
class Arrow:
    """One import: from which module, to what, and whether it is for types alone."""

    source: str
    target: str
    for_types: bool

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


def module_name(path: Path) -> str:
    parts = ["weightkit", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> list[Arrow]:
    found = []

    def visit(node: ast.AST, *, for_types: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend(Arrow(module_name(path), alias.name, for_types) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: relative imports hide the arrow"
                found.extend(Arrow(module_name(path), target, for_types) for target in targets(child))
            elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                for part in child.body:
                    visit(ast.Module([part], []), for_types=True)
            else:
                visit(child, for_types=for_types)

    visit(ast.parse(path.read_text()), for_types=False)
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


def broken(source: str, *allowed: str, for_types: bool) -> list[str]:
    """Arrows from ``source`` that lead to other places of the package than those allowed."""
    arrows = [arrow for arrow in INSIDE if under(arrow.source, source) and (for_types or not arrow.for_types)]
    assert any(under(arrow.source, source) for arrow in ARROWS), f"nothing is imported in {source}: is it still there?"
    return [str(arrow) for arrow in arrows if not under(arrow.target, *allowed)]


def outside(source: str) -> set[str]:
    """Packages from elsewhere that ``source`` imports, the standard library left out."""
    packages = {arrow.target.partition(".")[0] for arrow in ARROWS if under(arrow.source, source)}
    return packages - set(sys.stdlib_module_names) - {"weightkit"}


def test_the_reading_finds_lazy_imports_and_those_for_types():
    assert Arrow("weightkit.editing", "weightkit.access.open", for_types=False) in ARROWS
    assert Arrow("weightkit.editing", "weightkit.access.edits.plan", for_types=True) in ARROWS


def test_keras_is_imported_in_its_own_rooms_alone():
    sources = {arrow.source for arrow in ARROWS if arrow.target.partition(".")[0] == "keras"}
    assert [source for source in sources if not under(source, *KERAS_ROOMS)] == []


def test_a_backend_is_imported_in_one_file_alone():
    sources = {arrow.source for arrow in ARROWS if arrow.target.partition(".")[0] in FRAMEWORKS - {"keras"}}
    assert [source for source in sources if not under(source, *BACKEND_FILES)] == []


@pytest.mark.parametrize("for_types", [False, True])
def test_nothing_but_the_suites_that_are_shipped_enters_a_room_of_keras(for_types):
    arrows = [arrow for arrow in INSIDE if under(arrow.target, *KERAS_ROOMS) and (for_types or not arrow.for_types)]
    assert [str(arrow) for arrow in arrows if not under(arrow.source, *KERAS_ROOMS, "testing")] == []


@pytest.mark.parametrize("room", KERAS_ROOMS)
@pytest.mark.parametrize("for_types", [False, True])
def test_a_room_of_keras_stands_on_the_floor(room, for_types):
    if under(f"weightkit.{room}", *(module.removeprefix("weightkit.") for module in MODULES)):
        assert broken(room, "access", "editing", room, *SHARED, for_types=for_types) == []


def test_errors_and_escape_stand_on_nothing():
    for module in ("errors", "escape"):
        assert [str(arrow) for arrow in INSIDE if arrow.source == f"weightkit.{module}"] == []
        assert outside(module) == set()


@pytest.mark.parametrize("for_types", [False, True])
def test_the_floor_stands_on_errors_alone(for_types):
    assert broken("access", "access", "errors", "escape", for_types=for_types) == []


@pytest.mark.parametrize("for_types", [False, True])
def test_transforms_stand_on_the_floor(for_types):
    assert broken("transforms", "access", "transforms", "errors", for_types=for_types) == []
    assert outside("transforms") <= {"numpy"}


@pytest.mark.parametrize("for_types", [False, True])
def test_surgery_stands_on_the_floor_and_knows_no_transforms(for_types):
    assert broken("surgery", "access", "surgery", "errors", for_types=for_types) == []
    assert outside("surgery") <= {"numpy", "ml_dtypes"}


@pytest.mark.parametrize("for_types", [False, True])
def test_comparing_stands_on_the_floor_and_knows_neither_transforms_nor_surgery(for_types):
    assert broken("compare", "access", "compare", "errors", "escape", for_types=for_types) == []
    assert outside("compare") <= {"numpy", "ml_dtypes"}


@pytest.mark.parametrize("for_types", [False, True])
def test_matching_knows_references_and_names_and_no_store(for_types):
    known = ("access.matching", "access.html", "access.ref", "access.names", "errors", "escape")
    assert broken("access.matching", *known, for_types=for_types) == []


@pytest.mark.parametrize("for_types", [False, True])
def test_only_the_command_line_imports_the_command_line(for_types):
    arrows = [arrow for arrow in INSIDE if under(arrow.target, "cli") and (for_types or not arrow.for_types)]
    assert {arrow.source for arrow in arrows if not under(arrow.source, "cli")} == {"weightkit.__main__"}


def test_only_the_command_line_imports_what_prints():
    printing = {"typer", "rich", "click"}
    sources = {arrow.source for arrow in ARROWS if arrow.target.partition(".")[0] in printing}
    assert [source for source in sources if not under(source, "cli")] == []


@pytest.mark.parametrize("for_types", [False, True])
def test_references_selectors_and_names_know_no_store(for_types):
    known = ("access.ref", "access.configured", "access.select", "access.names", "errors", "escape")
    for place in ("access.ref", "access.select", "access.names"):
        if any(under(arrow.source, place) and arrow.target.startswith("weightkit") for arrow in ARROWS):
            assert broken(place, *known, for_types=for_types) == []


@pytest.mark.parametrize("for_types", [False, True])
def test_selectors_know_no_names_and_names_no_selectors(for_types):
    assert broken("access.select", "access.ref", "access.select", "errors", "escape", for_types=for_types) == []
    assert (
        broken(
            "access.names", "access.ref", "access.configured", "access.names", "errors", "escape", for_types=for_types
        )
        == []
    )


def test_references_are_measured_without_any_other_module():
    assert [str(arrow) for arrow in INSIDE if arrow.source == "weightkit.access.ref"] == []


@pytest.mark.parametrize("for_types", [False, True])
def test_a_format_knows_no_other_format_but_the_archive_the_hdf5_ones(for_types):
    shared = {"weightkit.access.formats.refs"}
    hdf5 = {"weightkit.access.formats.legacy", "weightkit.access.formats.weights_h5"}
    zipped = {
        f"weightkit.access.formats.{name}" for name in ("archive", "member", "packing")
    }  # one format, three ideas
    for arrow in INSIDE:
        if under(arrow.source, "access.formats") and under(arrow.target, "access.formats"):
            allowed = shared | (hdf5 | zipped if arrow.source in zipped else set())
            assert arrow.target in allowed or (arrow.for_types and not for_types), arrow


@pytest.mark.parametrize("for_types", [False, True])
def test_bytes_know_neither_formats_nor_names_nor_plans(for_types):
    known = ("access.html", "access.ref", "access.configured", "access.store", "access.changes", "errors")
    assert broken("access.hdf5", "access.hdf5", "access.files", *known, for_types=for_types) == []
    assert broken("access.files", "access.files", "access.store", "access.changes", "errors", for_types=for_types) == []


def test_what_runs_in_the_reading_process_is_imported_by_nobody_else():
    assert [str(arrow) for arrow in INSIDE if under(arrow.target, CHILD) and not under(arrow.source, CHILD)] == []


def test_hdf5_is_opened_in_the_reading_process_alone():
    sources = {arrow.source for arrow in ARROWS if arrow.target.partition(".")[0] == "h5py"}
    assert [source for source in sources if not under(source, CHILD)] == []


def test_nothing_imports_in_a_circle():
    onward: dict[str, set[str]] = {module: set() for module in MODULES}
    for arrow in INSIDE:
        if not arrow.for_types and arrow.source != "weightkit":
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

"""What a train function that TensorFlow has traced would change: it reads the flags when it traces, and never again.

The other backends look at the flags in every step. Nothing is run here, and TensorFlow is not imported: its own
graphs are read, where they look as they do in TensorFlow 2.16 to 2.21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NESTING = ("Call", "If", "While", "Case")
_ASSIGNING = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "ResourceScatter", "ResourceApply")


def traces_of(model: Any) -> list[frozenset[int]]:
    """What each trace that a model's train function has made so far may change, by the ``id`` of the handles.

    What it hands on to conditions and loops it may change too. There is no trace where the backend makes none, or
    where they cannot be looked into.
    """
    step: Any = _cells(_cells(getattr(model, "train_function", None)).get("one_step_on_data")).get("step_func")
    try:
        functions = step._list_all_concrete_functions()  # noqa: SLF001
        return [_traced(function.graph) for function in functions]
    except AttributeError:  # no function of TensorFlow, or one of a version that looks otherwise
        return []


def handle_id(variable: Any) -> int | None:
    """By what a trace knows a variable; None where it is no plain one, such as one with replicas."""
    value = variable._value  # noqa: SLF001  # `value` is cast within an autocast scope
    return id(value.handle) if type(value).__name__ == "ResourceVariable" else None


def _cells(function: Any) -> dict[str, Any]:
    """What a function has taken from around it, by name."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    return {
        name: cell.cell_contents for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=True)
    }


def _traced(graph: Any) -> frozenset[int]:
    outside = {inside.name: id(external) for external, inside in graph.captures}
    assigned = _known(graph, _ASSIGNING, outside, first=True)
    return frozenset((*assigned, *_known(graph, _NESTING, outside, first=False)))


def _known(graph: Any, types: tuple[str, ...], outside: dict[str, int], *, first: bool) -> Iterator[int]:
    """Captured things among the inputs of operations of some types."""
    for operation in graph.get_operations():
        if any(name in operation.type for name in types):
            for given in operation.inputs[:1] if first else operation.inputs:
                if given.name in outside:
                    yield outside[given.name]

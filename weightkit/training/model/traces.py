"""Which variables a train function that TensorFlow has traced updates.

TensorFlow reads the ``trainable`` flags once, when it traces the train function; the other backends read them in every
step. Nothing is run here, and TensorFlow is not imported: its graphs are read, which have this form in TensorFlow 2.16
to 2.21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NESTING = ("Call", "If", "While", "Case")
_ASSIGNING = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "ResourceScatter", "ResourceApply")


def traces_of(model: Any) -> list[frozenset[int]]:
    """For each trace of a model's train function, the ``id`` of the handles of variables that it may update.

    Variables that it passes to conditions and loops count. There are no traces on other backends, and none where the
    graphs have another form.
    """
    # In Keras 3.15 the traced function is two closures deep in `train_function`.
    step: Any = _cells(_cells(getattr(model, "train_function", None)).get("one_step_on_data")).get("step_func")
    try:
        functions = step._list_all_concrete_functions()  # noqa: SLF001
        return [_traced(function.graph) for function in functions]
    except AttributeError:  # not a TensorFlow function, or one of another version
        return []


def handle_id(variable: Any) -> int | None:
    """The ``id`` of a variable's handle, by which a trace refers to it; None for one with replicas."""
    value = variable._value  # noqa: SLF001  # `value` is cast in an autocast scope
    return id(value.handle) if type(value).__name__ == "ResourceVariable" else None


def _cells(function: Any) -> dict[str, Any]:
    """The variables of a closure, by name."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    return {
        name: cell.cell_contents for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=True)
    }


def _traced(graph: Any) -> frozenset[int]:
    outside = {inside.name: id(external) for external, inside in graph.captures}
    assigned = _captured_inputs(graph, _ASSIGNING, outside, first=True)
    return frozenset((*assigned, *_captured_inputs(graph, _NESTING, outside, first=False)))


def _captured_inputs(graph: Any, types: tuple[str, ...], outside: dict[str, int], *, first: bool) -> Iterator[int]:
    """Captured handles among the inputs of operations of some types."""
    for operation in graph.get_operations():
        if any(name in operation.type for name in types):
            # An assignment's first input is the variable; a nested function may assign to any of its inputs.
            for tensor in operation.inputs[:1] if first else operation.inputs:
                if tensor.name in outside:
                    yield outside[tensor.name]

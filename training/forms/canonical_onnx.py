"""Order and name the nodes of an ONNX model by its structure alone, so that equal models are equal bytes.

tf2onnx numbers what it makes over the whole process, and walks through sets, so that both names and order differ from one
call to the next.
"""

from __future__ import annotations

from typing import Any


def canonical_model(model: Any) -> Any:
    """A model with the same function, inputs and outputs, whose bytes follow from its structure.

    Args:
        model: an `onnx.ModelProto`; names within it must be unique over all of its graphs.
    """
    import onnx

    ordered = onnx.ModelProto()
    ordered.CopyFrom(model)
    ordered.ClearField("graph")
    kept = {value.name: value.name for value in (*model.graph.input, *model.graph.output)}
    ordered.graph.CopyFrom(_Ordering(kept).graph(model.graph, "tagger"))
    return ordered


class _Ordering:
    """Walks back from the outputs of graphs, inputs first, and numbers what it meets.

    Args:
        names: name of a value -> its new name, for those that are already known.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._sizes: dict[str, str] = {}
        self._nodes = 0
        self._outer: list[_Scope] = []

    def graph(self, graph: Any, name: str) -> Any:
        """A graph in canonical order; what a graph within it takes from around it comes before it."""
        import onnx

        scope = _Scope(graph)
        self._outer.append(scope)
        for value in graph.input:
            self._name_of(value.name)
        for value in graph.output:
            self._visit(value.name)
        self._outer.pop()
        made = onnx.GraphProto(name=name)
        for kind in ("input", "output"):
            for value in getattr(graph, kind):
                copied = getattr(made, kind).add()
                copied.CopyFrom(value)
                copied.name = self._name_of(value.name)
                for size in copied.type.tensor_type.shape.dim:
                    if size.HasField("dim_param"):
                        size.dim_param = self._sizes.setdefault(size.dim_param, f"size{len(self._sizes)}")
        made.node.extend(scope.nodes)
        made.initializer.extend(scope.constants)
        return made

    def _visit(self, name: str) -> None:
        for scope in reversed(self._outer):
            if name in scope.constants_of:
                constant = scope.constants_of.pop(name)
                constant.name = self._name_of(name)
                scope.constants.append(constant)
                return
            if name in scope.makers:
                self._visit_node(scope, scope.makers[name])
                return

    def _visit_node(self, scope: _Scope, node: Any) -> None:
        for output in node.output:
            scope.makers.pop(output, None)
        for value in node.input:
            self._visit(value)
        self._nodes += 1
        number = self._nodes
        attributes = sorted(node.attribute, key=lambda attribute: str(attribute.name))
        for attribute in attributes:
            if attribute.HasField("g"):
                attribute.g.CopyFrom(self.graph(attribute.g, f"{node.op_type}_{number}_{attribute.name}"))
        inputs = [self._name_of(value) if value else "" for value in node.input]
        outputs = [self._name_of(value) if value else "" for value in node.output]
        del node.attribute[:], node.input[:], node.output[:]
        node.attribute.extend(attributes)
        node.input.extend(inputs)
        node.output.extend(outputs)
        node.name = f"{node.op_type}_{number}"
        node.ClearField("doc_string")
        scope.nodes.append(node)

    def _name_of(self, name: str) -> str:
        return self._names.setdefault(name, f"v{len(self._names)}")


class _Scope:
    """The nodes and constants of one graph: those that are still to come, and those in their order."""

    def __init__(self, graph: Any) -> None:
        import onnx

        def copied(message: Any) -> Any:
            copy = type(message)()
            copy.CopyFrom(message)
            return copy

        nodes = [copied(node) for node in graph.node]
        self.makers = {output: node for node in nodes for output in node.output if output}
        self.constants_of = {constant.name: copied(constant) for constant in graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

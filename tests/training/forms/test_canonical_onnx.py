"""The bytes of a canonical ONNX model follow from its structure; it computes what the given one does."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from training.forms.canonical_onnx import canonical_model

ROUNDS = 3


def _model(shuffle: random.Random) -> onnx.ModelProto:
    """y = (x + 1 + 2 + …) * 2, summed in a loop, with names and an order of nodes that `shuffle` chooses."""
    numbers = itertools.count(shuffle.randrange(1000))
    new: Callable[[str], str] = lambda kind: f"{kind}__{next(numbers)}"  # noqa: E731
    one, rounds, yes, two, loop_sum, doubled = (new(kind) for kind in ("one", "rounds", "yes", "two", "sum", "twice"))
    number, going, so_far, still, added, step = (new(kind) for kind in ("i", "on", "a", "still", "added", "step"))
    body_nodes = [
        helper.make_node("Identity", [going], [still], name=new("keep")),
        helper.make_node("Cast", [number], [step], name=new("cast"), to=TensorProto.FLOAT),
        helper.make_node("Add", [so_far, step], [new("first")], name=new("add")),
    ]
    first = body_nodes[-1].output[0]
    body_nodes.append(helper.make_node("Add", [first, one], [added], name=new("add")))
    shuffle.shuffle(body_nodes)
    body_nodes.sort(key=lambda node: [first, added].index(node.output[0]) if node.output[0] in (first, added) else -1)
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        body_nodes,
        new("body"),
        [value(number, TensorProto.INT64, []), value(going, TensorProto.BOOL, [])]
        + [value(so_far, TensorProto.FLOAT, [new("size")])],
        [value(still, TensorProto.BOOL, []), value(added, TensorProto.FLOAT, [new("size")])],
    )
    constants = [
        helper.make_tensor(one, TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor(two, TensorProto.FLOAT, [], [2.0]),
        helper.make_tensor(rounds, TensorProto.INT64, [], [ROUNDS]),
        helper.make_tensor(yes, TensorProto.BOOL, [], [True]),
        helper.make_tensor(new("unused"), TensorProto.FLOAT, [], [7.0]),
    ]
    shuffle.shuffle(constants)
    nodes = [
        helper.make_node("Loop", [rounds, yes, "x"], [loop_sum], name=new("loop"), body=body),
        helper.make_node("Mul", [loop_sum, two], [doubled], name=new("mul")),
        helper.make_node("Identity", [doubled], ["y"], name=new("out")),
    ]
    graph = helper.make_graph(
        nodes,
        new("graph"),
        [value("x", TensorProto.FLOAT, ["batch"])],
        [value("y", TensorProto.FLOAT, ["batch"])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_names_and_order_leave_no_trace() -> None:
    given = [_model(random.Random(seed)) for seed in range(5)]
    assert len({model.SerializeToString() for model in given}) == len(given)
    assert len({canonical_model(model).SerializeToString(deterministic=True) for model in given}) == 1


def test_it_computes_what_the_given_model_does() -> None:
    given = _model(random.Random(0))
    canonical = canonical_model(given)
    onnx.checker.check_model(canonical, full_check=True)
    assert {constant.name for constant in canonical.graph.initializer}.isdisjoint({"unused"})
    x = np.array([1.0, 5.0], np.float32)
    (expected,), (found,) = (
        onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x}) for model in (given, canonical)
    )
    np.testing.assert_array_equal(expected, (x + sum(range(ROUNDS)) + ROUNDS) * 2)
    np.testing.assert_array_equal(found, expected)


def test_another_constant_is_another_model() -> None:
    given, other = (_model(random.Random(0)) for _ in range(2))
    for constant in other.graph.initializer:
        if constant.float_data == [2.0]:
            constant.float_data[0] = 3.0
    assert canonical_model(given).SerializeToString() != canonical_model(other).SerializeToString()

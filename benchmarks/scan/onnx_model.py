"""The dense network as an ONNX model, for the libraries that read one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .layers import Layer


def onnx_model(layers: Sequence[Layer], pools: str) -> bytes:
    """Return the model, with free sizes; ``pools`` are MaxPool, or the maximum of slices where their stride is 1."""
    nodes, constants = [], []
    axes = next(len(layer.kernel) for layer in layers if layer.kernel)
    weights = [layer.weight for layer in layers if layer.weight is not None]
    value = "x"

    def constant(name: str, array: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    for i, layer in enumerate(layers):
        after = f"value{i}"
        sizes = {"kernel_shape": layer.kernel, "strides": layer.stride, "dilations": layer.step}
        if layer.weight is not None and layer.bias is not None:
            inputs = [value, constant(f"weight{i}", layer.weight), constant(f"bias{i}", layer.bias)]
            nodes.append(helper.make_node("Conv", inputs, [after], **sizes))
        elif layer.kind == "relu":
            nodes.append(helper.make_node("Relu", [value], [after]))
        elif pools == "max_pool" or max(layer.stride) > 1:
            nodes.append(helper.make_node("MaxPool", [value], [after], **sizes))
        else:
            for axis, (k, step) in enumerate(zip(layer.kernel, layer.step, strict=True), 2):
                slices = []
                for t in range(k) if k > 1 else ():
                    name = f"{after}_{axis}_{t}"
                    last = (t - k + 1) * step if t < k - 1 else 1 << 40
                    bounds = [constant(f"{name}_{j}", np.array([n])) for j, n in enumerate((t * step, last, axis))]
                    nodes.append(helper.make_node("Slice", [value, *bounds], [name]))
                    slices.append(name)
                if slices:
                    value = f"{after}_{axis}"
                    nodes.append(helper.make_node("Max", slices, [value]))
            continue
        value = after
    kind = TensorProto.DOUBLE if weights[0].dtype == np.float64 else TensorProto.FLOAT
    space = [f"{side}{axis}" for side in "io" for axis in range(axes)]
    ends = [
        helper.make_tensor_value_info(name, kind, [1, channels, *sizes])
        for name, channels, sizes in (
            ("x", weights[0].shape[1], space[:axes]),
            (value, len(weights[-1]), space[axes:]),
        )
    ]
    graph = helper.make_graph(nodes, "dense", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())

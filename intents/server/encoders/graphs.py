"""The encoders' arithmetic as ONNX graphs. Only ``prepare`` builds them.

Every graph takes ``embedded`` (batch, tokens, width) and ``lengths`` (batch), and gives ``vectors`` (batch, size).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from encoders.sources import Bert, Use

_CONTRIB = "com.microsoft"
"""ONNX Runtime's own operators: fused, and with integer matrices."""


class _Graph:
    """Collects nodes; every method returns the name of what it computes."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, values: np.ndarray) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weights(self, values: np.ndarray) -> str:
        return self.constant(values.astype(np.float32))

    def __call__(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: object) -> str:
        return self.several(operator, *inputs, outputs=outputs, domain=domain, **attributes)[0]

    def several(
        self, operator: str, *inputs: str, outputs: int, domain: str = "", **attributes: object
    ) -> tuple[str, ...]:
        names = tuple(f"{operator}{len(self._nodes)}_{number}" for number in range(outputs))
        self._nodes.append(helper.make_node(operator, inputs, names, domain=domain, **attributes))
        return names

    def multiply(self, x: str, matrix: np.ndarray) -> str:
        """``x @ matrix`` in eight-bit integers: one scale a column of ``matrix``, one for all of ``x``, found as it
        comes. Weights use seven bits, since processors without VNNI add pairs of products in sixteen."""
        scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12) / 63
        quants = np.rint(matrix / scale).astype(np.int8)
        zero = self.constant(np.zeros(matrix.shape[1], np.int8))
        return self("DynamicQuantizeMatMul", x, self.constant(quants), self.weights(scale), zero, domain=_CONTRIB)

    def token_mask(self, embedded: str) -> str:
        """1 for each token of its text, 0 for padding, shape (batch, tokens, 1)."""
        shape = self("Shape", embedded)
        tokens = self("Gather", shape, self.constant(np.array(1)), axis=0)
        zero, one = self.constant(np.array(0)), self.constant(np.array(1))
        positions = self("Unsqueeze", self("Range", zero, tokens, one), self.constant(np.array([0])))
        lengths = self("Unsqueeze", self("Cast", "lengths", to=TensorProto.INT64), self.constant(np.array([1])))
        mask = self("Cast", self("Less", positions, lengths), to=TensorProto.FLOAT)
        return self("Unsqueeze", mask, self.constant(np.array([2])))

    def count(self) -> str:
        """Tokens of each text, shape (batch, 1)."""
        return self("Unsqueeze", self("Cast", "lengths", to=TensorProto.FLOAT), self.constant(np.array([1])))

    def sum_of_tokens(self, x: str) -> str:
        return self("ReduceSum", x, self.constant(np.array([1])), keepdims=0)

    def finish(self, vectors: str, width: int, size: int) -> onnx.ModelProto:
        self._nodes.append(helper.make_node("Identity", [vectors], ["vectors"]))
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [
                helper.make_tensor_value_info("embedded", TensorProto.FLOAT, ["batch", "tokens", width]),
                helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
            ],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", size])],
            self._constants,
        )
        operators = [helper.make_opsetid("", 17), helper.make_opsetid(_CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=operators, ir_version=8)


def bert(source: Bert, *, exact_down: bool = False) -> onnx.ModelProto:
    """The mean of the last layer over the tokens; ``embedded`` has positions added already.

    ``exact_down`` keeps the last matrix of each layer in floating point: where a few activations before it are much
    larger than all others, one scale for all rounds the others away.
    """
    g = _Graph()
    width = len(source.embedding_norm[0])
    weight, bias = source.embedding_norm
    x = g("LayerNormalization", "embedded", g.weights(weight), g.weights(bias), epsilon=source.epsilon, axis=-1)

    def residual(x: str, y: str, layer: Mapping[str, np.ndarray], norm: str, bias: str) -> str:
        constants = (g.weights(layer[name]) for name in (norm, norm + ".bias", bias))
        return g("SkipLayerNormalization", y, x, *constants, domain=_CONTRIB, epsilon=source.epsilon)

    for layer in source.layers:
        qkv = g.multiply(x, np.concatenate([layer["q"], layer["k"], layer["v"]]).T)
        q, k, v = g.several("Split", qkv, g.constant(np.array([width] * 3)), outputs=3, axis=2)
        bias = g.weights(np.concatenate([layer["q.bias"], layer["k.bias"], layer["v.bias"]]))
        context = g("MultiHeadAttention", q, k, v, bias, "lengths", domain=_CONTRIB, num_heads=source.heads)
        x = residual(x, g.multiply(context, layer["o"].T), layer, "norm1", "o.bias")
        hidden = g("BiasGelu", g.multiply(x, layer["up"].T), g.weights(layer["up.bias"]), domain=_CONTRIB)
        matrix = layer["down"].T
        down = g("MatMul", hidden, g.weights(matrix)) if exact_down else g.multiply(hidden, matrix)
        x = residual(x, down, layer, "norm2", "down.bias")
    total = g.sum_of_tokens(g("Mul", x, g.token_mask("embedded")))
    return g.finish(g("Div", total, g.count()), width, width)


def use(source: Use) -> onnx.ModelProto:
    """Two residual convolutions of widths 2, 3 and 5 over the tokens, their sum, and two dense blocks."""
    g = _Graph()
    t = source.tensors
    epsilon = float(t["eps"])
    width = t["proj2"].shape[0]
    mask = g.token_mask("embedded")

    def norm(x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        return g("LayerNormalization", x, g.weights(weight), g.weights(bias), epsilon=epsilon, axis=-1)

    def matmul(x: str, matrix: str) -> str:
        return g("MatMul", x, g.weights(t[matrix]))

    features = ["embedded"]
    # All three are normalised as one.
    projection = np.concatenate([t[f"proj{size}"] for size in (2, 3, 5)], axis=1)
    bias = np.concatenate([t[f"proj_b{size}"] for size in (2, 3, 5)])
    projected = g("Add", g("MatMul", "embedded", g.weights(projection)), g.weights(bias))
    gains = (np.concatenate([t[f"{name}{size}"] for size in (2, 3, 5)]) for name in ("ln_g", "ln_b"))
    channels = t["proj2"].shape[1]
    parts = g.several("Split", norm(projected, *gains), g.constant(np.array([channels] * 3)), outputs=3, axis=2)
    for size, left, x in zip((2, 3, 5), (0, 1, 2), parts, strict=True):
        for number in (1, 2):
            # Rows of the matrix are (place in the window, channel); what lies outside the text counts as zero.
            kernel = t[f"w{number}_{size}"].reshape(size, channels, -1).transpose(2, 1, 0)
            columns = g("Transpose", g("Mul", x, mask), perm=[0, 2, 1])
            convolved = g(
                "Conv", columns, g.weights(kernel), g.weights(t[f"b{number}_{size}"]), pads=[left, size - 1 - left]
            )
            x = g("Add", x, g("Transpose", g("Relu", convolved), perm=[0, 2, 1]))
        features.append(x)
    joined = norm(g("Concat", *features, axis=2), t["ln_g"], t["ln_b"])
    summed = matmul(g.sum_of_tokens(g("Mul", joined, mask)), "cnn_W")
    summed = g("Add", summed, g("Mul", g.count(), g.weights(t["cnn_b"])))
    x = g("Div", summed, g("Sqrt", g.count()))
    y = g("Relu", g("Add", matmul(x, "p1"), matmul(g("Relu", matmul(x, "d0")), "d1")))
    z = g("Add", matmul(y, "p3"), matmul(g("Relu", matmul(y, "d2")), "d3"))
    return g.finish(g("Tanh", z), width, t["p3"].shape[1])

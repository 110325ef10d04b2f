"""The contract of a window network. A new family subclasses `WindowNetContract` and gets every check."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from scanwise import nn
from scanwise.errors import ArgumentError


class WindowNetContract:
    """What every window network obeys; a subclass names the arguments and a slow equivalent."""

    architecture: str
    arguments: ClassVar[dict[str, Any]]

    def slow(self, net: nn.WindowNet, x: Tensor) -> Tensor:
        """Compute the embedding from the named weights in the most obvious way."""
        raise NotImplementedError

    @pytest.fixture
    def net(self) -> nn.WindowNet:
        """Return a network in float64 whose weights and running statistics are neither ones nor zeros."""
        generator = torch.Generator().manual_seed(1)
        net = nn.build(self.architecture, **self.arguments).double().eval()
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=torch.float64) - 0.3)
        for name, buffer in net.named_buffers():
            if name.endswith("running_var"):
                buffer.add_(0.5)
        return net

    def windows(self, net: nn.WindowNet, batch: int = 3) -> Tensor:
        generator = torch.Generator().manual_seed(2)
        return torch.randn(batch, *net.window_shape, generator=generator, dtype=torch.float64)

    def test_it_computes_what_the_formula_says(self, net: nn.WindowNet) -> None:
        x = self.windows(net)
        embedding = self.slow(net, x)
        torch.testing.assert_close(net.embedding(x), embedding)
        torch.testing.assert_close(net(x), embedding @ net.head.weight.T + net.head.bias)

    def test_forward_is_the_head_of_the_embedding(self, net: nn.WindowNet) -> None:
        x = self.windows(net)
        assert torch.equal(net(x), net.head(net.embedding(x)))
        assert net(x).shape == (3, net.outputs)
        assert net.embedding(x).ndim == 2

    def test_every_window_is_answered_by_itself(self, net: nn.WindowNet) -> None:
        x = self.windows(net)
        alone = torch.cat([net(one) for one in x.split(1)])
        torch.testing.assert_close(net(x), alone)

    def test_gradients_are_those_of_finite_differences(self, net: nn.WindowNet) -> None:
        assert torch.autograd.gradcheck(net, self.windows(net, batch=2).requires_grad_())

    def test_the_description_survives_json_and_rebuilds_the_network(self, net: nn.WindowNet) -> None:
        text = json.dumps(nn.describe(net))
        twin = nn.from_description(json.loads(text)).double().eval()
        twin.load_state_dict(net.state_dict())
        x = self.windows(net)
        assert torch.equal(twin(x), net(x))
        assert json.dumps(nn.describe(twin)) == text

    def test_the_description_is_a_copy(self, net: nn.WindowNet) -> None:
        nn.describe(net)["arguments"]["window_shape"].append(5)
        assert tuple(net.arguments["window_shape"]) == net.window_shape

    def test_another_shape_of_window_is_refused(self, net: nn.WindowNet) -> None:
        wrong = torch.zeros(2, *net.window_shape[:-1], net.window_shape[-1] + 1)
        shape = ", ".join(map(str, net.window_shape))
        with pytest.raises(ArgumentError, match=re.escape(f"x must have the shape (batch, {shape}); got")):
            net(wrong)


def numbered(net: nn.WindowNet, prefix: str) -> list[torch.nn.Module]:
    """Return ``prefix1``, ``prefix2``, ... of the embedding."""
    children = dict(net.embedding.named_children())
    return [children[f"{prefix}{i}"] for i in range(1, len(children) + 1) if f"{prefix}{i}" in children]


def slow_dense(net: nn.WindowNet, x: Tensor) -> Tensor:
    for layer in numbered(net, "dense"):
        x = torch.tanh(x @ layer.weight.T + layer.bias)
    return x


class TestMlp(WindowNetContract):
    architecture = "mlp"
    arguments: ClassVar = {
        "window_shape": [2, 3],
        "outputs": 4,
        "hidden": [5, 3],
        "activation": "tanh",
        "dropout": 0.5,
    }

    def slow(self, net: nn.WindowNet, x: Tensor) -> Tensor:
        return slow_dense(net, x.reshape(len(x), -1))


class TestLinearModel(WindowNetContract):
    architecture = "mlp"
    arguments: ClassVar = {"window_shape": [1, 2, 3], "outputs": 1, "hidden": []}

    def slow(self, net: nn.WindowNet, x: Tensor) -> Tensor:
        return x.reshape(len(x), -1)


class TestConvnet2d(WindowNetContract):
    architecture = "convnet"
    arguments: ClassVar = {
        "window_shape": [2, 9, 11],
        "outputs": 3,
        "channels": [3, 2],
        "kernels": [[2, 3], 2],
        "strides": [1, [1, 2]],
        "dilations": [[1, 2], 1],
        "pools": [[2, 1], 1],
        "hidden": [4],
        "activation": "tanh",
    }

    def slow(self, net: nn.WindowNet, x: Tensor) -> Tensor:
        norms = numbered(net, "conv")
        for i, conv in enumerate(norms):
            x = slow_convolution(x, conv)
            x = slow_norm(x, getattr(net.embedding, f"conv{i + 1}_norm"))
            x = slow_pool(torch.tanh(x), net.arguments["pools"][i], net.arguments["pool"])
        return slow_dense(net, x.reshape(len(x), -1))


class TestConvnet2dWithMeans(TestConvnet2d):
    arguments: ClassVar = TestConvnet2d.arguments | {"pool": "avg"}


class TestConvnet1d(TestConvnet2d):
    arguments: ClassVar = {
        "window_shape": [2, 14],
        "outputs": 3,
        "channels": [3, 2],
        "kernels": [3, 2],
        "strides": [1, 2],
        "dilations": 2,
        "pools": [2, 1],
        "activation": "tanh",
    }


class TestConvnetBare(WindowNetContract):
    """No norm, no pooling, nothing hidden."""

    architecture = "convnet"
    arguments: ClassVar = {
        "window_shape": [1, 6],
        "outputs": 2,
        "channels": [2],
        "kernels": 3,
        "pool": None,
        "norm": False,
        "hidden": [],
        "activation": "tanh",
    }

    def slow(self, net: nn.WindowNet, x: Tensor) -> Tensor:
        return torch.tanh(slow_convolution(x, net.embedding.conv1)).flatten(1)


class TestTdnn(WindowNetContract):
    """Two frames of the last layer, read at equal and at unequal distances."""

    architecture = "tdnn"
    arguments: ClassVar = {
        "window_shape": [2, 11],
        "outputs": 3,
        "contexts": [[-1, 0, 2], [-2, 2], [1, 3]],
        "channels": [3, 2, 4],
        "hidden": [3],
        "activation": "tanh",
    }

    def slow(self, net: nn.WindowNet, x: Tensor) -> Tensor:
        """Compute every layer at every frame that has its context, as if all were needed."""
        for i, offsets in enumerate(net.arguments["contexts"], start=1):
            frames = range(x.shape[-1] - (offsets[-1] - offsets[0]))
            weight = getattr(net.embedding, f"delay{i}").weight
            read = [x[:, :, [t + offset - offsets[0] for offset in offsets]] for t in frames]
            x = torch.stack([torch.einsum("bck,ock->bo", one, weight) for one in read], -1)
            x = torch.tanh(slow_norm(x, getattr(net.embedding, f"delay{i}_norm")))
        return slow_dense(net, self.pooled(x))

    def pooled(self, x: Tensor) -> Tensor:
        return x.mean(-1)


class TestTdnnWithMaxima(TestTdnn):
    arguments: ClassVar = TestTdnn.arguments | {"pooling": "max"}

    def pooled(self, x: Tensor) -> Tensor:
        return x.amax(-1)


class TestTdnnWithDeviations(TestTdnn):
    arguments: ClassVar = TestTdnn.arguments | {"pooling": "stats"}

    def pooled(self, x: Tensor) -> Tensor:
        deviation = (x - x.mean(-1, keepdim=True)).square().mean(-1).sqrt()
        return torch.cat([x.mean(-1), deviation], 1)


class TestTdnnOfOneFrame(TestTdnn):
    arguments: ClassVar = TestTdnn.arguments | {"window_shape": [2, 10]}


def as_2d(numbers: tuple[int, ...]) -> tuple[int, int]:
    return (1, *numbers) if len(numbers) == 1 else numbers


def slow_convolution(x: Tensor, conv: torch.nn.Module) -> Tensor:
    """Apply the filters at every unit, ``y(u, v, c) = <patch(u, v), W_c> + b_c``; 1-D is one row of 2-D."""
    flat = x.ndim == 3
    x = x[:, :, None] if flat else x
    weight = conv.weight[:, :, None] if flat else conv.weight
    (sv, sh), (dv, dh) = as_2d(conv.stride), as_2d(conv.dilation)
    kv, kh = weight.shape[2:]
    rows, columns = (
        (n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], (kv, kh), (sv, sh), (dv, dh), strict=True)
    )
    out = x.new_zeros(len(x), len(weight), rows, columns)
    for u in range(rows):
        for v in range(columns):
            patch = x[:, :, u * sv : u * sv + (kv - 1) * dv + 1 : dv, v * sh : v * sh + (kh - 1) * dh + 1 : dh]
            out[:, :, u, v] = torch.einsum("bcij,ocij->bo", patch, weight)
    if conv.bias is not None:
        out = out + conv.bias[:, None, None]
    return out[:, :, 0] if flat else out


def slow_norm(x: Tensor, norm: torch.nn.Module) -> Tensor:
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shape = (-1, *(1 for _ in x.shape[2:]))
    return (x - norm.running_mean.reshape(shape)) * scale.reshape(shape) + norm.bias.reshape(shape)


def slow_pool(x: Tensor, pool: list[int], kind: str) -> Tensor:
    for axis, size in enumerate(pool, start=2):
        parts = x.unfold(axis, size, size)
        x = parts.amax(-1) if kind == "max" else parts.mean(-1)
    return x


def test_the_slow_convolution_is_torchs() -> None:
    conv = torch.nn.Conv2d(2, 3, (2, 3), stride=(1, 2), dilation=(2, 1))
    x = torch.randn(2, 2, 6, 9)
    expected = functional.conv2d(x, conv.weight, conv.bias, conv.stride, 0, conv.dilation)
    torch.testing.assert_close(slow_convolution(x, conv), expected)

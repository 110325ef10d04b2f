"""The five architectures are what the ledger accounts for, and see the same windows."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from scanwise.audit._architectures import architecture
from scanwise.audit._shape import Shape, shape_of
from scanwise.errors import ArgumentError
from scanwise.nn import LocallyConnected1d, LocallyConnected2d, WindowNet

NAMES = ("dense", "independent", "local", "scanning", "convolutional")
PAIRS = (("scanning", "independent"), ("convolutional", "local"))


@st.composite
def drawn_shapes(draw: st.DrawFn) -> Shape:
    axes = draw(st.integers(1, 2))
    widths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    count = draw(st.integers(1, len(widths) + 1))
    per_axis = st.tuples(*[st.integers(1, 3)] * axes)
    kernels, strides = (draw(st.lists(per_axis, min_size=count, max_size=count)) for _ in range(2))
    field, jump = [1] * axes, [1] * axes
    for kernel, stride in zip(kernels, strides, strict=True):
        field = [f + (k - 1) * j for f, k, j in zip(field, kernel, jump, strict=True)]
        jump = [j * s for j, s in zip(jump, stride, strict=True)]
    space = tuple(f + draw(st.integers(1, 3)) * j for f, j in zip(field, jump, strict=True))
    return shape_of(draw(st.integers(1, 3)), space, 3, widths=widths, kernels=kernels, strides=strides)


def built(name: str, shape: Shape) -> WindowNet:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return architecture(shape.account()[name], shape).eval()


def one_clip(shape: Shape, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(1, shape.channels, *shape.space, generator=generator, dtype=dtype)


@pytest.mark.parametrize("name", NAMES)
@given(shape=drawn_shapes())
def test_weights_are_those_of_the_ledger(name: str, shape: Shape) -> None:
    assert sum(p.numel() for p in built(name, shape).parameters()) == shape.account()[name].weights


@pytest.mark.parametrize("name", NAMES)
@given(shape=drawn_shapes())
def test_multiply_accumulates_of_an_instrumented_run_are_those_of_the_ledger(name: str, shape: Shape) -> None:
    net, x = built(name, shape), one_clip(shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x)
    assert counter.get_total_flops() == 2 * shape.account()[name].macs


@pytest.mark.parametrize("name", NAMES)
@given(shape=drawn_shapes())
def test_each_gives_a_score_per_class_and_position_and_answers_by_the_mean(name: str, shape: Shape) -> None:
    net, x = built(name, shape), one_clip(shape)
    scores = net.embedding(x)
    assert scores.shape == (1, 3, *shape.sizes[-1])
    torch.testing.assert_close(net(x), scores.mean(dim=tuple(range(2, scores.ndim))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hidden", [0, 1, 2])
def test_there_is_an_activation_between_any_two_layers_and_none_at_the_end(name: str, hidden: int) -> None:
    shape = shape_of(1, (12, 12), 3, widths=(4,) * hidden, kernels=None, strides=None)
    kinds = [
        "activation" if isinstance(module, torch.nn.ReLU) else "layer"
        for module in built(name, shape).embedding
        if isinstance(module, torch.nn.ReLU) or any(True for _ in module.parameters())
    ]
    assert kinds == ["layer", *["activation", "layer"] * hidden]


@pytest.mark.parametrize("name", ["scanning", "convolutional"])
@given(shape=drawn_shapes())
def test_a_shared_net_gives_at_every_position_what_it_gives_of_that_window_alone(name: str, shape: Shape) -> None:
    net, x = built(name, shape).double(), one_clip(shape, torch.float64)
    account, scores = shape.account(), built(name, shape).double().embedding(x)
    for position in product(*map(range, shape.sizes[-1])):
        window = x
        for axis, (i, hop, extent) in enumerate(zip(position, account.hop, account.window, strict=True)):
            window = window.narrow(2 + axis, i * hop, extent)
        alone = net.embedding(window).flatten()
        torch.testing.assert_close(scores[(0, slice(None), *position)], alone)


@pytest.mark.parametrize(("shared", "apart"), PAIRS)
@given(shape=drawn_shapes())
def test_an_unshared_net_with_equal_weights_everywhere_is_the_shared_one(shared: str, apart: str, shape: Shape) -> None:
    common, own = built(shared, shape).double(), built(apart, shape).double()
    kinds = (LocallyConnected1d, LocallyConnected2d)
    locals_ = [layer for layer in own.modules() if isinstance(layer, kinds)]
    convs = [layer for layer in common.modules() if isinstance(layer, torch.nn.Conv1d | torch.nn.Conv2d)]
    for layer, conv in zip(locals_, convs, strict=True):
        copied = type(layer).from_conv(conv, layer.input_size)
        layer.load_state_dict(copied.state_dict())
    x = one_clip(shape, torch.float64)
    torch.testing.assert_close(own.embedding(x), common.embedding(x))


@pytest.mark.parametrize(
    ("size", "kernels"), [(2, (1, 1)), (3, (1, 2)), (8, (2, 2)), (28, (3, 5)), (128, (8, 8)), (1000, (22, 23))]
)
def test_by_default_two_kernels_tile_a_window_of_about_half_the_clip(size: int, kernels: tuple[int, int]) -> None:
    shape = shape_of(1, (size,), 2, widths=(4, 4), kernels=None, strides=None)
    assert shape.kernels == tuple((kernel,) for kernel in kernels)
    assert shape.strides == ((kernels[0],), (1,))
    assert shape.account().symbols["P"] > 1


def test_one_layer_has_one_kernel_by_default() -> None:
    shape = shape_of(1, (8, 28), 2, widths=(), kernels=None, strides=None)
    assert shape.kernels == ((4, 15),)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kernels": (4, 2)}, r"kernels must leave room for several windows; got a window of 8 and a hop of 4 in 8"),
        ({"kernels": (4, 9)}, r"space must hold the window, \(36,\); got \(8,\)"),
        ({"kernels": ((2, 2),)}, r"kernels\[0\] must be a whole number of at least 1, or one per axis \(1\)"),
        ({"strides": (0, 1)}, r"strides\[0\] must be a whole number of at least 1"),
        ({"strides": (1,)}, r"strides must be one per kernel, 2; got 1"),
        ({"widths": (0,)}, r"widths\[0\] must be a whole number of at least 1"),
        ({"kernels": 3}, r"kernels must be a sequence, an entry per layer; got 3"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(wrong: dict[str, object], message: str) -> None:
    wanted = {"widths": (4, 4), "kernels": None, "strides": None} | wrong
    with pytest.raises(ArgumentError, match=message):
        shape_of(1, (8,), 2, **wanted)  # type: ignore[arg-type]

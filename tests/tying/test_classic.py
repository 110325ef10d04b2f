"""A window MLP, converted from its matrices, must say of every window what the MLP says of it."""

from __future__ import annotations

import math
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from window_mlps import TiedMLP, on_windows, units

import scanwise as sw
from scanwise.tying import distribute, scan_mlp

LAYOUTS = ("channels_first", "channels_last")

# Sums of a few hundred float64 terms of size one.
CLOSE = {"rtol": 1e-10, "atol": 1e-10}

# 128 frames of 24 features; the window is 8 frames, the layers 8-16-4 wide in all.
WORKED = {"window": (8,), "channels": 24, "kernels": ((2,),) * 3, "strides": ((2,), (2,), (1,)), "widths": (2, 8, 4)}


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def weights_of(net: nn.Module) -> int:
    return sum(p.numel() for name, p in net.named_parameters() if name.endswith("weight"))


def macs_of(net: nn.Module, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        net(x)
    return counter.get_total_flops() // 2


def distributed(mlp: TiedMLP, **changed: object) -> nn.Sequential:
    arguments = {name: getattr(mlp, name) for name in ("window", "channels", "kernels", "strides", "widths", "layout")}
    return distribute(**({"weights": mlp.weights()} | arguments | changed))


@st.composite
def mlps(draw: st.DrawFn) -> TiedMLP:
    """One to three layers in one or two dimensions, with one or two positions per axis left at the end."""
    axes = draw(st.integers(1, 2))
    depth = draw(st.integers(1, 3))
    largest = 3 if axes == 1 else 2
    per_axis = st.tuples(*[st.integers(1, largest)] * axes)
    kernels, strides = (tuple(draw(per_axis) for _ in range(depth)) for _ in range(2))
    space = draw(st.tuples(*[st.integers(1, 2)] * axes))
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        space = tuple((n - 1) * s + k for n, k, s in zip(space, kernel, stride, strict=True))
    widths = tuple(draw(st.integers(1, 3)) for _ in range(depth))
    outside = draw(st.sampled_from([0.0, math.nan]))
    return TiedMLP(
        space, draw(st.integers(1, 3)), kernels, strides, widths, draw(st.sampled_from(LAYOUTS)), outside,
        seed=draw(st.integers(0, 99)),
    )  # fmt: skip


@given(mlps(), st.booleans(), st.sampled_from(["tanh", "relu", None]))
def test_a_distributed_scan_says_of_every_window_what_the_mlp_says(
    mlp: TiedMLP, has_biases: bool, activation: str | None
) -> None:
    biases = mlp.biases() if has_biases else [None] * len(mlp.widths)
    x = noise(2, mlp.channels, *(w + 2 * h + h // 2 for w, h in zip(mlp.window, mlp.hop, strict=True)))
    y = distributed(mlp, biases=biases if has_biases else None, activation=activation)(x)
    function = {"tanh": torch.tanh, "relu": torch.relu, None: lambda value: value}[activation]
    expected = on_windows(x, mlp.weights(), biases, mlp.window, mlp.hop, mlp.layout, function)
    last = mlp.spaces[-1]
    assert y.shape[2:] == tuple(n + 2 for n in last)  # three windows per axis
    outputs = torch.from_numpy(units(last, mlp.widths[-1], mlp.layout).copy())
    for window in np.ndindex(*expected.shape[2:]):
        seen = y[(..., *(slice(i, i + n) for i, n in zip(window, last, strict=True)))]
        torch.testing.assert_close(seen, expected[(..., *window)][:, outputs], **CLOSE)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 6)), min_size=1, max_size=2),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from(LAYOUTS),
    st.booleans(),
)
def test_a_scanning_mlp_says_of_every_window_what_the_mlp_says(
    axes: list[tuple[int, int]], widths: list[int], layout: str, has_biases: bool
) -> None:
    window, hop = zip(*axes, strict=True)
    draw = np.random.default_rng(0)
    incoming = [2 * prod(window), *widths]
    weights = [draw.normal(0, 1, (n, c)) for c, n in zip(incoming, widths, strict=False)]
    biases = [draw.normal(0, 1, n) for n in widths] if has_biases else None
    net = scan_mlp(weights, window, 2, hop, biases=biases, activation="tanh", layout=layout)
    x = noise(3, 2, *(w + 2 * h + h // 2 for w, h in axes))
    y = net(x)
    assert y.shape == (3, widths[-1], *(3 for _ in axes))
    expected = on_windows(x, weights, biases or [None] * len(widths), window, hop, layout, torch.tanh)
    torch.testing.assert_close(y, expected, **CLOSE)


@pytest.mark.parametrize("outside", [0.0, math.nan])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_worked_case_stores_1728_weights_of_which_192_are_unique(layout: str, outside: float) -> None:
    mlp = TiedMLP(**WORKED, layout=layout, outside=outside)
    stored = [np.nan_to_num(matrix) for matrix in mlp.weights()]
    scanning = scan_mlp(stored, window=8, channels=24, hop=4, layout=layout)
    convolutional = distributed(mlp)
    assert [matrix.shape for matrix in stored] == [(8, 192), (16, 8), (4, 16)]
    assert weights_of(scanning) == 1728
    assert weights_of(convolutional) == 192
    x = noise(1, 24, 128)
    expected = on_windows(x, stored, [None] * 3, (8,), (4,), layout, torch.relu)
    assert expected.shape == (1, 4, 31)
    torch.testing.assert_close(scanning(x), expected, **CLOSE)
    torch.testing.assert_close(convolutional(x), expected, **CLOSE)
    assert convolutional(x[..., :8]).shape == (1, 4, 1)


def test_the_worked_case_costs_what_the_ledger_says() -> None:
    mlp = TiedMLP(**WORKED, layout="channels_first")
    scanning, x = scan_mlp(mlp.weights(), 8, 24, 4), noise(1, 24, 128)
    wide = sw.geometry.ledger(128, 24, (8, 16, 4), kernels=(8,), strides=(4,))["scanning"]
    assert (weights_of(scanning), macs_of(scanning, x)) == (wide.weights, wide.macs) == (1728, 53_568)
    narrow = sw.geometry.ledger(128, 24, (2, 8, 4), mlp.kernels, mlp.strides)["convolutional"]
    net = distributed(mlp)
    assert (weights_of(net), macs_of(net, x)) == (narrow.weights, narrow.macs) == (192, 9_152)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_three_layers_of_rectangular_kernels_scan_an_image(layout: str) -> None:
    kernels, strides = ((3, 2), (2, 1), (1, 3)), ((2, 1), (1, 2), (1, 1))
    mlp = TiedMLP((5, 6), 2, kernels, strides, (3, 2, 4), layout, math.nan)
    assert mlp.spaces == [(5, 6), (2, 5), (1, 3), (1, 1)]
    x = noise(2, 2, 11, 13)
    y = distributed(mlp, biases=mlp.biases(), activation="tanh")(x)
    assert y.shape == (2, 4, 4, 4)
    expected = on_windows(x, mlp.weights(), mlp.biases(), (5, 6), (2, 2), layout, torch.tanh)
    torch.testing.assert_close(y, expected, **CLOSE)


def test_the_16_by_16_window_in_4_by_4_blocks_has_194_weights() -> None:
    mlp = TiedMLP((16, 16), 1, ((4, 4), (4, 4), (1, 1)), ((4, 4), (1, 1), (1, 1)), (4, 2, 1), "channels_last")
    assert weights_of(distributed(mlp, kernels=[4, 4, 1], strides=[4, 1, 1])) == 194  # one number for both axes


def test_weights_are_learnable_copies_of_the_same_dtype() -> None:
    for dtype in (torch.float32, torch.float64):
        matrix = nn.Parameter(torch.arange(6, dtype=dtype).reshape(2, 3))
        bias = torch.ones(2, dtype=dtype)
        net = scan_mlp([matrix], 3, 1, biases=[bias])
        with torch.no_grad():
            matrix.zero_()
            bias.zero_()
        assert net(torch.ones(1, 1, 3, dtype=dtype)).tolist() == [[[4.0], [13.0]]]
        assert all(p.requires_grad and p.is_leaf and p.dtype == dtype for p in net.parameters())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_kernels_lie_in_memory_as_torch_lays_them_and_hold_no_full_matrix(layout: str) -> None:
    for kernel in distributed(TiedMLP(**WORKED, layout=layout)).parameters():
        assert kernel.is_contiguous()
        assert kernel.untyped_storage().nbytes() == kernel.numel() * 8


@pytest.mark.parametrize("kind", ["byte order", "fortran", "reversed", "read-only"])
def test_numpy_arrays_may_lie_in_memory_as_they_like(kind: str) -> None:
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    array = {
        "byte order": plain.astype(">f4"),
        "fortran": np.asfortranarray(plain),
        "reversed": plain[:, ::-1].copy()[:, ::-1],
        "read-only": np.frombuffer(plain.tobytes(), np.float32).reshape(2, 3),
    }[kind]
    assert scan_mlp([array], 3, 1)[0].weight.squeeze(1).tolist() == plain.tolist()


def test_activations_stand_between_the_layers_and_nowhere_else() -> None:
    weights = [torch.eye(2)] * 3
    assert list(dict(scan_mlp(weights, 2, 1, activation="tanh").named_children())) == [
        "conv1", "conv1_tanh", "conv2", "conv2_tanh", "conv3",
    ]  # fmt: skip
    assert list(dict(scan_mlp(weights, 2, 1, activation=None).named_children())) == ["conv1", "conv2", "conv3"]


def test_layers_without_a_bias_may_stand_among_others() -> None:
    net = scan_mlp([torch.eye(2)] * 3, 2, 1, biases=[None, np.ones(2, np.float32), None])
    assert [layer.bias is not None for layer in net if isinstance(layer, nn.Conv1d)] == [False, True, False]


def test_converting_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    scan_mlp([torch.eye(2)] * 2, 2, 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_layer_whose_window_is_one_position_is_a_convolution_of_kernel_1() -> None:
    (layer,) = scan_mlp([torch.eye(3)], (1, 1), 3)
    assert isinstance(layer, nn.Conv2d)
    assert layer.kernel_size == (1, 1)

"""Whatever kernel runs a tie map, it is the same layer: the oracle is the full matrix, entry by entry."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tied_nets import Chain, chains, dense_matrix, normal, shuffled, tie_maps
from torch import Tensor, nn

from scanwise.errors import ArgumentError
from scanwise.nn import LocallyConnected1d, LocallyConnected2d
from scanwise.tying import Axis, EdgeLayer, Stencil, TiedLinear, TieMap, edges_of, expand

Grid = tuple[int, ...]
CLOSE = {torch.float64: {"rtol": 1e-12, "atol": 1e-12}, torch.float32: {"rtol": 1e-4, "atol": 1e-5}}


def of(stencil: Stencil) -> EdgeLayer:
    ties = TieMap._ordered(*stencil.edges(), stencil.shape)
    sizes, outputs = ([getattr(axis, name) for axis in stencil.axes] for name in ("size", "outputs"))
    return EdgeLayer(ties, (stencil.in_channels, *sizes), (stencil.out_channels, *outputs))


def scattered(outputs: int, inputs: int, edges: int, parameters: int) -> EdgeLayer:
    """Return a map without any structure."""
    places = torch.randperm(outputs * inputs, generator=torch.Generator().manual_seed(1))[:edges]
    ties = TieMap(places // inputs, places % inputs, torch.arange(edges) % parameters, (outputs, inputs))
    return EdgeLayer(ties, (1, inputs), (1, outputs))


def symmetric() -> EdgeLayer:
    layer = edges_of(nn.Conv1d(2, 3, 3, padding=1), (2, 9))
    return EdgeLayer(layer.ties.tie((4, 3), (4, 5)), layer.in_grid, layer.out_grid)


TILED = Stencil(2, 3, (Axis(11, 11, 3, before=1, period=3),))
LAYERS: dict[str, tuple[EdgeLayer, str, str]] = {
    "dense": (edges_of(nn.Linear(9, 5), (9,)), "view + matmul", "every input reaches every output"),
    "dense, no bias": (
        edges_of(nn.Linear(9, 5, bias=False), (9,)),
        "view + matmul",
        "every input reaches every output",
    ),
    "block": (edges_of(nn.Linear(3, 2), (5, 3)), "view + matmul", "one matrix for each part of the input"),
    "conv1d": (
        edges_of(nn.Conv1d(4, 6, 3, 2, 2, 2, groups=2), (4, 11)),
        "convolution",
        "one filter bank everywhere",
    ),
    "conv2d": (
        edges_of(nn.Conv2d(2, 3, (3, 2), (2, 1), (1, 0)), (2, 6, 7)),
        "convolution",
        "one filter bank everywhere",
    ),
    "ring": (
        edges_of(nn.Conv2d(2, 3, 3, padding=(1, 2), dilation=(1, 2), padding_mode="circular"), (2, 6, 7)),
        "convolution",
        "one filter bank everywhere",
    ),
    "uneven": (of(Stencil(1, 2, (Axis(9, 8, 4, before=2),))), "convolution", "one filter bank everywhere"),
    "cropped": (of(Stencil(1, 2, (Axis(12, 4, 3, before=-2),))), "convolution", "one filter bank everywhere"),
    "symmetric": (symmetric(), "convolution", "one filter bank everywhere"),
    "tiled": (of(TILED), "strided convolutions, one per phase", "filter banks that alternate with a period"),
    "tiled ring": (
        of(Stencil(1, 2, (Axis(8, 8, 3, before=1, circular=True, period=2),), bias=False)),
        "strided convolutions, one per phase",
        "filter banks that alternate with a period",
    ),
    "tiled plane": (
        of(Stencil(1, 2, (Axis(8, 4, 3, 2, before=1, period=2), Axis(7, 6, 2, period=3)))),
        "strided convolutions, one per phase",
        "filter banks that alternate with a period",
    ),
    "cube": (of(Stencil(1, 2, (Axis(4, 3, 2),) * 3)), "convolution", "one filter bank everywhere"),
    "local1d": (
        edges_of(LocallyConnected1d(2, 4, 9, 3, 2, 1, groups=2), (2, 9)),
        "locally connected",
        "a filter bank for each position",
    ),
    "local2d": (
        edges_of(LocallyConnected2d(2, 3, (5, 6), (3, 2), padding=(1, 0), bias=False), (2, 5, 6)),
        "locally connected",
        "a filter bank for each position",
    ),
    "few places": (
        scattered(20, 30, 60, 7),
        "dense",
        "no structure, and only 600 places (up to 4,096)",
    ),
    "many edges": (
        scattered(70, 80, 2000, 9),
        "dense",
        "no structure, and 36% of the matrix are edges (25% or more)",
    ),
    "few edges": (
        scattered(70, 80, 500, 9),
        "sparse",
        "no structure, and 8.93% of the matrix are edges (less than 25%)",
    ),
    "average": (edges_of(nn.AvgPool2d(3, 2, 1), (2, 6, 7)), "AvgPool2d", "the edges are those of a pooling layer"),
    "ragged average": (
        edges_of(nn.AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 8)),
        "AvgPool1d",
        "the edges are those of a pooling layer",
    ),
}


def results(kernel: nn.Module, x: Tensor, theta: Tensor, wanted: Tensor) -> list[Tensor]:
    x, theta = x.clone().requires_grad_(), theta.clone().requires_grad_()
    y = kernel(x, theta)
    return [y.detach(), *torch.autograd.grad((y * wanted).sum(), [x, theta], allow_unused=True, materialize_grads=True)]


def by_matrix(ties: TieMap) -> nn.Module:
    """Return the layer by its full matrix."""

    class Oracle(nn.Module):
        def forward(self, x: Tensor, theta: Tensor) -> Tensor:
            return torch.cat([x, x.new_ones(len(x), 1)], 1) @ dense_matrix(ties, theta).T

    return Oracle()


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("case", LAYERS)
def test_every_kernel_is_the_full_matrix_in_value_and_gradients(case: str, dtype: torch.dtype) -> None:
    layer, name, why = LAYERS[case]
    ties = shuffled(layer.ties, 5)
    x, theta = normal(3, ties.shape[1]).to(dtype), normal(ties.parameters, seed=2).to(dtype)
    wanted = normal(3, ties.shape[0], seed=3).to(dtype)
    oracle = results(by_matrix(ties), x, theta, wanted)
    for kernel, ran in (("auto", name), ("sparse", "sparse"), ("dense", "dense")):
        tied = TiedLinear(ties, layer.in_grid, layer.out_grid, kernel=kernel)
        assert tied.kernel.name == ran
        counts = f"{ties.edges:,} edges share {ties.parameters:,} parameters"
        assert tied.explain() == f"{ran}: {why if kernel == 'auto' else 'asked for'}. {counts}"
        for ours, theirs in zip(results(tied.kernel, x, theta, wanted), oracle, strict=True):
            assert ours.dtype == dtype
            torch.testing.assert_close(ours, theirs, **CLOSE[dtype])


@pytest.mark.parametrize("kernel", ["auto", "sparse", "dense"])
@given(ties=tie_maps(most=6), seed=st.integers(0, 99))
def test_every_kernel_is_the_full_matrix_on_any_map(kernel: str, ties: TieMap, seed: int) -> None:
    layer = TiedLinear(ties, kernel=kernel).double()
    x, theta = normal(3, ties.shape[1], seed=seed), normal(ties.parameters, seed=seed + 1)
    wanted = normal(3, ties.shape[0], seed=seed + 2)
    for ours, theirs in zip(
        results(layer.kernel, x, theta, wanted), results(by_matrix(ties), x, theta, wanted), strict=True
    ):
        torch.testing.assert_close(ours, theirs, **CLOSE[torch.float64])


@pytest.mark.parametrize("case", [name for name, (layer, *_) in LAYERS.items() if 0 < layer.ties.parameters < 60])
def test_gradients_are_those_of_finite_differences(case: str) -> None:
    layer, *_ = LAYERS[case]
    x = normal(2, layer.ties.shape[1]).requires_grad_()
    theta = normal(layer.ties.parameters, seed=2).requires_grad_()
    for kernel in ("auto", "sparse", "dense"):
        tied = TiedLinear(layer.ties, layer.in_grid, layer.out_grid, kernel=kernel)
        assert torch.autograd.gradcheck(tied.kernel, (x, theta), fast_mode=True)


@settings(max_examples=8)
@given(chains(pads=False))
def test_two_runs_are_equal_to_the_last_bit(chain: Chain) -> None:
    for kernel in ("auto", "sparse", "dense"):
        mlp = expand(chain.build().float(), chain.input_shape, kernel=kernel)
        x = chain.values(batch=4).float()
        runs = []
        for _ in range(2):
            mlp.theta.grad = None
            y = mlp(x)
            y.square().sum().backward()
            runs.append((y.detach(), mlp.theta.grad))
        for first, second in zip(*runs, strict=True):
            assert torch.equal(first, second)


def test_sums_over_large_sets_are_equal_to_the_last_bit() -> None:
    ties = scattered(300, 300, 9000, 3).ties
    layer = TiedLinear(ties)
    assert layer.kernel.name == "sparse"
    x = normal(8, 300).float()
    grads = [torch.autograd.grad(layer(x).square().sum(), layer.theta)[0] for _ in range(5)]
    assert all(torch.equal(grads[0], grad) for grad in grads[1:])


@pytest.mark.parametrize("kernel", ["auto", "sparse", "dense"])
@pytest.mark.parametrize("batch", [(), (1,), (0,), (2, 3), (2, 0, 3)])
@pytest.mark.parametrize("case", ["conv2d", "dense", "block", "local1d", "few edges", "tiled"])
def test_inputs_may_have_any_batch_axes(case: str, batch: Grid, kernel: str) -> None:
    layer, *_ = LAYERS[case]
    tied = TiedLinear(layer.ties, layer.in_grid, layer.out_grid, kernel=kernel).double()
    x = normal(*batch, layer.ties.shape[1])
    y = tied(x)
    assert y.shape == (*batch, layer.ties.shape[0])
    wanted = by_matrix(layer.ties)(x.reshape(-1, x.shape[-1]), tied.theta)
    torch.testing.assert_close(y, wanted.reshape(y.shape), **CLOSE[torch.float64])


def test_inputs_that_do_not_lie_in_a_row_are_read_all_the_same() -> None:
    for layer, *_ in LAYERS.values():
        tied = TiedLinear(layer.ties, layer.in_grid, layer.out_grid).double()
        x = normal(layer.ties.shape[1], 3)
        torch.testing.assert_close(tied(x.T), tied(x.T.contiguous()), **CLOSE[torch.float64])


@pytest.mark.parametrize("case", ["conv2d", "few edges", "dense", "block"])
def test_first_values_lie_within_one_over_the_root_of_the_edges_that_a_unit_reads(case: str) -> None:
    layer, *_ = LAYERS[case]
    ties = layer.ties
    most = [0] * ties.parameters
    for row, _, param in ties:
        most[param] = max(most[param], int(ties.fan_in[row]))
    torch.manual_seed(0)
    drawn = torch.stack([TiedLinear(ties, kernel="sparse").theta.detach() for _ in range(60)]).abs()
    bound = torch.tensor(most, dtype=torch.float32).rsqrt()
    assert (drawn <= bound).all()
    assert (drawn.amax(0) > 0.85 * bound).all()


def test_edges_come_with_their_grids() -> None:
    layer, *_ = LAYERS["conv2d"]
    tied = TiedLinear(layer)
    assert (tied.ties, tied.in_grid, tied.out_grid) == (layer.ties, layer.in_grid, layer.out_grid)
    assert tied.kernel.name == "convolution"
    flat = TiedLinear(layer, in_grid=(1, 84), out_grid=(54,))
    assert (flat.in_grid, flat.out_grid) == ((1, 84), (54,))


@pytest.mark.parametrize("kernel", ["auto", "sparse", "dense"])
def test_a_layer_without_edges_gives_zeros(kernel: str) -> None:
    assert TiedLinear(TieMap([], [], [], (2, 3)), kernel=kernel)(torch.ones(4, 3)).tolist() == [[0.0, 0.0]] * 4


def test_a_pool_has_no_parameters_and_no_certificate() -> None:
    layer, *_ = LAYERS["average"]
    tied = TiedLinear(layer.ties, layer.in_grid, layer.out_grid)
    assert (tied.theta.shape, tied.certificate) == ((0,), None)
    torch.testing.assert_close(tied(torch.ones(1, 84)).view(2, 3, 4)[0], nn.AvgPool2d(3, 2, 1)(torch.ones(1, 6, 7))[0])


def test_a_layer_prints_its_map_and_its_kernel() -> None:
    layer = TiedLinear(LAYERS["conv1d"][0].ties, (4, 11), (6, 6))
    wanted = f"TiedLinear(\n  {layer.ties!r}, kernel=convolution\n  (kernel): Convolution("
    assert str(layer).startswith(wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda ties: TiedLinear(ties, kernel="fast"), "kernel must be one of auto, sparse, dense; got 'fast'"),
        (lambda ties: TiedLinear(ties, in_grid=(2, 3)), "in_grid must have 5 places, those of the map; got (2, 3)"),
        (lambda ties: TiedLinear(ties, out_grid=(4,)), "out_grid must have 3 places, those of the map; got (4,)"),
        (lambda _: TiedLinear(nn.Conv1d(1, 1, 3)), "ties must be a TieMap or an EdgeLayer; got Conv1d. Make one with "),
        (
            lambda _: TiedLinear(edges_of(nn.MaxPool1d(2), (1, 4))),
            "ties must be summed over; got edges of which the greatest counts. Use TiedMLP([...]).",
        ),
        (lambda ties: TiedLinear(ties)(torch.zeros(2, 4)), "x must end with 5 inputs; got (2, 4). Flatten the grid."),
        (lambda ties: TiedLinear(ties)(torch.zeros(())), "x must end with 5 inputs; got (). Flatten the grid."),
    ],
)
def test_what_does_not_fit_is_refused(make, message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        make(TieMap.of(nn.Linear(5, 3), (5,)))

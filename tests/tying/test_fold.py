"""Fold law: what was expanded folds into the same network, and what is folded expands into the same map."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from tied_nets import Chain, chains, normal
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.nn import LocallyConnected1d, LocallyConnected2d
from scanwise.tying import Axis, Block, EdgeLayer, Stencil, TiedMLP, TieMap, edges_of, expand, fold

Grid = tuple[int, ...]
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def assert_folds(net: nn.Module, grid: Grid) -> nn.Sequential:
    """Assert the law for one network, and return its canonical form."""
    mlp, x = expand(net, grid), normal(3, *grid)
    folded = fold(mlp)
    torch.testing.assert_close(folded(x).flatten(1), net(x).flatten(1), **CLOSE)
    again = expand(folded, grid)
    assert again.equals(mlp)
    twice = fold(again)
    assert str(twice) == str(folded), "canonical: folding it again changes nothing"
    for ours, theirs in zip(folded.parameters(), twice.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert len(folded.certificates) == len(mlp.edge_layers)
    return folded


def tiny(layer: EdgeLayer) -> bool:
    """Return whether an axis is so short, or so much of it padding, that nobody can tell how windows move along it."""
    axes = zip(layer.in_grid[1:], layer.out_grid[1:], strict=True)
    return not layer.ties.fan_in.all() or any(size < 4 or 1 < outputs < 3 for size, outputs in axes)


@given(chains(pads=False, large=True, most=2) | chains(pads=False))
def test_a_network_is_expanded_and_folded_without_a_change(chain: Chain) -> None:
    """Or refused, if it has tiny layers; what is folded is right in any case."""
    net = chain.build()
    try:
        assert_folds(net, chain.input_shape)
    except ArgumentError:
        assert any(map(tiny, expand(net, chain.input_shape).edge_layers))


CHAINS: dict[str, tuple[nn.Module, Grid, str]] = {
    "a convolution": (nn.Conv1d(2, 4, 3, stride=2, padding=1, groups=2), (2, 9), "Conv1d"),
    "a ring": (nn.Conv2d(2, 3, (3, 2), padding=(1, 1), padding_mode="circular"), (2, 6, 5), "Conv2d"),
    "a ring of one tap": (nn.Conv1d(4, 8, 1, stride=2, padding=1, padding_mode="circular"), (4, 11), "Conv1d"),
    "steps as long as a ring": (
        nn.Conv1d(1, 2, 2, stride=4, padding=4, padding_mode="circular", bias=False),
        (1, 4),
        "Conv1d",
    ),
    "a ring along one axis": (nn.Conv2d(1, 2, 3, padding=(1, 0), padding_mode="circular"), (1, 6, 5), "Conv2d"),
    "uneven zeros": (nn.Sequential(nn.ZeroPad1d((1, 2)), nn.Conv1d(2, 3, 3)), (2, 9), "ZeroPad1d Conv1d"),
    "an uneven ring": (nn.Sequential(nn.CircularPad1d((2, 0)), nn.Conv1d(2, 3, 3)), (2, 9), "CircularPad1d Conv1d"),
    "a ring and zeros": (
        nn.Sequential(nn.CircularPad2d((0, 0, 1, 1)), nn.ZeroPad2d((1, 1, 0, 0)), nn.Conv2d(1, 2, 3)),
        (1, 6, 6),
        "CircularPad2d ZeroPad2d Conv2d",
    ),
    "padding that the layer can do itself": (
        nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(1, 2, 3)),
        (1, 6, 6),
        "Conv2d",
    ),
    "a full-width convolution": (nn.Conv2d(2, 3, (4, 5)), (2, 4, 5), "Flatten Linear"),
    "a linear layer": (nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), (3, 4), "Flatten Linear"),
    "a linear layer along the last axis": (nn.Linear(4, 3), (5, 4), "Linear"),
    "a perceptron": (nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), (4,), "Linear Tanh Linear"),
    "local connections": (LocallyConnected1d(2, 4, 9, 3, padding=1, groups=2), (2, 9), "LocallyConnected1d"),
    "local connections in a plane": (LocallyConnected2d(1, 2, (5, 6), 3, stride=2), (1, 5, 6), "LocallyConnected2d"),
    "an average": (nn.Sequential(nn.AvgPool2d(2, 1, 1), nn.Conv2d(1, 2, 3)), (1, 6, 6), "AvgPool2d Conv2d"),
    "a rounded-up average": (
        nn.Sequential(nn.Conv1d(1, 2, 2), nn.AvgPool1d(3, 2, ceil_mode=True, count_include_pad=False)),
        (1, 9),
        "Conv1d AvgPool1d",
    ),
    "a largest": (nn.Sequential(nn.Conv1d(1, 2, 2), nn.MaxPool1d(3, 2, 1, dilation=2)), (1, 9), "Conv1d MaxPool1d"),
    "a grid that came from a vector": (
        nn.Sequential(nn.Linear(4, 12), nn.Unflatten(1, (3, 4)), nn.Conv1d(3, 2, 2)),
        (4,),
        "Linear Unflatten Conv1d",
    ),
}


@pytest.mark.parametrize("case", CHAINS)
def test_the_canonical_form_is_of_torchs_own_layers(case: str) -> None:
    net, grid, wanted = CHAINS[case]
    folded = assert_folds(copy.deepcopy(net).double(), grid)
    assert " ".join(type(layer).__name__ for layer in folded) == wanted


def test_the_certificates_come_along() -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(8, 2))
    conv, pool, linear = fold(expand(net, (1, 10))).certificates
    assert (conv.kind, pool, linear.kind) == ("convolution", None, "dense")


def test_the_folded_network_has_weights_of_its_own_in_the_same_type() -> None:
    mlp = expand(nn.Conv1d(1, 2, 3).double(), (1, 9))
    folded = fold(mlp)
    with torch.no_grad():
        mlp.theta.zero_()
    assert folded[0].weight.dtype == torch.float64
    assert folded[0].weight.abs().min() > 0


def test_a_layer_that_occurs_twice_is_one_parameter_when_folded() -> None:
    twice = nn.Linear(4, 4)
    folded = fold(expand(nn.Sequential(twice, nn.Tanh(), twice), (4,)))
    assert folded[0].weight is folded[2].weight
    assert folded[0].bias is folded[2].bias


def test_the_order_of_the_edges_does_not_matter_and_grids_may_be_given() -> None:
    conv = nn.Conv2d(2, 3, 2, bias=False).double()
    ties = TieMap.of(conv, (2, 4, 5))
    mlp = TiedMLP([ties], theta=conv.weight.flatten()[torch.tensor(ties.labels)])
    folded = fold(mlp, grids=[(2, 4, 5), (3, 3, 4)])
    x = normal(2, 2, 4, 5)
    torch.testing.assert_close(folded(x), conv(x), **CLOSE)
    assert expand(folded, (2, 4, 5)).equals(mlp)


def test_elements_that_meet_nothing_but_padding_come_back_as_zeros() -> None:
    conv = nn.Conv1d(1, 1, 5, padding=2, bias=False).double()
    folded = fold(expand(conv, (1, 2)), grids=[(1, 2), (1, 2)])
    x = normal(2, 1, 2)
    torch.testing.assert_close(folded(x).flatten(1), conv(x).flatten(1), **CLOSE)


# Refusals -----------------------------------------------------------------------------------------------------


def conv_mlp(change: Callable[[TieMap], TieMap] = lambda ties: ties) -> TiedMLP:
    layer = edges_of(nn.Conv1d(1, 1, 3, padding=1, bias=False), (1, 12))
    return TiedMLP([EdgeLayer(change(layer.ties), layer.in_grid, layer.out_grid)])


def tiled_mlp() -> TiedMLP:
    stencil = Stencil(1, 1, (Axis(10, 8, 3, period=2),))
    return TiedMLP([EdgeLayer(TieMap._ordered(*stencil.edges(), stencil.shape), (1, 10), (1, 8))])


def partly_shared() -> TiedMLP:
    layers = [edges_of(nn.Linear(2, 2, bias=False), (2,))] * 2
    return TiedMLP(layers, places=[[0, 1, 2, 3], [3, 4, 5, 6]])


def shared_otherwise() -> TiedMLP:
    layers = [edges_of(nn.Linear(2, 2, bias=False), (2,))] * 2
    return TiedMLP(layers, places=[[0, 1, 2, 3], [0, 2, 1, 3]])


def odd_pool(*, maximum: bool) -> TiedMLP:
    ties = TieMap([0, 0, 0, 1], [0, 1, 3, 2], [-1] * 4, (2, 4), constants=[1.0 if maximum else 0.5])
    return TiedMLP([EdgeLayer(ties, (1, 4), (1, 2), maximum), edges_of(nn.Linear(2, 1), (2,))])


def in_space() -> TiedMLP:
    stencil = Stencil(1, 1, (Axis(3, 2, 2),) * 3)
    return TiedMLP([EdgeLayer(TieMap._ordered(*stencil.edges(), stencil.shape), (1, 3, 3, 3), (1, 2, 2, 2))])


def constant_filter() -> TiedMLP:
    layer = edges_of(nn.Conv1d(1, 1, 3, bias=False), (1, 12))
    fixed = [-1 if param == 1 else min(param, 1) for param in layer.ties.params.tolist()]
    ties = TieMap(layer.ties.rows, layer.ties.cols, fixed, layer.ties.shape, constants=[2.0])
    return TiedMLP([EdgeLayer(ties, layer.in_grid, layer.out_grid)])


REFUSED: dict[str, tuple[Callable[[], TiedMLP], str]] = {
    "one edge of another set": (
        lambda: conv_mlp(lambda ties: ties.untie((5, 6))),
        "layer 0 must be certified without residual edges; got a convolution but for 1 edges: (5, 6). Use TiedLinear.",
    ),
    "many edges of other sets": (
        lambda: conv_mlp(lambda ties: ties.untie([(5, 6), (7, 7), (2, 1), (9, 9)])),
        "got a convolution but for 4 edges: (2, 1), (5, 6), (7, 7). Use TiedLinear.",
    ),
    "no structure": (
        lambda: TiedMLP([TieMap([0, 0, 1, 3, 3], [0, 3, 2, 1, 4], [0, 1, 0, 1, 0], (4, 5))]),
        "layer 0 must be certified without residual edges; got no structure. Use TiedLinear.",
    ),
    "tiled": (tiled_mlp, "layer 0 must be one of torch's; got a tiled one, which torch does not have. Use TiedLinear."),
    "a symmetric filter": (
        lambda: conv_mlp(lambda ties: ties.tie((4, 3), (4, 5))),
        "layer 0 must have filters whose elements are free; got a convolution with elements that are fixed or tied",
    ),
    "a filter with a constant": (
        constant_filter,
        "layer 0 must have filters whose elements are free; got a convolution with elements that are fixed",
    ),
    "layers that share a part": (
        partly_shared,
        "layer 1 must share all of a weight with another layer or nothing; got a part. Run it as it is.",
    ),
    "layers that share in another order": (shared_otherwise, "layer 1 must share all of a weight with another layer"),
    "a pool that torch does not have": (
        lambda: odd_pool(maximum=False),
        "layer 0 must be a pool of torch's; got other",
    ),
    "a largest that torch does not have": (
        lambda: odd_pool(maximum=True),
        "layer 0 must be a pool of torch's; got other",
    ),
    "three axes": (in_space, "layer 0 must have one or two axes of space; got 3. Use TiedLinear."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_network_of_torchs_layers_is_refused(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=re.escape(message)):
        fold(make())


def test_unshared_edges_without_a_pattern_are_refused() -> None:
    mlp = TiedMLP([TieMap([0, 0, 1, 2, 2, 3], [0, 5, 1, 0, 3, 4], range(6), (4, 6))])
    with pytest.raises(ArgumentError, match=r"layer 0 must be certified .* Use TiedLinear"):
        fold(mlp)


def test_grids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"grids must be 2, one more than layers; got 1. Begin with the input's."):
        fold(conv_mlp(), grids=[(1, 12)])
    with pytest.raises(ArgumentError, match=r"out_grid must have 12 places, those of the map; got \(1, 11\)"):
        fold(conv_mlp(), grids=[(1, 12), (1, 11)])
    with pytest.raises(ArgumentError, match=r"grids\[1\] must be \(channels, \*space\) or \(features,\); got none"):
        fold(conv_mlp(), grids=[(1, 12), ()])


def test_a_block_describes_its_own_size() -> None:
    block = Block(copies=3, outputs=2, inputs=4, bias=True)
    assert (block.shape, block.elements) == ((6, 12), 10)

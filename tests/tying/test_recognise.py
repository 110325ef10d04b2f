"""Structure that is there is found, under any listing and numbering of the edges."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tied_nets import Chain, assert_true, chains, edges_in, map_of, shuffled
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.nn import LocallyConnected1d, LocallyConnected2d
from scanwise.tying import Axis, Block, Certificate, EdgeLayer, Stencil, TieMap, edges_of, expand, recognise

Grid = tuple[int, ...]


def certified(layer: EdgeLayer, seed: int = 0) -> Certificate:
    """Return the certificate of a layer whose edges were shuffled and renumbered, after checking every word of it."""
    ties = shuffled(layer.ties, seed)
    certificate = recognise(ties, layer.in_grid, layer.out_grid)
    assert_true(certificate, ties)
    assert (certificate.in_grid, certificate.out_grid) == (layer.in_grid, layer.out_grid)
    return certificate


def of(stencil: Stencil) -> EdgeLayer:
    """Return the layer of edges that a stencil describes."""
    ties = TieMap._ordered(*stencil.edges(), stencil.shape)
    sizes, outputs = ([getattr(axis, name) for axis in stencil.axes] for name in ("size", "outputs"))
    return EdgeLayer(ties, (stencil.in_channels, *sizes), (stencil.out_channels, *outputs))


# Convolutions -------------------------------------------------------------------------------------------------

GRID_1D = [
    (mode, groups, bias, kernel, stride, dilation, padding)
    for mode, groups, bias, kernel, stride, dilation, padding in product(
        ("zeros", "circular"), (1, 2, 4), (True, False), (1, 2, 3, 4), (1, 2, 3), (1, 2), (0, 1, 2)
    )
    if (kernel - 1) * dilation < 11 + 2 * padding
]


EVERY = pytest.param(1.0, marks=pytest.mark.slow)


@pytest.mark.parametrize("share", [0.2, EVERY])
def test_every_convolution_of_one_axis_is_found_with_its_parameters(share: float) -> None:
    chosen = random.Random(0).sample(GRID_1D, int(share * len(GRID_1D)))
    for number, (mode, groups, bias, kernel, stride, dilation, padding) in enumerate(chosen):
        layer = nn.Conv1d(4, 8, kernel, stride, padding, dilation, groups, bias, padding_mode=mode)
        certificate = certified(edges_of(layer, (4, 11)), seed=number)
        assert certificate.kind == "convolution", layer
        stencil = certificate.stencil
        assert stencil is not None
        (axis,) = stencil.axes
        assert (stencil.in_channels, stencil.out_channels, stencil.groups, stencil.bias) == (4, 8, groups, bias), layer
        assert (axis.kernel, axis.stride, axis.before, axis.period) == (kernel, stride, padding, 1), (layer, axis)
        assert axis.dilation == dilation or kernel == 1, layer
        assert axis.circular == (mode == "circular" and padding > 0), layer


GRID_2D = list(
    product(
        ("zeros", "circular"),
        (1, 3),
        (True, False),
        ((3, 2), (1, 3), (2, 2)),
        ((1, 1), (2, 1)),
        ((1, 1), (1, 2)),
        ((0, 0), (1, 2)),
    )
)


@pytest.mark.parametrize("share", [0.25, EVERY])
def test_every_convolution_of_two_axes_is_found_with_its_parameters(share: float) -> None:
    chosen = random.Random(1).sample(GRID_2D, int(share * len(GRID_2D)))
    for number, (mode, groups, bias, *numbers) in enumerate(chosen):
        kernel, stride, dilation, padding = numbers
        layer = nn.Conv2d(3, 6, kernel, stride, padding, dilation, groups, bias, padding_mode=mode)
        certificate = certified(edges_of(layer, (3, 7, 8)), seed=number)
        assert certificate.kind == "convolution", layer
        stencil = certificate.stencil
        assert stencil is not None
        assert (stencil.groups, stencil.bias, stencil.kernel) == (groups, bias, kernel), layer
        for axis, s, d, p in zip(stencil.axes, stride, dilation, padding, strict=True):
            assert (axis.stride, axis.before) == (s, p), layer
            assert axis.dilation == d or axis.kernel == 1, layer
            assert axis.circular == (mode == "circular" and p > 0), layer


def test_uneven_padding_is_found() -> None:
    axis = Axis(size=9, outputs=8, kernel=4, before=2)
    certificate = certified(of(Stencil(1, 2, (axis,))))
    assert certificate.kind == "convolution"
    assert certificate.structure == Stencil(1, 2, (axis,))
    assert axis.after == 0


def test_an_axis_longer_than_what_is_looked_at_is_proven_to_its_end() -> None:
    layer = edges_of(nn.Conv1d(1, 1, 3, stride=2, padding=1), (1, 8001))
    assert certified(layer).kind == "convolution"
    edges = edges_in(layer.ties)
    edges[2600, 5200] = edges[2600, 5201]  # far from start, middle and end
    certificate = recognise(map_of(edges, layer.ties.shape), layer.in_grid, layer.out_grid)
    assert (certificate.kind, certificate.residual.tolist()) == ("generic", [[2600, 5200]])


def test_a_symmetric_filter_is_a_convolution_with_tied_taps() -> None:
    ties = TieMap.of(nn.Conv1d(1, 1, 3, padding=1, bias=False), (1, 8)).tie((4, 3), (4, 5))
    certificate = recognise(ties)
    assert_true(certificate, ties)
    assert certificate.kind == "convolution"
    assert certificate.index[0] == certificate.index[2] != certificate.index[1]


def test_a_filter_element_that_meets_only_padding_is_not_used() -> None:
    certificate = certified(edges_of(nn.Conv2d(1, 1, 3, padding=1, bias=False), (1, 1, 5)))
    assert certificate.kind in ("convolution", "dense")
    assert len(np.unique(certificate.index[certificate.index >= 0])) == 3


@pytest.mark.parametrize(
    ("pool", "grid"),
    [
        (nn.AvgPool1d(3, 2), (2, 9)),
        (nn.AvgPool2d((2, 3), padding=(1, 1)), (2, 6, 7)),
        (nn.MaxPool2d(3, 1, 1), (2, 6, 7)),
    ],
)
def test_a_pool_of_one_constant_is_a_depthwise_convolution(pool: nn.Module, grid: Grid) -> None:
    certificate = certified(edges_of(pool, grid))
    assert certificate.kind == "convolution"
    assert set(certificate.index.tolist()) == {-1}
    stencil = certificate.stencil
    assert stencil is not None
    assert (stencil.groups, stencil.bias) == (2, False)


# All or nothing shared ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (1, 5), (5, 1), (6, 4), (30, 20)])
def test_a_linear_layer_is_dense(inputs: int, outputs: int, bias: bool) -> None:
    certificate = certified(edges_of(nn.Linear(inputs, outputs, bias), (inputs,)))
    assert certificate.kind == "dense"
    assert certificate.structure == Stencil(inputs, outputs, (), bias=bias)


def test_a_convolution_as_wide_as_its_input_is_dense() -> None:
    assert certified(edges_of(nn.Conv2d(2, 3, (4, 5)), (2, 4, 5))).kind == "dense"


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("copies", [2, 3, 7])
def test_one_matrix_for_each_part_is_a_repeated_block(copies: int, bias: bool) -> None:
    layer = edges_of(nn.Linear(4, 3, bias), (copies, 4))
    ties = shuffled(layer.ties, copies)
    certificate = recognise(ties)
    assert_true(certificate, ties)
    assert certificate.kind == "repeated block"
    assert certificate.structure == Block(copies, 3, 4, bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("groups", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2), (2, 0, 2)])
def test_a_locally_connected_layer_is_unshared_with_its_parameters(
    groups: int, padding: int, dilation: int, bias: bool
) -> None:
    one = LocallyConnected1d(2, 4, 9, 3, 2, padding, dilation, groups, bias)
    two = LocallyConnected2d(2, 2, (6, 7), (3, 2), (1, 2), padding, (1, dilation), groups, bias)
    for layer, grid in ((one, (2, 9)), (two, (2, 6, 7))):
        certificate = certified(edges_of(layer, grid))
        stencil = certificate.stencil
        assert certificate.kind == "unshared"
        assert stencil is not None
        assert (stencil.groups, stencil.bias, stencil.kernel) == (groups, bias, tuple(layer.kernel_size))
        for axis, s, d in zip(stencil.axes, layer.stride, layer.dilation, strict=True):
            assert (axis.stride, axis.dilation, axis.before) == (s, d, padding)
            assert axis.period == axis.outputs


def test_edges_without_a_pattern_that_are_not_tied_are_unshared_without_a_structure() -> None:
    ties = TieMap([0, 0, 1, 2, 2, 3], [0, 5, 1, 0, 3, 4], range(6), (4, 6))
    certificate = recognise(ties)
    assert_true(certificate, ties)
    assert (certificate.kind, certificate.structure) == ("unshared", None)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("period", "stride", "padding"), [(2, 1, 0), (3, 1, 1), (2, 2, 1), (4, 1, 0)])
def test_filters_that_alternate_are_tiled(period: int, stride: int, padding: int, bias: bool) -> None:
    outputs = (16 + 2 * padding - 3) // stride + 1
    stencil = Stencil(2, 2, (Axis(16, outputs, 3, stride, before=padding, period=period),), bias=bias)
    certificate = certified(of(stencil))
    assert certificate.kind == "tiled"
    assert certificate.structure == stencil


@pytest.mark.parametrize("periods", [(2, 1), (1, 3), (2, 2), (6, 1)])
def test_filters_may_alternate_along_one_axis_and_be_shared_along_the_other(periods: tuple[int, int]) -> None:
    axes = tuple(Axis(8, 6, 3, period=period) for period in periods)
    certificate = certified(of(Stencil(1, 2, axes)))
    assert certificate.kind == "tiled"
    assert certificate.structure == Stencil(1, 2, axes)


def test_a_map_without_edges_or_without_a_pattern_is_generic() -> None:
    for ties in (TieMap([], [], [], (2, 3)), TieMap([0, 0, 1, 3, 3], [0, 3, 2, 1, 4], [0, 1, 0, 1, 0], (4, 5))):
        certificate = recognise(ties)
        assert (certificate.kind, certificate.nearest, certificate.structure) == ("generic", None, None)
        assert certificate.residual.tolist() == [[row, col] for row, col, _ in ties]


@given(chains(pads=False), st.integers(0, 99))
def test_every_layer_of_an_expanded_network_is_certified(chain: Chain, seed: int) -> None:
    for layer in expand(chain.build(), chain.input_shape).edge_layers:
        assert certified(layer, seed).kind != "generic" or layer.ties.parameters == 0


# Words --------------------------------------------------------------------------------------------------------

WORDS = {
    "dense": (edges_of(nn.Linear(3, 2), (3,)), "dense: 3 to 2\nbias: yes"),
    "repeated block": (
        EdgeLayer(edges_of(nn.Linear(3, 2, bias=False), (4, 3)).ties, (1, 12), (1, 8)),
        "repeated block: 1 x 12 to 1 x 8\n4 times a matrix of 2 x 3\nbias: no",
    ),
    "convolution": (
        edges_of(nn.Conv2d(2, 2, (3, 2), padding=(1, 0), groups=2), (2, 5, 6)),
        "convolution: 2 x 5 x 6 to 2 x 5 x 5\nkernel: 3 x 2\nstride: 1 x 1\ndilation: 1 x 1\npadding before: 1 x 0\n"
        "padding after: 1 x 0\nperiod: 1 x 1\ncircular: no x no\ngroups: 2\nbias: yes",
    ),
    "tiled": (
        of(Stencil(1, 1, (Axis(9, 9, 3, before=1, circular=True, period=3),), bias=False)),
        "tiled: 1 x 9 to 1 x 9\nkernel: 3\nstride: 1\ndilation: 1\npadding before: 1\npadding after: 1\nperiod: 3\n"
        "circular: yes\ngroups: 1\nbias: no",
    ),
    "unshared": (EdgeLayer(TieMap([0, 1], [1, 0], [0, 1], (2, 4)), (4,), (2,)), "unshared: 4 to 2"),
    "generic": (EdgeLayer(TieMap([], [], [], (2, 4)), (4,), (2,)), "generic: 4 to 2\nnothing like it is known"),
}


@pytest.mark.parametrize("case", WORDS)
def test_a_certificate_prints_as_a_summary(case: str) -> None:
    layer, words = WORDS[case]
    assert str(recognise(layer.ties, layer.in_grid, layer.out_grid)) == words


def test_the_summary_of_a_generic_map_has_its_first_residual_edges() -> None:
    layer = edges_of(nn.Conv1d(1, 4, 3, padding=1), (1, 40))
    changed = [(row, col) for row, col, _ in layer.ties if row % 40 == 20 and col == 20]
    certificate = recognise(layer.ties.untie(changed), layer.in_grid, layer.out_grid)
    assert str(certificate) == (
        "generic: 1 x 40 to 4 x 40\n"
        "convolution, but for 4 edges (row, column): (20, 20), (60, 20), (100, 20), (140, 20)"
    )
    more = [(row, col) for row, col, _ in layer.ties if row == 20 or (row == 60 and col >= 0)]
    words = str(recognise(layer.ties.untie(more), layer.in_grid, layer.out_grid))
    assert words.endswith("7 edges (row, column): (20, -1), (20, 19), (20, 20), (20, 21), (60, 19), ...")


@pytest.mark.parametrize("name", ["in_grid", "out_grid"])
def test_grids_that_do_not_fit_are_refused(name: str) -> None:
    ties = TieMap.of(nn.Conv1d(1, 2, 3), (1, 8))
    places = {"in_grid": 8, "out_grid": 12}[name]
    message = rf"{name} must have {places} places, those of the map; got \(3, 5\). See its shape."
    with pytest.raises(ArgumentError, match=message):
        recognise(ties, **{name: (3, 5)})
    with pytest.raises(ArgumentError, match=rf"{name}\[1\] must be a whole number of at least 1; got 0"):
        recognise(ties, **{name: (3, 0)})


def test_recognising_draws_no_random_numbers() -> None:
    state = torch.get_rng_state()
    certified(edges_of(nn.Conv1d(2, 3, 3), (2, 9)))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    recognise(TieMap([0, 1], [0, 1], [0, 0], (2, 2)))
    assert torch.equal(before, torch.get_rng_state())
    torch.set_rng_state(state)

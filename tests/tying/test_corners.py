"""Windows that turn around, are cropped, or see nothing but padding; activations in place; types that are mixed."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.nn import LocallyConnected1d
from scanwise.tying import (
    Axis,
    EdgeLayer,
    Stencil,
    TiedLinear,
    TiedMLP,
    TieMap,
    edges_of,
    expand,
    fold,
    recognise,
)


def ties_of(stencil: Stencil) -> TieMap:
    indptr, cols, elements = stencil.edges()
    rows = [row for row, (start, stop) in enumerate(pairwise(indptr)) for _ in range(start, stop)]
    used = {element: number for number, element in enumerate(dict.fromkeys(elements.tolist()))}
    return TieMap(rows, cols, [used[element] for element in elements.tolist()], stencil.shape)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def rings() -> list[Axis]:
    numbers = product((3, 6), (1, 3, 7), (1, 2), (1, 2), (1, 2), (-1, 0, 1, 4))
    return [
        Axis(size, outputs, kernel, stride, dilation, before, circular=True)
        for size, outputs, kernel, stride, dilation, before in numbers
        if (kernel - 1) * dilation < size
    ]


def test_whatever_turns_around_a_ring_folds_to_the_same_or_is_refused() -> None:
    folded = 0
    for axis in rings():
        ties = ties_of(Stencil(1, 1, (axis,), bias=False))
        mlp = TiedMLP([EdgeLayer(ties, (1, axis.size), (1, axis.outputs))]).double()
        x = noise(2, 1, axis.size)
        try:
            net = fold(mlp)
        except ArgumentError:
            continue
        folded += 1
        torch.testing.assert_close(net(x).flatten(1), mlp(x))
        assert expand(net, (1, axis.size)).equals(mlp)
    assert folded > 150  # of 240


def test_a_rotation_is_a_convolution_that_folds() -> None:
    ties = TieMap(range(6), [1, 2, 3, 4, 5, 0], [0] * 6, (6, 6))
    net = fold(TiedMLP([EdgeLayer(ties, (1, 6), (1, 6))], theta=torch.ones(1)))
    assert net(torch.arange(6.0).view(1, 1, 6)).tolist() == [[[1, 2, 3, 4, 5, 0]]]


def test_tiled_planes_run_also_where_a_phase_sees_nothing_but_padding() -> None:
    kinds = set()
    for one, other in product(product((1, 2), (1, 3), (-3, 0, 2)), product((2, 3), (1, 2), (0, 4))):
        axes = tuple(
            Axis(size, 4, kernel, stride, 1, before, period=period)
            for size, (period, stride, before), kernel in ((4, one, 2), (5, (other[0], other[1], other[2]), 1))
        )
        stencil = Stencil(1, 2, axes)
        ties, grids = ties_of(stencil), ((1, 4, 5), (2, 4, 4))
        fast, plain = TiedLinear(ties, *grids).double(), TiedLinear(ties, kernel="sparse").double()
        with torch.no_grad():
            plain.theta.copy_(fast.theta)
        kinds.add(recognise(ties, *grids).kind)
        x = noise(3, 20)
        torch.testing.assert_close(fast(x), plain(x))
    assert "tiled" in kinds


@pytest.mark.parametrize("kernel", ["sparse", "dense", "auto"])
def test_activations_may_work_in_place(kernel: str) -> None:
    net = nn.Sequential(nn.Conv1d(2, 2, 3), nn.ReLU(inplace=True), nn.Conv1d(2, 2, 3)).double()
    x = noise(3, 2, 8)
    mlp = expand(net, (2, 8), kernel=kernel)
    torch.testing.assert_close(mlp(x), net(x).flatten(1))
    mlp(x).sum().backward()
    net(x).sum().backward()
    flat = torch.cat([parameter.grad.flatten() for parameter in net.parameters()])  # type: ignore[union-attr]
    torch.testing.assert_close(mlp.theta.grad, flat[torch.from_numpy(mlp.labels)])


def test_a_locally_connected_layer_takes_what_a_convolution_gives_under_autocast() -> None:
    net = nn.Sequential(nn.Conv1d(2, 2, 3, padding=1), nn.ReLU(), LocallyConnected1d(2, 3, 8, 3))
    x = noise(3, 2, 8).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = expand(net, (2, 8), kernel="auto")(x), net(x).flatten(1)
    for out in found:
        torch.testing.assert_close(out.float(), net(x).flatten(1), rtol=0.05, atol=0.05)


def test_windows_that_mostly_see_padding_are_found() -> None:
    for conv, shape in (
        (nn.Conv1d(1, 3, 2, stride=3, padding=3), (1, 3)),
        (nn.Conv1d(1, 2, 3, stride=5, padding=3, bias=False), (1, 7)),
        (nn.Conv2d(1, 2, 2, stride=(5, 2), padding=(3, 2), dilation=3, bias=False), (1, 5, 5)),
    ):
        layer = edges_of(conv, shape)
        assert recognise(layer.ties, layer.in_grid, layer.out_grid).kind == "convolution"

"""One layer for every kernel of the tying room, and what each computes edge by edge, slow and obvious."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from scanwise.tying import ONE, EdgeLayer, TiedLinear, TiedMLP, TieMap, expand

Model = TiedLinear | TiedMLP


def _conv(**settings: object) -> TiedLinear:
    conv = nn.Conv1d(2, 3, 3, **settings)  # type: ignore[arg-type]
    outputs = conv(torch.zeros(2, 7)).shape
    return TiedLinear(TieMap.of(conv, (2, 7)), (2, 7), outputs)


def _tiled() -> TiedLinear:
    """Return two filters of three taps and their biases, one for even and one for odd positions."""
    edges = [(at, at + tap, 3 * (at % 2) + tap) for at in range(7) for tap in range(3)]
    edges += [(at, ONE, 6 + at % 2) for at in range(7)]
    rows, cols, params = zip(*edges, strict=True)
    return TiedLinear(TieMap(rows, cols, params, (7, 9)))


def _generic(kernel: str) -> TiedLinear:
    """Return 300 edges wherever they fall and a bias each, of which ten and three are different."""
    rows, cols = np.divmod(np.random.default_rng(0).choice(80 * 70, 300, replace=False), 70)
    rows, cols = np.append(rows, np.arange(80)), np.append(cols, np.full(80, ONE))
    params = np.append(np.arange(300) % 10, 10 + np.arange(80) % 3)
    return TiedLinear(TieMap(rows, cols, params, (80, 70)), kernel=kernel)


def _across_layers(kernel: str) -> TiedMLP:
    full = TieMap.of(nn.Linear(4, 4), (4,))
    last = TieMap.of(nn.Linear(4, 2, bias=False), (4,))
    mlp = TiedMLP([full, nn.Tanh(), full, nn.Tanh(), last], kernel=kernel)
    return mlp.tie([(0, 0, 1), (0, 2, 2), (1, 3, ONE), (0, 1, 1)], [(1, 3, 1), (2, 1, 0), (0, 0, ONE), (0, 2, 3)])


def _expanded(kernel: str) -> TiedMLP:
    """Return a network whose two convolutions are one and the same, so that they are tied across layers."""
    twice = nn.Conv1d(2, 2, 3, padding=1)
    net = nn.Sequential(
        twice, nn.Tanh(), nn.AvgPool1d(2), twice, nn.Tanh(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4, 3)
    )
    return expand(net, (2, 8), kernel=kernel)


LAYERS: dict[str, Callable[[], Model]] = {
    "convolution": lambda: _conv(stride=2),
    "circular convolution": lambda: _conv(padding=1, padding_mode="circular"),
    "dense": lambda: TiedLinear(TieMap.of(nn.Linear(4, 3), (4,))),
    "repeated block": lambda: TiedLinear(TieMap.of(nn.Linear(4, 3), (5, 4))),
    "tiled": _tiled,
    "unshared": lambda: TiedLinear(TieMap.of(nn.Conv1d(2, 3, 3), (2, 7)).untie(), (2, 7), (3, 5)),
    "generic, sparse": lambda: _generic("auto"),
    "generic, full matrix": lambda: _generic("dense"),
    "ties across layers, sparse": lambda: _across_layers("sparse"),
    "ties across layers, auto": lambda: _across_layers("auto"),
    "expanded, sparse": lambda: _expanded("sparse"),
    "expanded, auto": lambda: _expanded("auto"),
}

KERNELS = {
    "convolution": ["convolution"],
    "circular convolution": ["convolution"],
    "dense": ["view + matmul"],
    "repeated block": ["view + matmul"],
    "tiled": ["strided convolutions, one per phase"],
    "unshared": ["locally connected"],
    "generic, sparse": ["sparse"],
    "generic, full matrix": ["dense"],
    "ties across layers, sparse": ["sparse"] * 3,
    "ties across layers, auto": ["dense", "view + matmul", "view + matmul"],
    "expanded, sparse": ["sparse", "sparse", "sparse", "edges", "sparse"],
    "expanded, auto": ["convolution", "AvgPool1d", "convolution", "MaxPool1d", "view + matmul"],
}


def kernels_of(model: Model) -> list[str]:
    """Return the names of the kernels that run."""
    kernels = [model.kernel] if isinstance(model, TiedLinear) else model.prepare().kernels
    return [str(kernel.name) for kernel in kernels]


def inputs(model: Model, batch: int = 5, seed: int = 0) -> Tensor:
    """Return values, ``(batch, inputs)``, of theta's type."""
    values = torch.randn(batch, _parts(model)[0][0].ties.shape[1], generator=torch.Generator().manual_seed(seed))
    return values.to(model.theta)


def loss(y: Tensor) -> Tensor:
    """Return a divergence with a gradient for every output."""
    return (y - 0.5).square().mean()


def by_edges(model: Model, theta: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the outputs, and the gradient of `loss`: of every edge by itself, then summed over each tied set."""
    theta, kept = theta.detach(), []
    between = iter(model.between) if isinstance(model, TiedMLP) else iter(())
    layers = model.layers if isinstance(model, TiedMLP) else [_parts(model)[0][0]]
    places = iter([place for _, place in _parts(model)])
    for layer in layers:
        if isinstance(layer, EdgeLayer):
            values = torch.cat([theta[torch.tensor(next(places))], theta.new_tensor(layer.ties.constants[::-1])])
            kept.append((layer.ties, values[torch.tensor(layer.ties.params).long()].requires_grad_()))
            x = _sum_of_edges(layer, kept[-1][1], x)
        else:
            x = next(between)(x)
    sums = torch.zeros_like(theta)
    gradients = torch.autograd.grad(loss(x), [weights for _, weights in kept])
    for (ties, _), (_, place), gradient in zip(kept, _parts(model), gradients, strict=True):
        learning = ties.params >= 0
        sums.index_add_(0, torch.tensor(place[ties.params[learning]]), gradient[torch.tensor(learning)])
    return x.detach(), sums


def assert_tied(model: Model) -> None:
    """Assert that outputs are those of one weight per set, and the gradient the sum over the edges of each set."""
    assert [name for name, _ in model.named_parameters()] == ["theta"]
    x = inputs(model)
    outputs, sums = by_edges(model, model.theta, x)
    y = model(x)
    gradient, *_ = torch.autograd.grad(loss(y), list(model.parameters()))
    assert_close(y.detach(), outputs)
    assert_close(gradient, sums)


def learn_in_processes(rank: int, processes: int, store: str) -> None:
    """Assert, in one of several processes, that learning on a part of the batch each is learning on all of it."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=processes)
    try:
        for name, make in LAYERS.items():
            torch.manual_seed(rank)  # what process 0 drew counts
            assert_learns_alike(make(), rank, processes, name)
    finally:
        torch.distributed.destroy_process_group()


def assert_learns_alike(model: Model, rank: int, processes: int, name: str) -> None:
    """Assert that the model learns in several processes what it learns in one, and is the same in all of them."""
    shared = nn.parallel.DistributedDataParallel(model)
    alone = copy.deepcopy(model)
    x = inputs(model, batch=4 * processes)
    both = [(shared, torch.optim.Adam(shared.parameters(), 0.05)), (alone, torch.optim.Adam(alone.parameters(), 0.05))]
    for _ in range(3):
        for net, optimizer in both:
            optimizer.zero_grad()
            loss(net(x[rank::processes] if net is shared else x)).backward()
        assert_close(model.theta.grad, alone.theta.grad, msg=lambda text: f"{name}: {text}")
        for _, optimizer in both:
            optimizer.step()
    everywhere = [torch.empty_like(model.theta) for _ in range(processes)]
    torch.distributed.all_gather(everywhere, model.theta.detach())
    assert all(torch.equal(theta, model.theta) for theta in everywhere), name
    assert_tied(model)


def _parts(model: Model) -> list[tuple[EdgeLayer, np.ndarray]]:
    """Return the layers of edges, and where their parameters stand in theta."""
    if isinstance(model, TiedMLP):
        return list(zip(model.edge_layers, model.places, strict=True))
    return [(EdgeLayer(model.ties, model.in_grid, model.out_grid), np.arange(model.ties.parameters))]


def _sum_of_edges(layer: EdgeLayer, weights: Tensor, x: Tensor) -> Tensor:
    ties = layer.ties
    terms = torch.cat([x, x.new_ones(len(x), 1)], 1)[:, torch.tensor(ties.cols).long()] * weights
    rows = [terms[:, start:stop] for start, stop in pairwise(ties.indptr.tolist())]
    return torch.stack([row.amax(1) if layer.maximum else row.sum(1) for row in rows], 1)

"""Expansion law: a network and the perceptron that it is have the same outputs, gradients and trained weights."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from tied_nets import Chain, chains, normal, probed, receptive
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

import scanwise as sw
from scanwise.geometry import ledger
from scanwise.nn import LocallyConnected1d, LocallyConnected2d
from scanwise.tying import TiedMLP, TieMap, block_matrix, edges_of, expand

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
KERNELS = ("sparse", "dense", "auto")


def run(net: nn.Module, x: Tensor, wanted: Tensor) -> tuple[Tensor, ...]:
    """Return outputs, and the gradients of inputs and of all parameters in one vector."""
    x = x.clone().requires_grad_()
    y = net(x).flatten(1)
    grad_x, *grads = torch.autograd.grad((y * wanted).sum(), [x, *net.parameters()])
    return y.detach(), grad_x.flatten(1), torch.cat([grad.flatten() for grad in grads])


def assert_same(net: nn.Module, mlp: TiedMLP, x: Tensor) -> None:
    """Assert equal outputs and gradients, each entry of theta's that of the weight that its label names."""
    wanted = normal(*net(x).flatten(1).shape, seed=7)
    y, grad_x, grad = run(net, x, wanted)
    for ours, theirs in zip(run(mlp, x, wanted), (y, grad_x, grad[torch.tensor(mlp.labels)]), strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)


# Outputs, gradients, trained weights --------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
@given(chain=chains())
def test_outputs_and_gradients_are_those_of_the_network(kernel: str, chain: Chain) -> None:
    net = chain.build()
    mlp = expand(net, chain.input_shape, kernel=kernel)
    assert torch.equal(mlp.theta, parameters_to_vector(net.parameters())[torch.tensor(mlp.labels)])
    assert mlp.edge_layers[0].in_grid == chain.input_shape or chain.layers[0][0] in ("zeros", "ring")
    assert_same(net, mlp, chain.values())


@pytest.mark.parametrize("kernel", KERNELS)
@given(chain=chains())
def test_weights_after_training_are_those_of_the_network(kernel: str, chain: Chain) -> None:
    net, x = chain.build(), chain.values(batch=4)
    mlp = expand(net, chain.input_shape, kernel=kernel)
    desired = normal(*net(x).flatten(1).shape, seed=3)
    for module in (net, mlp):
        steps = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
        for _ in range(5):
            steps.zero_grad()
            (module(x).flatten(1) - desired).square().mean().backward()
            steps.step()
    trained = parameters_to_vector(net.parameters()).detach()
    torch.testing.assert_close(mlp.theta.detach(), trained[torch.tensor(mlp.labels)], **CLOSE)


@settings(max_examples=8)
@given(chains(smooth=True, most=2))
def test_gradients_are_those_of_finite_differences(chain: Chain) -> None:
    mlp = expand(chain.build(), chain.input_shape)
    x = chain.values(batch=2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, theta: torch.func.functional_call(mlp, {"theta": theta}, x), (x, mlp.theta)
    )


TWICE = nn.Linear(4, 4)
CHAINS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "zeros around, then a convolution, then zeros around a pool": (
        nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(2, 3, 3), nn.Tanh(), nn.ZeroPad2d(1), nn.MaxPool2d(2)),
        (2, 5, 4),
    ),
    "negative padding": (nn.Sequential(nn.ZeroPad1d((-1, 2)), nn.Conv1d(2, 3, 3)), (2, 6)),
    "a ring around one axis, zeros around the other": (
        nn.Sequential(nn.CircularPad2d((2, 1, 0, 0)), nn.ZeroPad2d((0, 0, 1, 1)), nn.Conv2d(1, 2, 3)),
        (1, 4, 5),
    ),
    "zeros that go around a ring": (nn.Sequential(nn.ZeroPad1d(1), nn.CircularPad1d(1), nn.Conv1d(1, 2, 3)), (1, 5)),
    "an average over padding": (nn.Sequential(nn.ZeroPad1d((1, 1)), nn.AvgPool1d(3), nn.Conv1d(2, 1, 2)), (2, 7)),
    "a largest of negative numbers and padding": (
        nn.Sequential(nn.Conv1d(1, 2, 1), nn.Softplus(), nn.Linear(6, 6), nn.ZeroPad1d(2), nn.MaxPool1d(2)),
        (1, 6),
    ),
    "linear along the last axis": (nn.Sequential(nn.Linear(4, 3), nn.ELU(), nn.Linear(3, 2), nn.Flatten()), (2, 3, 4)),
    "flattened and unflattened": (
        nn.Sequential(nn.Unflatten(1, (2, 6)), nn.Conv1d(2, 2, 3), nn.Flatten(), nn.Linear(8, 2), nn.LogSoftmax(1)),
        (12,),
    ),
    "one layer twice": (nn.Sequential(TWICE, nn.Tanh(), TWICE, nn.Sigmoid(), nn.Linear(4, 2)), (4,)),
    "chains in chains": (nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.Identity()), nn.Sequential(nn.Tanh())), (3,)),
    "dropout that is off": (nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Linear(3, 1)).eval(), (3,)),
    "a layer alone": (nn.Conv2d(1, 2, (2, 3), stride=(2, 1)), (1, 4, 4)),
    "outputs that see nothing but padding": (nn.Conv1d(1, 2, 2, padding=3), (1, 2)),
    "locally connected": (
        nn.Sequential(LocallyConnected2d(2, 2, (4, 3), (3, 2), stride=(2, 1), padding=(1, 1), groups=2), nn.Tanh())
        .append(nn.Flatten(2))
        .append(LocallyConnected1d(2, 3, 8, 3, dilation=2)),
        (2, 4, 3),
    ),
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", CHAINS)
def test_outputs_and_gradients_are_those_of_networks_that_were_thought_of(case: str, kernel: str) -> None:
    net, shape = CHAINS[case]
    net = copy.deepcopy(net).double()
    mlp = expand(net, shape, kernel=kernel).train(net.training)
    assert_same(net, mlp, normal(3, *shape))


def test_a_layer_that_occurs_twice_is_one_set_of_parameters() -> None:
    mlp = expand(CHAINS["one layer twice"][0], (4,))
    assert len(mlp.theta) == 20 + 10
    assert np.array_equal(mlp.places[0], mlp.places[1])


def test_a_window_network_expands_too() -> None:
    net = (
        sw.nn.build("convnet", window_shape=(1, 8, 8), outputs=3, channels=[4], kernels=3, hidden=[5], norm=False)
        .double()
        .eval()
    )
    assert_same(net, expand(net, (1, 8, 8)), normal(2, 1, 8, 8))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_theta_has_the_type_of_the_networks_weights(dtype: torch.dtype) -> None:
    mlp = expand(nn.Linear(3, 2).to(dtype), (3,))
    assert mlp.theta.dtype == dtype
    assert mlp(torch.ones(1, 3, dtype=dtype)).dtype == dtype


def test_weights_may_lie_in_memory_as_they_like() -> None:
    net = nn.Conv2d(2, 3, 2).double().to(memory_format=torch.channels_last)
    assert_same(net, expand(net, (2, 4, 4)), normal(2, 2, 4, 4))


def test_the_networks_own_weights_are_left_alone() -> None:
    net = nn.Linear(3, 2)
    mlp = expand(net, (3,))
    with torch.no_grad():
        mlp.theta.zero_()
    assert net.weight.abs().min() > 0


# Edges: what is read, what is not -----------------------------------------------------------------------------


@given(chains())
def test_what_no_chain_of_edges_joins_is_never_read(chain: Chain) -> None:
    """A NaN in one input reaches exactly the outputs that see it through edges."""
    mlp = expand(chain.build(), chain.input_shape)
    reach = receptive(list(mlp.edge_layers))
    x = chain.values(batch=reach.shape[1]).flatten(1)
    clean = mlp(x)
    poisoned = mlp(x.masked_fill(torch.eye(len(x), dtype=torch.bool), torch.nan))
    seen = torch.from_numpy(reach.T)
    assert poisoned[seen].isnan().all()
    assert torch.equal(poisoned[~seen], clean[~seen])


@given(chains(most=1))
def test_edges_are_exactly_the_places_of_the_probed_jacobian(chain: Chain) -> None:
    """Of one layer with weights, and the padding before it."""
    net = chain.build()
    first = next(number for number, layer in enumerate(net) if list(layer.parameters()))
    assume(all(name in ("zeros", "ring", "Flatten") for name, _ in chain.layers[:first]))
    part = net[: first + 1]
    mlp = expand(part, chain.input_shape)
    labels = mlp.labels[mlp.places[0]]
    assert {(row, col): labels[param] for row, col, param in mlp.edge_layers[0].ties} == probed(part, chain.input_shape)


@given(chains())
def test_memory_is_that_of_the_edges(chain: Chain) -> None:
    mlp = expand(chain.build(), chain.input_shape)
    rows = sum(layer.ties.shape[0] + 1 for layer in mlp.edge_layers)
    per_layer = sum(layer.ties.parameters for layer in mlp.edge_layers)
    assert mlp.edges == sum(layer.ties.edges for layer in mlp.edge_layers)
    assert mlp.nbytes == 8 * mlp.edges + 8 * rows + 16 * per_layer + 8 * len(mlp.theta)


def test_a_large_net_costs_eight_bytes_an_edge_and_a_little() -> None:
    mlp = expand(
        nn.Sequential(nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 8, 3)), (3, 16, 16)
    )
    assert mlp.edges > 300_000
    assert mlp.nbytes < 8.3 * mlp.edges


# The matrix, in blocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_a_scans_matrix_is_one_row_of_blocks_moved_by_the_stride(kernel: int, stride: int, padding: int) -> None:
    layer = edges_of(nn.Conv1d(2, 3, kernel, stride=stride, padding=padding), (2, 9))
    matrix = block_matrix(layer)
    whole = np.zeros((layer.out_grid[1], 9 + 2 * padding), int)
    for row, line in enumerate(whole):
        line[row * stride : row * stride + kernel] = np.arange(1, kernel + 1)
    clipped = whole[:, padding : padding + 9]
    order = list(dict.fromkeys(clipped[clipped > 0].tolist()))  # blocks are numbered as they appear
    assert matrix.blocks.tolist() == [[order.index(tap) + 1 if tap else 0 for tap in row] for row in clipped.tolist()]
    assert (matrix.block, matrix.positions) == ((3, 2), clipped.shape)


def test_a_perceptrons_matrix_is_full_and_no_two_blocks_are_equal() -> None:
    matrix = block_matrix(edges_of(nn.Linear(4, 3), (4,)), (1, 4), (1, 3))
    assert sorted(matrix.blocks.ravel().tolist()) == list(range(1, 13))


# Ledger law ---------------------------------------------------------------------------------------------------


Layers = tuple[int, ...]


def counts(conv: type[nn.Module], grid: Layers, widths: Layers, kernels: Layers, strides: Layers) -> tuple[int, int]:
    """Return parameters and edges of a net of convolutions without biases."""
    layers = zip(itertools.pairwise((grid[0], *widths)), kernels, strides, strict=True)
    mlp = expand(nn.Sequential(*(conv(*channels, k, stride=s, bias=False) for channels, k, s in layers)), grid)
    return len(mlp.theta), mlp.edges


def test_a_window_of_16_by_16_scans_with_1034_weights_and_distributed_with_194() -> None:
    account = ledger((16, 16), channels=1, widths=(4, 2, 1), kernels=(4, 4))
    assert counts(nn.Conv2d, (1, 16, 16), (4, 2, 1), (16, 1, 1), (1, 1, 1)) == (1034, 1034)
    assert counts(nn.Conv2d, (1, 16, 16), (4, 2, 1), (4, 4, 1), (4, 1, 1)) == (194, account["convolutional"].macs)
    assert (account["scanning"].weights, account["convolutional"].weights) == (1034, 194)


def test_128_frames_scan_with_1728_weights_and_distributed_with_192() -> None:
    account = ledger(128, channels=24, widths=(2, 8, 4), kernels=(2, 2, 2), strides=(2, 2, 1))
    assert counts(nn.Conv1d, (24, 128), (8, 16, 4), (8, 1, 1), (4, 1, 1)) == (1728, 53_568)
    assert counts(nn.Conv1d, (24, 128), (2, 8, 4), (2, 2, 2), (2, 2, 1)) == (192, 9_152)
    assert (account["convolutional"].weights, account["convolutional"].macs) == (192, 9_152)


@given(chains())
def test_parameters_are_those_of_the_networks_that_the_input_can_reach(chain: Chain) -> None:
    """Filter elements that meet nothing but padding have no edge, and so no parameter."""
    net, x = chain.build(), chain.values()
    mlp = expand(net, chain.input_shape)
    reached = run(net, x, normal(*net(x).flatten(1).shape))[2].nonzero().flatten().tolist()
    assert set(reached) <= set(mlp.labels.tolist())
    assert len(set(mlp.labels.tolist())) == len(mlp.theta)
    padded = any(settings.get("padding") for _, settings in chain.layers)
    assert padded or len(mlp.theta) == sum(parameter.numel() for parameter in net.parameters())


def test_3x3x64_filters_on_32x32x3_have_1792_parameters_local_1612800_dense_177004800() -> None:
    conv, shape = nn.Conv2d(3, 64, 3), (3, 32, 32)
    ties = TieMap.of(conv, shape)
    assert ties.parameters == 1792
    assert ties.edges == ties.untie().parameters == 1_612_800
    assert ties.shape[0] * (ties.shape[1] + 1) == 177_004_800
    assert sum(parameter.numel() for parameter in LocallyConnected2d(3, 64, 32, 3).parameters()) == 1_612_800


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.filterwarnings("ignore::scanwise.errors.SharingEnds")
def test_kernels_made_late_are_in_the_mode_of_their_network(kernel: str) -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Tanh(), nn.Dropout(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4, 2))
    mlp = expand(net, (1, 6), kernel=kernel).eval()
    mlp(torch.zeros(1, 6))
    assert not any(part.training for part in mlp.modules())
    scanner, x = sw.Scanner(mlp, (1, 6), 2), normal(2, 1, 12).float()
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x), rtol=1e-5, atol=1e-6)
    assert all(part.training for part in expand(net, (1, 6), kernel=kernel).prepare().modules())

"""A sparse perceptron over one vector of parameters: its layers, its places in theta, and ties across layers."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from tied_nets import Chain, chains, dense_matrix, normal
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.tying import EdgeLayer, TiedLinear, TiedMLP, TieMap, block_matrix, edges_of, expand

FULL = TieMap([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3], shape=(2, 2))
TAPS = TieMap([0, 0, 1, 1], [0, 1, 1, 2], [0, 1, 0, 1], shape=(2, 3))
LAST = TieMap([0, 0], [0, 1], [0, 1], shape=(1, 2))
POOL = edges_of(nn.AvgPool1d(2), (1, 4))


# One theta ----------------------------------------------------------------------------------------------------


def test_layers_share_nothing_unless_places_say_so() -> None:
    mlp = TiedMLP([FULL, FULL])
    assert [places.tolist() for places in mlp.places] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert mlp.labels.tolist() == list(range(8))
    assert [name for name, _ in mlp.named_parameters()] == ["theta"]


def test_theta_is_given_in_the_numbering_of_places_and_kept_in_that_of_first_use() -> None:
    theta = torch.arange(9.0)
    mlp = TiedMLP([TAPS, LAST], places=[[7, 2], [2, 5]], theta=theta)
    assert mlp.labels.tolist() == [7, 2, 5]
    assert mlp.theta.tolist() == [7.0, 2.0, 5.0]
    assert [places.tolist() for places in mlp.places] == [[0, 1], [1, 2]]
    assert mlp(torch.tensor([[1.0, 10.0, 100.0]])).tolist() == [[2 * (7 + 20) + 5 * (70 + 200)]]


def test_places_may_have_any_numbers() -> None:
    mlp = TiedMLP([TAPS, LAST], places=[[10**12, 3], [3, 2**62]])
    assert mlp.labels.tolist() == [10**12, 3, 2**62]
    assert [places.tolist() for places in mlp.places] == [[0, 1], [1, 2]]
    assert mlp.theta.shape == (3,)


def test_edge_weights_are_theta_written_back_to_the_edges() -> None:
    mlp = TiedMLP([POOL, TieMap([0, 0], [1, 0], [0, 0], (1, 2))], theta=torch.tensor([3.0]))
    assert [weights.tolist() for weights in mlp.edge_weights()] == [[0.5] * 4, [3.0, 3.0]]


@given(chains(pads=False))
def test_the_network_is_its_matrices_one_after_the_other(chain: Chain) -> None:
    mlp, x = expand(chain.build(), chain.input_shape), chain.values().flatten(1)
    wanted, places = x, iter(mlp.places)
    for layer in mlp.layers:
        if isinstance(layer, nn.Module):
            wanted = layer(wanted)
            continue
        matrix = dense_matrix(layer.ties, mlp.theta[torch.tensor(next(places))])
        if layer.maximum:
            wanted = torch.where(matrix[:, :-1] != 0, wanted[:, None] * matrix[:, :-1], -torch.inf).amax(-1)
        else:
            wanted = wanted @ matrix[:, :-1].T + matrix[:, -1]
    torch.testing.assert_close(mlp(x), wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mlp.run_edges(x, mlp.edge_weights()), wanted, rtol=1e-12, atol=1e-12)


def test_first_values_of_a_parameter_in_two_layers_fit_the_layer_with_more_edges() -> None:
    wide = TieMap(np.zeros(100, int), range(100), np.arange(100) % 2, (1, 100))
    narrow = TieMap([0], [0], [0], (1, 1))
    torch.manual_seed(0)
    drawn = [TiedMLP([wide, narrow], places=[[0, 1], [0]]).theta.abs().max().item() for _ in range(100)]
    assert 0.09 < max(drawn) <= 0.1


@pytest.mark.parametrize("shape", [(5, 4), (5, 1, 4), (5, 1, 2, 2), (0, 4)])
def test_inputs_may_come_on_any_grid(shape: tuple[int, ...]) -> None:
    mlp = TiedMLP([POOL, FULL])
    x = normal(*shape).float()
    assert torch.equal(mlp(x), mlp(x.reshape(shape[0], 4)))


def test_a_network_that_starts_with_an_activation_runs_it() -> None:
    mlp = TiedMLP([nn.ReLU(), LAST], theta=torch.ones(2))
    assert mlp(torch.tensor([[-1.0, 2.0]])).tolist() == [[2.0]]


def test_a_module_with_parameters_of_its_own_is_refused() -> None:
    with pytest.raises(ArgumentError, match="layers must have no parameters but theta; got Linear"):
        TiedMLP([FULL, nn.Linear(2, 2)])


# Ties across layers -------------------------------------------------------------------------------------------


def test_edges_of_two_layers_can_share_a_parameter() -> None:
    theta = torch.arange(8.0)
    mlp = TiedMLP([FULL, nn.Tanh(), FULL], theta=theta).tie((0, 0, 1), (1, 1, 0))
    assert mlp.theta.tolist() == [0, 1, 2, 3, 4, 5, 7]  # of two values the first edge's stays
    assert [weights.tolist() for weights in mlp.edge_weights()] == [[0, 1, 2, 3], [4, 5, 1, 7]]
    other = TiedMLP([FULL, nn.Tanh(), FULL], theta=theta).tie((1, 1, 0), (0, 0, 1))
    assert [weights.tolist() for weights in other.edge_weights()] == [[0, 6, 2, 3], [4, 5, 6, 7]]
    assert isinstance(mlp.layers[1], nn.Tanh)


def test_edges_of_one_layer_can_be_tied_too_with_their_whole_sets() -> None:
    mlp = TiedMLP([TAPS, LAST], theta=torch.tensor([1.0, 2.0, 3.0, 4.0])).tie(
        [(0, 1, 1), (0, 0, 0)], [(0, 1, 2), (1, 0, 1)]
    )
    assert [weights.tolist() for weights in mlp.edge_weights()] == [[1.0] * 4, [3.0, 1.0]]
    assert mlp.edge_layers[0].ties.parameters == 1


def test_tying_keeps_fixed_weights_grids_and_kernel() -> None:
    net = expand(
        nn.Sequential(nn.Conv1d(1, 2, 2), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(4, 2)), (1, 5), kernel="dense"
    )
    tied = net.tie((0, 0, 0), (2, 1, 1))
    assert tied.kernel == "dense"
    assert [layer.in_grid for layer in tied.edge_layers] == [layer.in_grid for layer in net.edge_layers]
    assert tied.edge_layers[1].ties == net.edge_layers[1].ties
    assert len(tied.theta) == len(net.theta) - 1


def test_tying_edges_that_share_already_changes_nothing() -> None:
    mlp = TiedMLP([TAPS, LAST])
    assert mlp.tie((0, 0, 0), (0, 1, 1)).equals(mlp)


# What it is, and what it equals -------------------------------------------------------------------------------


def test_networks_are_equal_if_layers_ties_and_values_are() -> None:
    theta = torch.arange(4.0)
    mlp = TiedMLP([TAPS, nn.Tanh(), LAST], theta=theta)
    assert mlp.equals(TiedMLP([TAPS, nn.Tanh(), LAST], theta=theta))
    assert mlp.equals(TiedMLP([EdgeLayer(TAPS, (3, 1), (1, 2)), nn.Tanh(), LAST], theta=theta))
    assert mlp.equals(copy.deepcopy(mlp))
    others = [
        TiedMLP([TAPS, nn.Tanh(), LAST], theta=theta + 1),
        TiedMLP([TAPS, nn.ReLU(), LAST], theta=theta),
        TiedMLP([TAPS, LAST], theta=theta),
        TiedMLP([TAPS, nn.Tanh(), LAST], places=[[0, 1], [1, 0]], theta=theta),
        TiedMLP([TAPS, nn.Tanh(), LAST.tie((0, 0), (0, 1))], theta=theta),
        TiedMLP([TAPS, nn.Tanh(), EdgeLayer(LAST, (2,), (1,), maximum=True)], theta=theta),
    ]
    assert not any(mlp.equals(other) or other.equals(mlp) for other in others)
    assert not any(mlp.equals(other) for other in ("x", None, TAPS, nn.Tanh()))


def test_modules_between_layers_are_the_networks_own() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(), nn.Linear(3, 2)).eval()
    mlp = expand(net, (3,)).train()
    assert (mlp.layers[1].training, net[1].training) == (True, False)
    assert mlp.layers[1] is mlp.between[0]
    tied = mlp.tie((0, 0, 0), (0, 0, 1)).eval()
    assert (tied.layers[1].training, mlp.layers[1].training) == (False, True)


# Types --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["sparse", "dense", "auto"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64], ids=str)
def test_inputs_are_of_thetas_type(kernel: str, dtype: torch.dtype) -> None:
    mlp = expand(nn.Sequential(nn.Conv1d(1, 2, 3), nn.MaxPool1d(2)), (1, 6), kernel=kernel)
    pool = expand(nn.MaxPool1d(2), (1, 6), kernel=kernel)
    message = rf"x must be of theta's type, torch.float32; got {dtype}. Convert one with .to\(dtype\)."
    for refuses in (mlp, pool, TiedLinear(TAPS, kernel=kernel)):
        inputs = 3 if isinstance(refuses, TiedLinear) else 6
        with pytest.raises(ArgumentError, match=message):
            refuses(torch.ones(2, inputs, dtype=dtype))


# Refusals -----------------------------------------------------------------------------------------------------

NO_EDGE = TieMap([0], [0], [0], (2, 2))
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no layer of edges": (
        lambda: TiedMLP([nn.Tanh()]),
        "layers must hold a TieMap; got none. Modules alone have no edges.",
    ),
    "no layer": (lambda: TiedMLP(["conv"]), "layers must be TieMaps and modules; got 'conv'. Make a TieMap of it."),  # type: ignore[list-item]
    "layers that do not fit": (
        lambda: TiedMLP([TAPS, nn.Tanh(), TAPS]),
        "layers must fit each other; got 2 outputs of layer 0 for 3 inputs of layer 1. Count layers of edges only.",
    ),
    "a greatest of none": (
        lambda: TiedMLP([FULL, EdgeLayer(NO_EDGE, (2,), (2,), maximum=True)]),
        "layer 1 must have an edge for every output; got a greatest of none. Drop it.",
    ),
    "too few places": (
        lambda: TiedMLP([TAPS, LAST], places=[[0, 1]]),
        "places must have an entry per parameter, [2, 2] by layer; got [2]. See each map's parameters.",
    ),
    "places of another length": (
        lambda: TiedMLP([TAPS, LAST], places=[[0, 1], [0, 1, 2]]),
        "places must have an entry per parameter, [2, 2] by layer; got [2, 3]",
    ),
    "a place twice": (
        lambda: TiedMLP([TAPS, LAST], places=[[0, 1], [3, 3]]),
        "places[1] must name different entries of theta; got 3 twice. To share within a layer, tie its map's edges.",
    ),
    "a place below 0": (
        lambda: TiedMLP([TAPS], places=[[0, -1]]),
        "places[0] must name different entries of theta; got -1. To",
    ),
    "ragged places": (lambda: TiedMLP([TAPS], places=[[0, [1]]]), "places[0] must be a sequence of whole numbers"),  # type: ignore[list-item]
    "a number of places": (lambda: TiedMLP([TAPS], places=2), "places must be a list; got 2"),  # type: ignore[arg-type]
    "a list for theta": (
        lambda: TiedMLP([TAPS], theta=[1.0, 2.0]),  # type: ignore[arg-type]
        "theta must be a tensor of floats; got [1.0, 2.0]. Make one with torch.tensor.",
    ),
    "a theta of whole numbers": (
        lambda: TiedMLP([TAPS], theta=torch.arange(2)),
        "theta must be a tensor of floats; got int64 of shape (2,)",
    ),
    "places not whole": (lambda: TiedMLP([TAPS], places=[[0.5, 1]]), "places[0] must be a sequence of whole numbers"),  # type: ignore[list-item]
    "a short theta": (
        lambda: TiedMLP([TAPS], places=[[0, 5]], theta=torch.zeros(5)),
        "theta must have one axis with 6 entries; got (5,). places names them.",
    ),
    "a theta of two axes": (
        lambda: TiedMLP([TAPS], theta=torch.zeros(2, 2)),
        "theta must have one axis with 2 entries",
    ),
    "an unknown kernel": (lambda: TiedMLP([TAPS], kernel="c"), "kernel must be one of auto, sparse, dense; got 'c'"),
    "inputs of another size": (
        lambda: TiedMLP([TAPS])(torch.zeros(2, 4)),
        "x must have 3 values per example; got (2, 4)",
    ),
    "inputs without a batch": (lambda: TiedMLP([TAPS])(torch.zeros(3)), "x must have 3 values per example; got (3,)"),
    "to tie what is no edge": (
        lambda: TiedMLP([TAPS]).tie((0, 0, 2), (0, 0, 0)),
        "edge must be one of the map's; got row 0, column 2",
    ),
    "to tie in no layer": (
        lambda: TiedMLP([TAPS]).tie((0, 0, 0), (1, 0, 0)),
        "b must name one of the 1 layers of edges; got 1. Count from 0.",
    ),
    "to tie a constant": (
        lambda: TiedMLP([POOL, FULL]).tie((0, 0, 0), (1, 0, 0)),
        "edge must be one that learns; got row 0",
    ),
    "to tie one to two": (
        lambda: TiedMLP([FULL]).tie([(0, 0, 0)], [(0, 0, 1), (0, 1, 1)]),
        "a and b must be as many edges; got 1 and 2. Pair them.",
    ),
    "to tie ragged edges": (
        lambda: TiedMLP([FULL]).tie([(0, 0, 0), (0, 1)], [(0, 0, 1)] * 2),  # type: ignore[list-item]
        "a must be an edge (layer, row, column) or several; got [(0, 0, 0), (0, 1)]",
    ),
    "to tie without a layer": (
        lambda: TiedMLP([FULL]).tie((0, 0), (0, 1)),  # type: ignore[arg-type]
        "a must be an edge (layer, row, column) or several; got (0, 0). Count from 0.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_network_is_refused(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=re.escape(message)):
        make()


UNKNOWN: dict[str, tuple[nn.Module, tuple[int, ...], str]] = {
    "norm": (
        nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)),
        (1, 9),
        "layer 1: layer must be a sum over edges; got BatchNorm1d",
    ),
    "recurrence": (
        nn.Sequential(nn.Sequential(nn.Tanh(), nn.GRU(3, 3))),
        (3,),
        "layer 0.1: layer must be a convolution",
    ),
    "a layer alone": (
        nn.GRU(3, 3),
        (3,),
        "layer module: layer must be a convolution, a pool, linear, locally connected",
    ),
    "an activation that learns": (
        nn.Sequential(nn.Linear(3, 3), nn.PReLU()),
        (3,),
        "layer 1: layer must be a convolution",
    ),
    "an activation over channels": (
        nn.Sequential(nn.Conv1d(1, 2, 2), nn.Softmax(1)),
        (1, 4),
        "layer 1: layer must be a conv",
    ),
    "a layer that does not fit": (
        nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2)),
        (3,),
        "layer 1: input_shape must end with 3 features; got (2,)",
    ),
    "a flattened batch": (
        nn.Sequential(nn.Flatten(0), nn.Linear(3, 2)),
        (3,),
        "layer 0: layer must keep the batch",
    ),
    "an unflattening that does not fit": (nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Linear(2, 2)), (3,), "layer 0: "),
    "a ring that meets itself": (
        nn.Sequential(nn.CircularPad1d(2), nn.Conv1d(1, 1, 5)),
        (1, 4),
        "layer 1: an edge must have one parameter; got two, 1 and 5, from column 2 to row 0",
    ),
    "padding at the end": (
        nn.Sequential(nn.Conv1d(1, 1, 2), nn.ZeroPad1d(1)),
        (1, 4),
        "module must not end with padding; got nothing after it",
    ),
    "an activation on padding": (nn.Sequential(nn.ZeroPad1d(1), nn.Tanh(), nn.Conv1d(1, 1, 2)), (1, 4), "layer 1: "),
    "no layer of edges": (
        nn.Sequential(nn.Flatten(), nn.Tanh()),
        (1, 4),
        "module must have a layer of edges; got none",
    ),
    "weights of two types": (
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()),
        (2,),
        "module must have parameters of one type; got several",
    ),
    "no shape": (nn.Linear(2, 2), (), "input_shape must be (channels, *space) or (features,); got none"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_networks_that_cannot_be_expanded_are_refused_with_the_layers_path(case: str) -> None:
    net, shape, message = UNKNOWN[case]
    with pytest.raises(ArgumentError, match=re.escape(message)):
        expand(net, shape)


# The matrix to look at ----------------------------------------------------------------------------------------


def test_a_matrix_is_drawn_with_a_letter_for_each_parameter() -> None:
    conv = edges_of(nn.Conv1d(1, 1, 3, stride=2, padding=1, bias=False), (1, 6))
    first = "".join("abc"[p] for p in conv.ties.params[:2])
    assert str(block_matrix(conv)).splitlines()[0] == f"{first[0]} {first[1]} . . . ."
    assert str(block_matrix(POOL)) == "# # . .\n. . # #"


def test_units_of_a_matrix_stand_by_position_then_channel() -> None:
    layer = edges_of(nn.Conv1d(2, 2, 1, bias=False), (2, 2))
    assert str(block_matrix(layer)) == "ab ..\ncd ..\n\n.. ab\n.. cd"


def test_a_matrix_may_show_weights_and_refuses_what_does_not_fit() -> None:
    shown = block_matrix(POOL, weights=[1.0, 2.0, 3.0, 4.0])
    assert shown.matrix.toarray().tolist() == [[1, 2, 0, 0], [0, 0, 3, 4]]
    assert str(shown) == str(shown.matrix.toarray())
    with pytest.raises(ArgumentError, match=r"weights must be one per edge, 4; got \(3,\). See edge_weights."):
        block_matrix(POOL, weights=[1.0, 2.0, 3.0])
    with pytest.raises(ArgumentError, match=r"in_grid must have 4 places, those of the map; got \(1, 3\)"):
        block_matrix(POOL, in_grid=(1, 3))


def test_a_matrix_is_one_layers() -> None:
    for several in (TiedMLP([FULL]), nn.Conv1d(1, 1, 3), "conv"):
        message = (
            rf"layer must be a TieMap or an EdgeLayer; got {type(several).__name__}.* one of a TiedMLP's edge_layers"
        )
        with pytest.raises(ArgumentError, match=message):
            block_matrix(several)  # type: ignore[arg-type]
    assert block_matrix(TieMap([], [], [], (1, 2))).matrix.nnz == 0


def test_matrices_are_compared_by_identity() -> None:
    shown = block_matrix(POOL)
    assert shown == shown
    assert shown != block_matrix(POOL)
    assert len({shown, block_matrix(POOL)}) == 2


def test_a_large_matrix_is_not_drawn_and_a_huge_one_not_compared() -> None:
    layer = edges_of(nn.Conv1d(1, 1, 3), (1, 4000))
    assert str(block_matrix(layer)) == "3,998 x 4,000 with 11,994 edges; too large to draw"
    with pytest.raises(
        ArgumentError, match=r"matrix must have at most 10 million places to look at; got \(3998, 4000\)"
    ):
        _ = block_matrix(layer).blocks

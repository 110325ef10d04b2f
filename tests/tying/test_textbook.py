"""Sharing law: the textbook's loop over edges, the shared form and torch's own training take the same path."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from tied_nets import Chain, chains, normal
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from scanwise.errors import ArgumentError, TrainingError
from scanwise.tying import ONE, Shared, Textbook, TiedMLP, TieMap, expand, learn

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
Optimiser = Callable[[list[Tensor]], torch.optim.Optimizer]
OPTIMISERS: dict[str, Optimiser | None] = {
    "plain": None,
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    "decay": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1),
}


def div(y: Tensor, d: Tensor) -> Tensor:
    return (y - d).square().mean()


def scan() -> nn.Sequential:
    """Return a small scan with every kind of tied set: weights, biases and edges that do not learn."""
    net = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.Tanh(), nn.AvgPool1d(2), nn.Conv1d(3, 2, 2), nn.Tanh())
    net.append(nn.Flatten()).append(nn.Linear(6, 2))
    net.double()
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.copy_(0.5 * normal(*parameter.shape, seed=number))
    return net


X, D = normal(5, 2, 8, seed=50), normal(5, 2, seed=51)


# One path -----------------------------------------------------------------------------------------------------


@settings(max_examples=6)
@given(chains(smooth=True, most=3))
def test_fifty_steps_of_gradient_descent_are_the_same_three_ways(chain: Chain) -> None:
    net, x = chain.build(), chain.values(batch=4)
    shared, textbook = expand(net, chain.input_shape), expand(net, chain.input_shape)
    d = normal(*shared(x).shape, seed=5)
    loops = [Shared(shared, div, eta=0.02), Textbook(textbook, div, eta=0.02)]
    steps = torch.optim.SGD(net.parameters(), lr=0.02)
    for _ in range(50):
        ours, theirs = (loop.step(x, d) for loop in loops)
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)
        steps.zero_grad()
        div(net(x).flatten(1), d).backward()
        steps.step()
    trained = parameters_to_vector(net.parameters()).detach()[torch.tensor(shared.labels)]
    torch.testing.assert_close(shared.theta.detach(), trained, **CLOSE)
    torch.testing.assert_close(textbook.theta.detach(), trained, **CLOSE)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimisers_state_belongs_to_the_set(name: str) -> None:
    net, optimiser = scan(), OPTIMISERS[name]
    shared, textbook = expand(net, (2, 8)), expand(net, (2, 8))
    before = shared.theta.detach().clone()
    loops = [Shared(shared, div, 0.1, optimiser), Textbook(textbook, div, 0.1, optimiser)]
    steps = optimiser(list(net.parameters())) if optimiser else torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(50):
        for loop in loops:
            loop.step(X, D)
        steps.zero_grad()
        div(net(X), D).backward()
        steps.step()
    trained = parameters_to_vector(net.parameters()).detach()[torch.tensor(shared.labels)]
    assert (trained - before).abs().max() > 0.01
    for mlp, loop in zip((shared, textbook), loops, strict=True):
        torch.testing.assert_close(mlp.theta.detach(), trained, rtol=1e-10, atol=1e-10)
        if loop.optimiser is not None:
            (state,) = loop.optimiser.state.values()
            assert {value.shape for value in state.values() if value.ndim} == {mlp.theta.shape}


# Edges and sets -----------------------------------------------------------------------------------------------


def untied(mlp: TiedMLP) -> tuple[nn.ModuleList, Callable[[Tensor], Tensor]]:
    """Return linear layers that hold every edge's weight as an entry of its own, and the net of them."""
    linears = nn.ModuleList()
    for layer, weights in zip(mlp.edge_layers, mlp.edge_weights(), strict=True):
        linear = nn.Linear(layer.ties.shape[1], layer.ties.shape[0]).double()
        with torch.no_grad():
            linear.weight.zero_()
            linear.bias.zero_()
            for (row, col, _), weight in zip(layer.ties, weights, strict=True):
                entry = linear.bias[row : row + 1] if col == ONE else linear.weight[row, col : col + 1]
                entry.fill_(weight)
        linears.append(linear)

    def forward(x: Tensor) -> Tensor:
        edges, x = iter(linears), x.flatten(1)
        for layer in mlp.layers:
            x = layer(x) if isinstance(layer, nn.Module) else next(edges)(x)
        return x

    return linears, forward


@given(chains(smooth=True, most=3))
def test_every_edge_has_the_gradient_that_it_has_where_nothing_is_shared(chain: Chain) -> None:
    mlp, x = expand(chain.build(), chain.input_shape), chain.values()
    linears, forward = untied(mlp)
    d = normal(*forward(x).shape, seed=5)
    div(forward(x), d).backward()
    textbook = Textbook(mlp, div)
    textbook.step(x, d)
    sums = torch.zeros_like(mlp.theta)
    for layer, places, linear, found in zip(mlp.edge_layers, mlp.places, linears, textbook.edge_gradients, strict=True):
        edges = list(layer.ties)
        wanted = [linear.bias.grad[row] if col == ONE else linear.weight.grad[row, col] for row, col, _ in edges]
        torch.testing.assert_close(found, torch.stack(wanted), **CLOSE)
        for (_, _, param), gradient in zip(edges, found.tolist(), strict=True):
            if param >= 0:
                sums[places[param]] += gradient
    torch.testing.assert_close(textbook.set_sums, sums.detach(), **CLOSE)


def test_the_loop_does_what_it_says_step_by_step() -> None:
    """Two edges of one set, 2 and 3 times the weight: by hand."""
    mlp = TiedMLP([TieMap([0, 1], [0, 1], [0, 0], (2, 2))], theta=torch.tensor([1.0], dtype=torch.float64))
    loop = Textbook(mlp, lambda y, d: ((y - d) ** 2).sum() / 2, eta=0.01)
    assert loop.edge_weights[0].tolist() == [1.0, 1.0]
    assert loop.step(torch.tensor([[2.0, 3.0]], dtype=torch.float64), torch.zeros(1, 2)) == 6.5
    assert loop.edge_gradients[0].tolist() == [4.0, 9.0]
    assert loop.set_sums.tolist() == [13.0]
    assert mlp.theta.tolist() == loop.edge_weights[0][:1].tolist() == loop.edge_weights[0][1:].tolist()
    assert mlp.theta.item() == pytest.approx(1 - 0.01 * 13)


def test_a_set_that_reaches_across_layers_has_one_sum() -> None:
    full = TieMap([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3], (2, 2))
    theta = normal(8, seed=3)
    mlp = TiedMLP([full, nn.Tanh(), full], theta=theta).tie((0, 0, 1), (1, 1, 0))
    textbook, shared = Textbook(copy.deepcopy(mlp), div), Shared(copy.deepcopy(mlp), div)
    x, d = normal(4, 2, seed=1), normal(4, 2, seed=2)
    for loop in (textbook, shared):
        loop.step(x, d)
    edges = textbook.edge_gradients
    assert textbook.set_sums[1].item() == pytest.approx((edges[0][1] + edges[1][2]).item(), rel=1e-12)
    torch.testing.assert_close(textbook.mlp.theta, shared.mlp.theta, **CLOSE)


def test_weights_that_do_not_learn_stay_as_they_are() -> None:
    textbook = Textbook(expand(scan(), (2, 8)), div, eta=0.5)
    textbook.step(X, D)
    assert set(textbook.edge_weights[1].tolist()) == {0.5}
    assert textbook.edge_gradients[1].abs().max() > 0


def test_weights_that_have_drifted_apart_are_refused() -> None:
    mlp = TiedMLP([TieMap([0, 0, 1, 1], [0, 1, 1, 2], [0, 1, 0, 1], (2, 3))], theta=torch.tensor([1.0, 2.0]))
    textbook = Textbook(mlp, div)
    with torch.no_grad():
        textbook.edge_weights[0][2] += 0.5
    message = (
        "weights in a tied set must be equal; got 1.5 on the edge from column 1 to row 1 of layer 0, and 1 for its "
        "set. Write to theta, not to edges."
    )
    with pytest.raises(TrainingError, match=re.escape(message)):
        textbook.step(torch.ones(1, 3), torch.zeros(1, 2))


def test_a_drift_in_a_later_layer_is_seen_too() -> None:
    textbook = Textbook(expand(scan(), (2, 8)), div)
    with torch.no_grad():
        textbook.edge_weights[-1][-1] = math.nan
    with pytest.raises(TrainingError, match=r"got nan on the edge from column 5 to row 1 of layer 3"):
        textbook.step(X, D)


# Until it has converged ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["shared", "textbook"])
def test_learning_ends_where_the_divergence_no_longer_changes(mode: str) -> None:
    mlp, x, d = expand(scan(), (2, 8)), normal(60, 2, 8, seed=50), normal(60, 2, seed=51)
    learnt = learn(mlp, x, d, div, mode=mode, eta=0.2, tolerance=0.05, over=7, most_epochs=500)
    path = learnt.divergences
    assert learnt.converged
    assert abs(path[-8] - path[-1]) < 0.05 * path[-8]
    assert all(abs(path[i - 7] - path[i]) >= 0.05 * path[i - 7] for i in range(7, len(path) - 1))
    assert path[-1] < path[0]
    with torch.no_grad():
        assert div(mlp(x), d) <= path[-1]


def test_both_modes_learn_the_same() -> None:
    nets = [expand(scan(), (2, 8)) for _ in range(2)]
    learnt = [
        learn(mlp, X, D, div, mode=mode, most_epochs=30) for mlp, mode in zip(nets, ("shared", "textbook"), strict=True)
    ]
    assert learnt[0].divergences == pytest.approx(learnt[1].divergences, rel=1e-12)
    torch.testing.assert_close(nets[0].theta, nets[1].theta, **CLOSE)


def test_learning_ends_after_the_most_epochs() -> None:
    learnt = learn(expand(scan(), (2, 8)), X, D, div, tolerance=0, most_epochs=25)
    assert (learnt.converged, len(learnt.divergences)) == (False, 25)


def test_a_tolerance_of_zero_ends_when_nothing_at_all_changes() -> None:
    mlp = TiedMLP([TieMap([0], [0], [0], (1, 1))], theta=torch.zeros(1))
    learnt = learn(mlp, torch.zeros(1, 1), torch.ones(1, 1), div, tolerance=0, over=3)
    assert (learnt.converged, learnt.divergences) == (True, (1.0,) * 4)


def test_learning_with_an_optimiser_uses_it() -> None:
    nets = [expand(scan(), (2, 8)) for _ in range(2)]
    for mlp, optimiser in zip(nets, (None, OPTIMISERS["adam"]), strict=True):
        learn(mlp, X, D, div, optimiser=optimiser, most_epochs=3)
    assert not torch.equal(nets[0].theta, nets[1].theta)


# What cannot be learnt ----------------------------------------------------------------------------------------

MODES = pytest.mark.parametrize("mode", ["shared", "textbook"])
BIGGER: Optimiser = lambda parameters: torch.optim.SGD(parameters, lr=1e3)  # noqa: E731


def line(*theta: float) -> TiedMLP:
    """Return ``y = w x + b``."""
    return TiedMLP([TieMap([0, 0], [ONE, 0], [1, 0], (1, 1))], theta=torch.tensor(theta)[[1, 0]])


@MODES
@pytest.mark.parametrize(("optimiser", "remedy"), [(None, "Use a smaller eta."), (BIGGER, "Change the optimiser.")])
def test_learning_that_runs_away_ends_before_theta_is_lost(mode: str, optimiser: Optimiser, remedy: str) -> None:
    mlp = expand(nn.Linear(2, 1).double(), (2,))
    with pytest.raises(
        TrainingError, match=rf"(divergence|gradient) must be finite; got .* in step \d+\. {remedy}"
    ) as e:
        learn(mlp, normal(3, 2), normal(3, 1), div, mode=mode, eta=1e3, optimiser=optimiser, most_epochs=500)
    assert mlp.theta.isfinite().all()
    assert optimiser is None or "eta" not in str(e.value)


@MODES
@pytest.mark.parametrize("optimiser", [None, BIGGER])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_data_that_are_not_finite_leave_theta_as_it_is(mode: str, bad: float, optimiser: Optimiser | None) -> None:
    mlp = line(2.0, 1.0)
    message = r"divergence must be finite; got (nan|inf) in step 0\. Check the data and theta\."
    with pytest.raises(TrainingError, match=message):
        learn(mlp, torch.tensor([[1.0], [bad]]), torch.zeros(2, 1), div, mode=mode, optimiser=optimiser)
    assert mlp.theta.tolist() == [1.0, 2.0]


@MODES
def test_a_gradient_that_is_not_finite_leaves_theta_as_it_is(mode: str) -> None:
    mlp = line(0.0, 1.0)
    with pytest.raises(
        TrainingError, match=r"gradient must be finite; got -?(inf|nan) for entry 0 of theta in step 0\. Check"
    ):
        learn(mlp, torch.ones(1, 1), torch.ones(1, 1), lambda y, d: (y - d).abs().sqrt().sum() + y.sum(), mode=mode)
    assert mlp.theta.tolist() == [1.0, 0.0]


@MODES
@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_theta_that_is_not_finite_is_named_by_its_entry(mode: str, bad: float) -> None:
    message = rf"theta must be finite; got {bad} for entry 1 of theta in step 0\. Check the data and theta\."
    with pytest.raises(TrainingError, match=message):
        learn(line(bad, 1.0), torch.zeros(1, 1), torch.zeros(1, 1), div, mode=mode)


@MODES
def test_a_theta_that_an_update_has_made_infinite_is_the_updates_fault(mode: str) -> None:
    mlp = line(2.0, 1.0)
    with pytest.raises(
        TrainingError, match=r"theta must be finite; got -inf for entry 0 .* in step 1\. Use a smaller eta"
    ):
        learn(mlp, torch.ones(1, 1), torch.zeros(1, 1), lambda y, d: (1e20 * (y - d)).sum(), mode=mode, eta=1e30)


CHANGED: dict[str, tuple[Callable[[TiedMLP], object], str]] = {
    "double": (lambda mlp: mlp.double(), "float32 on cpu; got another, torch.float64 on cpu. Convert, move or load"),
    "meta": (lambda mlp: mlp.to("meta"), "float32 on cpu; got another, torch.float32 on meta."),
    "assigned": (
        lambda mlp: mlp.load_state_dict(line(3.0, 4.0).state_dict(), assign=True),
        "mlp must have the theta that it began with, torch.float32 on cpu; got another",
    ),
    "frozen": (lambda mlp: mlp.requires_grad_(False), "theta must learn; got one that is frozen. Call mlp.requires"),
}


@pytest.mark.parametrize("kind", [Shared, Textbook])
@pytest.mark.parametrize("case", CHANGED)
def test_a_theta_that_was_changed_after_the_loop_was_made_is_refused(case: str, kind: type[Shared | Textbook]) -> None:
    change, message = CHANGED[case]
    mlp = line(2.0, 1.0)
    loop = kind(mlp, div)
    change(mlp)
    with pytest.raises(ArgumentError, match=re.escape(message)):
        loop.step(torch.zeros(1, 1), torch.zeros(1, 1))


@MODES
@pytest.mark.parametrize(
    ("divergence", "message"),
    [
        (lambda y, d: (y - d).square(), "must return one number, as a tensor; got float32 of shape (2, 1). Take the"),
        (lambda y, d: 0.5, "must return one number, as a tensor; got 0.5. Take the mean, say."),
        (lambda y, d: None, "must return one number, as a tensor; got None."),
        (lambda y, d: div(y.detach(), d), "must follow from the outputs; got one without a gradient. Detach nothing."),
    ],
)
def test_a_divergence_that_is_not_one_number_of_the_outputs_is_refused(mode: str, divergence, message: str) -> None:
    mlp = line(2.0, 1.0)
    with pytest.raises(ArgumentError, match=re.escape(f"divergence {message}")):
        learn(mlp, torch.ones(2, 1), torch.zeros(2, 1), divergence, mode=mode)
    assert mlp.theta.tolist() == [1.0, 2.0]


@MODES
def test_one_number_may_have_axes(mode: str) -> None:
    assert learn(
        line(2.0, 1.0), torch.ones(2, 1), torch.zeros(2, 1), lambda y, d: div(y, d)[None], mode=mode, most_epochs=2
    ).divergences[0] == pytest.approx(9.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "both"}, "mode must be one of shared, textbook; got 'both'"),
        ({"eta": 0.0}, "eta must be above 0; got 0.0"),
        ({"tolerance": -1.0}, "tolerance must be at least 0; got -1.0"),
        ({"over": 0}, "over must be a whole number of at least 1; got 0"),
        ({"most_epochs": 0}, "most_epochs must be a whole number of at least 1; got 0"),
    ],
)
def test_arguments_that_break_their_rule_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        learn(expand(scan(), (2, 8)), X, D, div, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", ["dense", "auto"])
def test_the_textbook_needs_a_network_that_runs_by_edges(kernel: str) -> None:
    mlp = expand(scan(), (2, 8), kernel=kernel)
    with pytest.raises(ArgumentError, match=rf"mlp must run by edges, with kernel='sparse'; got '{kernel}'"):
        Textbook(mlp, div)
    with pytest.raises(ArgumentError, match=f"kernel must be sparse to run by edges; got {kernel}"):
        mlp.run_edges(X, mlp.edge_weights())

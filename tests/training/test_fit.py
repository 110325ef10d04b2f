"""The training loop."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from toys import blobs, seeded

from scanwise.errors import ArgumentError, TrainingError
from scanwise.nn import WindowNet, convnet, mlp
from scanwise.training import Cuts, default_rate, fit, optimisers, predict, shift


def truth_table(bits: int) -> np.ndarray:
    return np.array(list(itertools.product([0, 1], repeat=bits)), np.float32)[:, None]


def accuracy(net: WindowNet, x: np.ndarray, y: np.ndarray) -> float:
    return float((predict(net, x).argmax(1).numpy() == y).mean())


@pytest.mark.parametrize(
    ("bits", "rule"),
    [(2, lambda s: s % 2), (4, lambda s: s % 2), (5, lambda s: s > 2)],
    ids=["xor", "parity", "majority"],
)
def test_an_mlp_learns_a_boolean_function_completely(bits: int, rule: Any) -> None:
    x = truth_table(bits)
    y = rule(x.sum((1, 2))).astype(int)
    net = seeded(mlp, (1, bits), 2, hidden=(16,), activation="tanh")
    fit(net, x, y, epochs=200, lr=0.05, weight_decay=0.0)
    assert accuracy(net, x, y) == 1


def test_an_mlp_regresses_sin() -> None:
    x = np.linspace(-np.pi, np.pi, 64, dtype=np.float32).reshape(-1, 1, 1)
    y = np.sin(x[:, 0, 0])
    net = seeded(mlp, (1, 1), 1, hidden=(32, 32), activation="tanh")
    fit(net, x[::2], y[::2], task="regress", optimiser="lbfgs", epochs=30)
    assert np.abs(predict(net, x)[:, 0].numpy() - y).max() < 0.02


@pytest.mark.parametrize("name", optimisers())
def test_every_optimiser_learns_at_its_default_rate(name: str) -> None:
    x, y = blobs()
    net = seeded(mlp, (1, 9), 3, hidden=(16,))
    history = fit(net, x, y, optimiser=name, epochs=20, batch=6)
    assert accuracy(net, x, y) == 1
    assert history.rows[-1]["loss"] < 0.7 * history.rows[0]["loss"]


@pytest.mark.parametrize("window", [(1, 9), (1, 9, 3)])
def test_a_convnet_classifies_signals_and_images(window: tuple[int, ...]) -> None:
    x, y = blobs()
    x = np.broadcast_to(x.reshape(*x.shape, *(1 for _ in window[2:])), (len(x), *window)).copy()
    net = seeded(convnet, window, 3, hidden=(16,), dropout=0.1)
    fit(net, x, y, epochs=10, batch=16)
    assert accuracy(net, x, y) == 1


@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_several_values_are_regressed_at_once(loss: str) -> None:
    x = np.random.default_rng(0).normal(size=(64, 1, 3)).astype(np.float32)
    y = np.stack([x[:, 0, 0] - x[:, 0, 1], x[:, 0, 2]], 1)
    net = seeded(mlp, (1, 3), 2, hidden=())
    history = fit(net, x, y, task="regress", loss=loss, lr=0.1, epochs=60, batch=8, validation=(x, y))
    assert history.metric_name == "mean absolute error"
    assert history.rows[-1]["metric"] < 0.02


def test_the_same_seed_repeats_the_run_and_another_does_not() -> None:
    x, y = blobs()
    runs = []
    for seed in (0, 0, 1):
        net = seeded(convnet, (1, 9), 3, hidden=(8,), dropout=0.3)
        history = fit(net, x, y, epochs=2, batch=16, seed=seed, augment=shift(1))
        runs.append((predict(net, x), [row["loss"] for row in history.rows]))
    assert torch.equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert not torch.equal(runs[0][0], runs[2][0])


def test_torchs_own_random_state_is_left_alone() -> None:
    x, y = blobs()
    net = seeded(mlp, (1, 9), 3, dropout=0.5)
    before = torch.get_rng_state()
    fit(net, x, y, epochs=1, augment=shift(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_weights_of_the_best_validated_epoch_are_restored() -> None:
    x, y = blobs()
    net = seeded(mlp, (1, 9), 3, hidden=(8,))
    seen = []

    def spoil(row: dict[str, Any]) -> None:
        seen.append((row["val_loss"], {k: v.clone() for k, v in net.state_dict().items()}))
        if row["epoch"] == 2:
            with torch.no_grad():
                net.head.weight.mul_(-20)

    history = fit(net, x, y, epochs=6, lr=1e-4, validation=blobs(seed=1), on_epoch=spoil)
    best = min(range(6), key=lambda epoch: seen[epoch][0])
    assert history.best == best == 2
    assert history.rows[best]["val_loss"] == seen[best][0]
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, seen[best][1][name])


def test_patience_stops_a_run_that_no_longer_improves() -> None:
    x, y = blobs()
    wrong = (y + 1) % 3
    net = seeded(mlp, (1, 9), 3)
    history = fit(net, x, y, epochs=50, lr=0.01, schedule="constant", validation=(x, wrong), patience=3)
    assert history.stopped_early
    assert len(history.rows) == history.best + 1 + 3 < 50


def test_a_run_that_improves_to_its_end_is_not_stopped() -> None:
    x, y = blobs()
    history = fit(seeded(mlp, (1, 9), 3), x, y, epochs=3, validation=(x, y), patience=1)
    assert not history.stopped_early
    assert len(history.rows) == 3


@pytest.mark.parametrize("optimiser", ["adamw", "lbfgs"])
def test_weights_of_image_networks_are_left_contiguous(optimiser: str) -> None:
    x, y = blobs()
    x = np.repeat(x[..., None], 5, axis=3)
    net = seeded(convnet, (1, 9, 5), 3, channels=[4, 4])
    fit(net, x, y, epochs=1, optimiser=optimiser)
    assert all(parameter.is_contiguous() for parameter in net.parameters())


def test_without_validation_the_last_weights_are_kept() -> None:
    x, y = blobs()
    net = seeded(mlp, (1, 9), 3)
    last: dict[str, torch.Tensor] = {}
    history = fit(net, x, y, epochs=2, on_epoch=lambda row: last.update(weight=net.head.weight.detach().clone()))
    assert history.best == 1
    assert torch.equal(net.head.weight, last["weight"])
    assert not net.training


def test_the_last_weights_are_kept_on_request() -> None:
    x, y = blobs()
    wrong = (y + 1) % 3
    usual: dict[str, Any] = {"epochs": 6, "lr": 0.01, "schedule": "constant", "validation": (x, wrong)}
    last: dict[str, torch.Tensor] = {}
    nets = [seeded(mlp, (1, 9), 3) for _ in range(2)]

    def heard(_: dict[str, Any]) -> None:
        last.update({name: value.clone() for name, value in nets[0].state_dict().items()})

    assert fit(nets[0], x, y, keep="last", on_epoch=heard, **usual).best == 5
    assert fit(nets[1], x, y, **usual).best < 5
    assert all(torch.equal(value, last[name]) for name, value in nets[0].state_dict().items())
    assert not all(torch.equal(value, last[name]) for name, value in nets[1].state_dict().items())


def test_a_row_of_the_history_is_plain() -> None:
    x, y = blobs()
    rows: list[dict[str, Any]] = []
    history = fit(seeded(mlp, (1, 9), 3), x, y, epochs=2, validation=(x, y), on_epoch=rows.append)
    assert rows == history.rows
    for row in rows:
        assert list(row) == ["epoch", "loss", "val_loss", "metric", "lr", "seconds"]
        assert {type(value) for value in row.values()} == {int, float}


def test_a_loss_that_is_not_finite_stops_with_the_best_weights() -> None:
    x, y = blobs()
    net = seeded(mlp, (1, 9), 3)
    kept: list[dict[str, torch.Tensor]] = []

    def poison(row: dict[str, Any]) -> None:
        kept.append({k: v.clone() for k, v in net.state_dict().items()})
        if row["epoch"] == 1:
            with torch.no_grad():
                net.head.bias.fill_(float("nan"))

    with pytest.raises(TrainingError, match=r"loss must stay finite; got nan in epoch 2. Lower lr \(0.003\)"):
        fit(net, x, y, epochs=4, on_epoch=poison)
    assert len(kept) == 2
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, kept[1][name])
    assert not net.training


@pytest.mark.parametrize("optimiser", ["sgd", "lbfgs"])
def test_weights_that_explode_in_the_last_step_are_noticed(optimiser: str) -> None:
    x = np.full((4, 1, 2), 1e30, np.float32)
    net = seeded(mlp, (1, 2), 1, hidden=())
    before = net.head.weight.detach().clone()
    with pytest.raises(TrainingError, match=r"loss must stay finite; got (nan|inf) in epoch 0"):
        fit(net, x, np.zeros(4, np.float32), task="regress", optimiser=optimiser, lr=1e30, epochs=1)
    assert torch.equal(net.head.weight, before)


def test_class_balance_lets_a_rare_class_count_as_much() -> None:
    rng = np.random.default_rng(0)
    y = np.array([0] * 190 + [1] * 10)
    x = (rng.normal(size=200) + 1.0 * y).astype(np.float32).reshape(-1, 1, 1)
    recalls = []
    for balance in (False, True):
        net = seeded(mlp, (1, 1), 2, hidden=())
        fit(net, x, y, epochs=20, lr=0.1, class_balance=balance)
        recalls.append(float((predict(net, x[y == 1]).argmax(1) == 1).float().mean()))
    assert recalls[0] < 0.3
    assert recalls[1] > 0.6


def test_one_cycle_rises_to_the_rate_and_falls_to_nothing() -> None:
    x, y = blobs()
    rates = [row["lr"] for row in fit(seeded(mlp, (1, 9), 3), x, y, epochs=20, batch=6).rows]
    peak = default_rate("adamw")
    assert 0.99 * peak < max(rates) <= peak
    assert 3 <= int(np.argmax(rates)) <= 7
    assert rates[-1] < 0.01 * peak


def test_a_constant_rate_stays() -> None:
    x, y = blobs()
    history = fit(seeded(mlp, (1, 9), 3), x, y, epochs=3, lr=0.02, schedule="constant")
    assert [row["lr"] for row in history.rows] == [0.02] * 3


def test_float64_networks_train_in_float64() -> None:
    x, y = blobs()
    net = seeded(mlp, (1, 9), 3).double()
    fit(net, x, y, epochs=1)
    assert net.head.weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"task": "rank"}, "task must be one of classify, regress, verify; got 'rank'"),
        ({"loss": "mse"}, "loss must be one of cross_entropy; got 'mse'"),
        ({"optimiser": "adamax"}, "optimiser must be one of sgd, .*, lbfgs; got 'adamax'"),
        ({"lr": 0}, "lr must be above 0; got 0"),
        ({"lr": float("nan")}, "lr must be a finite number; got nan"),
        ({"weight_decay": -1}, "weight_decay must be at least 0; got -1"),
        ({"label_smoothing": 1.5}, r"label_smoothing must be at most 1; got 1\.5"),
        ({"label_smoothing": -0.1}, r"label_smoothing must be at least 0; got -0\.1"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1; got 0"),
        ({"batch": 0}, "batch must be a whole number of at least 1; got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
        ({"schedule": "cosine"}, "schedule must be one of onecycle, constant; got 'cosine'"),
        ({"patience": 3}, "patience must come with validation; got none"),
        ({"keep": "first"}, "keep must be one of best, last; got 'first'"),
        ({"patience": 3, "validation": blobs(), "keep": "last"}, "patience must be left out where the last weights"),
        ({"patience": 0, "validation": blobs()}, "patience must be a whole number of at least 1; got 0"),
        ({"x": np.zeros((60, 9))}, r"x must be windows of the shape \(n, 1, 9\); got \(60, 9\)"),
        ({"x": np.zeros((0, 1, 9)), "y": np.zeros(0, int)}, r"x must be windows .* got \(0, 1, 9\)"),
        (
            {"validation": (np.zeros((1, 1, 8)), [0])},
            r"validation must be windows of the shape \(n, 1, 9\); got",
        ),
        ({"front": nn.AvgPool1d(3)}, r"x must be windows of the shape \(n, 1, 9\); got \(60, 1, 9\)"),
        (
            {"x": np.zeros((60, 1, 27)), "front": nn.AvgPool1d(3), "validation": blobs()},
            r"validation must be windows of the shape \(n, 1, 9\); got \(60, 1, 9\). .* or give the front",
        ),
        (
            {"x": Cuts([np.zeros((1, 50))], *np.zeros((4, 60), int), window=8)},
            r"x must be windows of the shape \(n, 1, 9\); got 60 cuts of 8 samples",
        ),
        (
            {"x": Cuts([np.zeros((1, 50))], *np.zeros((4, 0), int), window=9)},
            r"x must be windows .* got 0 cuts of 9 samples",
        ),
        (
            {"x": Cuts([np.zeros((1, 50))], *np.zeros((4, 59), int), window=9)},
            "y must have one target for each of 59 windows; got 60",
        ),
        ({"x": np.full((60, 1, 9), np.inf)}, "x must be finite; got NaN or infinity"),
        ({"y": np.zeros(59, int)}, "y must have one target for each of 60 windows; got 59"),
        (
            {"y": np.zeros(60)},
            r"y must be whole class numbers of shape \(batch,\); got torch.float64 \(60,\)",
        ),
        ({"y": np.full(60, 3)}, "y must be class numbers from 0 to 2; got 3 to 3"),
        (
            {"task": "regress", "y": np.zeros(60)},
            r"y must have 3 values for each example; got the shape \(60,\)",
        ),
        ({"task": "regress", "y": np.full((60, 3), np.nan)}, "y must be finite; got NaN or infinity"),
    ],
)
def test_a_wrong_argument_is_named(change: dict[str, Any], text: str) -> None:
    x, y = blobs()
    arguments = {"x": x, "y": y} | change
    with pytest.raises(ArgumentError, match=text):
        fit(seeded(mlp, (1, 9), 3), **arguments)

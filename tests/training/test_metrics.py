"""Outputs of many windows, confusion, objectives and the split."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError, DataError
from scanwise.nn import mlp
from scanwise.training import confusion, losses, objective, predict, split, tasks


def test_predict_is_the_network_in_evaluation_mode() -> None:
    net = mlp((1, 4), 2, dropout=0.9).train()
    x = torch.randn(7, 1, 4)
    expected = net.eval()(x)
    net.train()
    torch.testing.assert_close(predict(net, x.numpy(), batch=3), expected)
    assert net.training


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_confusion_counts_each_pair(pairs: list[tuple[int, int]]) -> None:
    true, predicted = np.array([p[0] for p in pairs], int), np.array([p[1] for p in pairs], int)
    matrix = confusion(true, predicted, classes=4)
    assert matrix.shape == (4, 4)
    for row in range(4):
        for column in range(4):
            assert matrix[row, column] == pairs.count((row, column))


def test_confusion_refuses_what_is_no_class() -> None:
    with pytest.raises(ArgumentError, match="must be class numbers from 0 to 1; got 0 to 2"):
        confusion(np.array([0, 2]), np.array([0, 1]), classes=2)
    with pytest.raises(ArgumentError, match=r"y_pred must have the shape \(n,\) of y_true; got \(1,\) for \(2,\)"):
        confusion(np.array([0, 1]), np.array([0]), classes=2)


@given(st.lists(st.integers(2, 20), min_size=1, max_size=4), st.floats(0.05, 0.95), st.integers(0, 99))
def test_a_split_gives_every_class_its_share(counts: list[int], fraction: float, seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    train, validation = split(y, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(y)))
    for value, count in enumerate(counts):
        held = int((y[validation] == value).sum())
        assert 1 <= held <= count - 1
        assert abs(held - count * fraction) <= 1


def test_a_split_is_repeated_by_its_seed() -> None:
    y = np.arange(100) % 3
    first, again, other = (split(y, 0.2, seed)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_values_are_split_at_random() -> None:
    y = np.linspace(0, 1, 10)
    train, validation = split(y, 0.2, seed=0)
    assert (len(train), len(validation)) == (8, 2)


def test_a_class_with_one_example_is_named() -> None:
    with pytest.raises(DataError, match="class 'seven' must have at least two examples; got one"):
        split(np.array([0, 0, 1]), 0.5, classes=("six", "seven"))
    with pytest.raises(DataError, match="class 1 must have at least two examples"):
        split(np.array([0, 0, 1]), 0.5)


def test_one_example_cannot_be_split() -> None:
    with pytest.raises(DataError, match="training data must have at least two examples; got 1"):
        split(np.array([0.5]), 0.5)


@pytest.mark.parametrize(
    ("fraction", "text"), [(0, "fraction must be above 0; got 0"), (1.0, "1 - fraction must be above 0")]
)
def test_a_fraction_is_between_0_and_1(fraction: float, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        split(np.arange(4) % 2, fraction)


def test_objectives_are_their_formulas() -> None:
    outputs = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
    y = torch.tensor([0, 1, 1])
    goal = objective("classify")
    chances = outputs.exp() / outputs.exp().sum(1, keepdim=True)
    torch.testing.assert_close(goal.loss(outputs, y), -chances[range(3), y].log().mean())
    assert goal.metric(outputs, y).item() == pytest.approx(2 / 3)
    goal = objective("classify", class_weights=torch.tensor([3.0, 1.0]))
    weighted = -(chances[range(3), y].log() * torch.tensor([3.0, 1, 1])).sum() / 5
    torch.testing.assert_close(goal.loss(outputs, y), weighted)
    smooth = objective("classify", label_smoothing=0.2)
    mixed = 0.8 * torch.eye(2)[y] + 0.1
    torch.testing.assert_close(smooth.loss(outputs, y), -(mixed * chances.log()).sum(1).mean())
    difference = torch.tensor([0.5, -3.0])
    mse, huber = objective("regress"), objective("regress", "huber")
    zero = torch.zeros(2)
    assert mse.loss(difference, zero).item() == pytest.approx((0.25 + 9) / 2)
    assert huber.loss(difference, zero).item() == pytest.approx((0.125 + 2.5) / 2)
    assert mse.metric(difference, zero).item() == pytest.approx(1.75)


def test_every_task_has_a_default_loss() -> None:
    for task in tasks():
        assert objective(task).loss_name == losses(task)[0]

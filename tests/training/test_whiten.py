"""Whitening within identities as a part of the head."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.nn import WindowNet, mlp
from scanwise.training import Cuts, predict, whiten_head
from scanwise.verify import all_pairs, eer, within_class_whitening


def net() -> WindowNet:
    torch.manual_seed(0)
    return mlp((1, 8), outputs=6, hidden=(12,)).eval()


def windows(identities: int = 30, each: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(identities), each)
    x = rng.normal(size=(identities, 1, 8))[y] + rng.normal(0, 0.5, (len(y), 1, 8))
    return x.astype(np.float32), y


def test_outputs_are_multiplied_by_the_map() -> None:
    x, y = windows()
    network = net()
    before = predict(network, x).double().numpy()
    parameters = sum(one.numel() for one in network.parameters())
    whiten_head(network, x, y)
    expected = before @ within_class_whitening(before, y)
    np.testing.assert_allclose(predict(network, x).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert sum(one.numel() for one in network.parameters()) == parameters


def test_strangers_are_told_apart_in_spite_of_what_varies() -> None:
    spread = np.array([4, 4, 4, 0.1, 0.1, 0.1, 0.1, 0.1])
    sets = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        y = np.repeat(np.arange(60), 10)
        x = rng.normal(size=(60, 8))[y] + rng.normal(size=(600, 8)) * spread
        sets.append((x[:, None].astype(np.float32), y))
    learn, (x, y) = sets
    torch.manual_seed(0)
    network = mlp((1, 8), outputs=8, hidden=()).eval()
    rates = [eer(*all_pairs(predict(network, x).numpy(), y)).value]
    whiten_head(network, *learn)
    rates.append(eer(*all_pairs(predict(network, x).numpy(), y)).value)
    assert rates[0] > 0.3
    assert rates[1] < 0.2


def test_windows_come_through_the_front_and_are_cut_from_recordings() -> None:
    x, y = windows()
    several = [net() for _ in range(3)]
    whiten_head(several[0], 2 * x, y)
    whiten_head(several[1], x, y, front=nn.Conv1d(1, 1, 1).requires_grad_(False).apply(_doubling))
    start = np.zeros(len(x), int)
    whiten_head(several[2], Cuts(list(2 * x), np.arange(len(x)), start, start, y, 8), y)
    for other in several[1:]:
        torch.testing.assert_close(other.state_dict(), several[0].state_dict(), rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(several[0].state_dict(), net().state_dict(), rtol=1e-2, atol=1e-2)


def _doubling(layer: nn.Module) -> None:
    layer.get_parameter("weight").fill_(2)
    layer.get_parameter("bias").fill_(0)


def test_cuts_are_drawn_by_the_seed() -> None:
    rng = np.random.default_rng(1)
    recordings = [rng.normal(size=(1, 40)).astype(np.float32) for _ in range(12)]
    cuts = Cuts(recordings, np.arange(12), np.zeros(12, int), np.full(12, 32), np.arange(12) // 4, 8)
    heads = []
    for seed in (0, 0, 1):
        network = net()
        whiten_head(network, cuts, cuts.y, seed=seed)
        heads.append(network.head.get_parameter("weight"))
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_of_many_windows_some_identities_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanwise.training._whiten._MOST_MEASURED", 80)
    monkeypatch.setattr("scanwise.training._whiten._BATCH", 32)
    x, y = windows()
    whole, some = net(), net()
    whiten_head(some, x, y)
    monkeypatch.undo()
    whiten_head(whole, x, y)
    assert not torch.equal(whole.head.get_parameter("weight"), some.head.get_parameter("weight"))
    torch.testing.assert_close(whole.head.get_parameter("weight"), some.head.get_parameter("weight"), rtol=1, atol=0.5)


def test_identities_with_one_window_each_are_refused() -> None:
    x, _ = windows(3, 1)
    with pytest.raises(ArgumentError, match="identities must have two samples, one at least; got 3 with one each"):
        whiten_head(net(), x, np.arange(3))

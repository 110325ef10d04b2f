"""The count of memory, against sums done by hand."""

from __future__ import annotations

import torch
from torch import nn

from scanwise.audit import PeakMemory
from scanwise.audit._memory import peak_of_step


def test_the_peak_is_the_most_that_lives_at_a_time() -> None:
    a = torch.zeros(100)  # 400 bytes
    memory = PeakMemory()
    memory.hold([a])
    with memory:
        b = a + 1
        c = b * 2  # three live
        del b
        d = c - 1  # three again
        del c, d
    assert (memory.alive_bytes, memory.peak_bytes) == (400, 1200)


def test_views_and_what_is_done_in_place_take_nothing() -> None:
    a = torch.zeros(100)
    with PeakMemory() as memory:
        memory.hold([a])
        a.view(10, 10).t().add_(1)
        a[3:5].mul_(2)
    assert memory.peak_bytes == 400


def test_a_storage_counts_once_however_often_it_is_held() -> None:
    a = torch.zeros(100)
    memory = PeakMemory()
    memory.hold([a, a[10:], a.view(4, 25)])
    assert memory.peak_bytes == 400


def test_a_view_keeps_its_storage_alive() -> None:
    with PeakMemory() as memory:
        a = torch.zeros(100)
        tail = a[99:]
        del a
        assert memory.alive_bytes == 400
        del tail
        assert memory.alive_bytes == 0


def test_after_a_reset_the_peak_starts_from_what_is_alive() -> None:
    with PeakMemory() as memory:
        a = torch.zeros(100)
        _ = a + a + a
        del _
        memory.reset()
        assert memory.peak_bytes == memory.alive_bytes == 400


def step_of(net: nn.Module, batch: int = 2) -> int:
    return peak_of_step(net, torch.ones(batch, 50), torch.zeros(batch, dtype=torch.int64))


def test_a_step_holds_parameters_gradients_and_two_moments_and_adamw_two_temporaries() -> None:
    net = nn.Linear(50, 1000, bias=False)
    weights = 4 * 50 * 1000
    # the root of the second moment and what it is divided to live side by side
    assert 0 <= step_of(net) - 6 * weights < 0.1 * weights


def test_activations_count_with_the_batch() -> None:
    net = nn.Sequential(nn.Linear(50, 4), nn.Linear(4, 400), nn.Sigmoid(), nn.Linear(400, 2))
    # of each clip at least its 400 outputs twice: before and after the sigmoid
    assert step_of(net, 1024) - step_of(net, 512) >= 512 * 4 * 800


class Gain(nn.Module):
    """A few scores, through a map of 10,000 numbers a clip, scaled by the sum of 2,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.full((2000,), 1e-4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = torch.sigmoid(self.gain.sum() * x[:, :1].expand(-1, 10_000))
        return wide.view(len(x), 2, 5000).mean(2)


def test_parameters_and_moments_are_there_while_activations_are() -> None:
    wide, parameters = 4 * 10_000, 4 * 2000
    # some whole maps, and beside them the parameters and both moments, which exist from the second step on
    beside = peak_of_step(Gain(), torch.ones(1, 50), torch.zeros(1, dtype=torch.int64)) % wide
    assert 3 * parameters <= beside < 3.2 * parameters


def test_the_count_is_the_same_each_time() -> None:
    peaks = set()
    for _ in range(3):
        peaks.add(step_of(nn.Sequential(nn.Linear(50, 30), nn.ReLU(), nn.Linear(30, 3))))
    assert len(peaks) == 1

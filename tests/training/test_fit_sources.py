"""The training loop on windows that are drawn anew, and behind a front."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from toys import blobs, seeded

from scanwise.nn import WindowNet, convnet, mlp
from scanwise.training import Cuts, fit, predict, shift


@dataclass(frozen=True, eq=False)
class Watched(Cuts):
    """Cuts that remember what was drawn of them."""

    seen: list[torch.Tensor] = field(default_factory=list, init=False)
    seeds: list[int] = field(default_factory=list, init=False)

    def draw(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        self.seeds.append(generator.initial_seed())
        self.seen.append(super().draw(rows, generator))
        return self.seen[-1].clone()


class Heard(nn.Module):
    """A front that doubles, and remembers what came to it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return 2 * x


def joined(span: int = 0, kind: type[Cuts] = Cuts, dtype: type = np.float32) -> Cuts:
    """Return the windows of `blobs` as cuts of one recording, each beginning up to `span` samples later."""
    x, y = blobs()
    first = 9 * np.arange(len(x))
    return kind([x.reshape(1, -1).astype(dtype)], np.zeros(len(x), int), first, first + span, y, window=9)


def weights(net: WindowNet) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def trained(x: Any, y: Any, net: WindowNet | None = None, **arguments: Any) -> tuple[torch.Tensor, list[float]]:
    """Return the weights and the losses of a short run."""
    net = seeded(mlp, (1, 9), 3, hidden=(8,), dropout=0.2) if net is None else net
    history = fit(net, x, y, **({"epochs": 3, "batch": 16} | arguments))
    return weights(net), [row[name] for row in history.rows for name in ("loss", "val_loss")]


@pytest.mark.parametrize("arguments", [{}, {"augment": shift(1), "validation": blobs(seed=1)}, {"optimiser": "lbfgs"}])
def test_cuts_of_one_start_each_train_as_the_windows_they_are(arguments: dict[str, Any]) -> None:
    x, y = blobs()
    stored, cut = trained(x, y, **arguments), trained(joined(), y, **arguments)
    assert torch.equal(stored[0], cut[0])
    assert stored[1] == cut[1]


@pytest.mark.parametrize(("dtype", "double"), [(np.float64, False), (np.float32, True), (np.int16, False)])
def test_cuts_are_drawn_in_the_type_of_the_network(dtype: type, double: bool) -> None:
    nets = [seeded(mlp, (1, 9), 3).to(torch.float64 if double else torch.float32) for _ in range(2)]
    cuts = joined(dtype=dtype)
    x = cuts.draw(torch.arange(len(cuts)), torch.Generator())
    stored, cut = (trained(data, cuts.y, net, front=nn.AvgPool1d(1)) for data, net in zip((x, cuts), nets, strict=True))
    assert torch.equal(stored[0], cut[0])


def test_a_run_on_cuts_is_repeated_by_its_seed() -> None:
    runs = [trained(joined(3), joined().y, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert not torch.equal(runs[0][0], runs[2][0])


def test_what_is_drawn_depends_on_seed_epoch_and_batch_alone() -> None:
    """Not on how much was drawn or trained before, nor on augmentation, the network or validation."""
    runs = [joined(3, Watched) for _ in range(4)]
    options = ({}, {"epochs": 1}, {"augment": shift(2), "lr": 0.1, "validation": blobs()}, {"seed": 1})
    for cuts, arguments in zip(runs, options, strict=True):
        trained(cuts, cuts.y, **arguments)
    assert [len(cuts.seen) for cuts in runs] == [13, 5, 13, 13]  # one is looked at to check its shape
    for cuts in runs[1:3]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0].seen, cuts.seen, strict=False))
    assert len({*runs[0].seeds[1:], *runs[3].seeds[1:]}) == 24


@pytest.mark.parametrize("window", [(1, 9), (1, 9, 5)])
def test_a_front_is_as_good_as_windows_that_have_passed_it(window: tuple[int, ...]) -> None:
    x, y = blobs()
    x = np.broadcast_to(x.reshape(*x.shape, *(1 for _ in window[2:])), (len(x), *window)).copy()
    runs = []
    for factor, front in [(2, None), (1, Heard())]:
        net = seeded(convnet, window, 3, channels=[4], kernels=3, hidden=(8,))
        runs.append((*trained(factor * x, y, net, front=front, validation=(factor * x[:20], y[:20])), net))
    assert torch.equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert torch.equal(predict(runs[0][2], 2 * x), predict(runs[0][2], x, batch=7, front=Heard()))


def test_a_front_comes_after_augmentation_and_before_validation() -> None:
    x, y = blobs()
    front, held = Heard(), np.full((5, 1, 9), 3.0, np.float32)
    trained(x, y, front=front, augment=lambda x, generator: torch.full_like(x, 7.0), validation=(held, y[:5]))
    values = [float(seen.mean()) for seen in front.seen if len(seen) > 1]
    assert values == ([7.0] * 4 + [3.0]) * 3


def test_a_front_is_not_trained() -> None:
    x, y = blobs()
    front = nn.Conv1d(1, 1, 3)
    before = {name: tensor.clone() for name, tensor in front.state_dict().items()}
    fit(seeded(mlp, (1, 7), 3), x, y, front=front, epochs=2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in front.state_dict().items())
    assert all(parameter.grad is None for parameter in front.parameters())


def test_a_front_may_change_the_shape_of_cuts() -> None:
    cuts = joined()
    net = seeded(mlp, (1, 3), 3, hidden=(16,))
    fit(net, cuts, cuts.y, front=nn.AvgPool1d(3), epochs=30, lr=0.02)
    x, y = blobs(seed=1)
    assert (predict(net, x, front=nn.AvgPool1d(3)).argmax(1).numpy() == y).mean() > 0.9

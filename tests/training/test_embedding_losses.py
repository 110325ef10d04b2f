"""Losses of embeddings against another library's, and by what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from pytorch_metric_learning import losses as peers
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor, nn
from torch.nn import functional

from scanwise.errors import ArgumentError
from scanwise.training import embedding_loss, embedding_losses

Y = torch.arange(24) % 5


def embeddings(seed: int = 0) -> Tensor:
    return torch.randn(24, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def ours(name: str, **numbers: float) -> nn.Module:
    torch.manual_seed(1)
    return embedding_loss(name, features=6, identities=5, **numbers).double()


def with_directions(peer: nn.Module, loss: nn.Module) -> nn.Module:
    with torch.no_grad():
        peer.double().get_parameter("W").copy_(loss.get_parameter("directions").T)
    return peer


def hard_triplets(z: Tensor, y: Tensor) -> Tensor:
    found: Tensor = peers.TripletMarginLoss(margin=0.2, reducer=MeanReducer())(z, y, BatchHardMiner()(z, y))
    return found


PEERS: dict[str, Callable[[nn.Module], Callable[[Tensor, Tensor], Tensor]]] = {
    "am": lambda loss: with_directions(peers.CosFaceLoss(5, 6, margin=0.15, scale=16), loss),
    "aam": lambda loss: with_directions(peers.ArcFaceLoss(5, 6, margin=math.degrees(0.2), scale=16), loss),
    "supcon": lambda loss: peers.SupConLoss(temperature=0.1),
    "triplet": lambda loss: hard_triplets,
}


@pytest.mark.parametrize("name", sorted(PEERS))
def test_values_and_gradients_are_another_librarys(name: str) -> None:
    loss, z = ours(name), embeddings()
    peer = PEERS[name](loss)
    mine, other = loss(z, Y), peer(z, Y)
    assert mine.item() == pytest.approx(other.item(), rel=1e-9)
    (gradient,), (wanted,) = torch.autograd.grad(mine, z), torch.autograd.grad(other, z)
    assert torch.allclose(gradient, wanted, rtol=1e-6, atol=1e-9)


def test_prototypes_are_means_of_the_other_examples() -> None:
    z = embeddings().detach()
    unit = functional.normalize(z)
    total = 0.0
    for i in range(24):
        others = torch.arange(24) != i
        prototypes = torch.stack([unit[(k == Y) & others].mean(0) for k in range(5)])
        total += functional.cross_entropy(-8 * (unit[i] - prototypes).square().sum(1)[None], Y[i : i + 1]).item()
    assert ours("prototypical")(z, Y).item() == pytest.approx(total / 24)


@pytest.mark.parametrize("name", ["am", "aam"])
def test_without_a_margin_it_is_the_softmax_over_cosines(name: str) -> None:
    loss, z = ours(name, margin=0.0), embeddings()
    cosines = functional.normalize(z) @ functional.normalize(loss.get_parameter("directions")).T
    assert loss(z, Y).item() == pytest.approx(functional.cross_entropy(16 * cosines, Y).item(), rel=1e-9)


def test_plain_softmax_is_a_linear_layer_and_cross_entropy() -> None:
    loss, z = ours("softmax"), embeddings()
    logits = functional.linear(z, loss.get_parameter("head.weight"), loss.get_parameter("head.bias"))
    assert loss(z, Y).item() == functional.cross_entropy(logits, Y).item()


@pytest.mark.parametrize("name", embedding_losses())
def test_gradients_are_those_of_differences(name: str) -> None:
    loss = ours(name)
    assert torch.autograd.gradcheck(lambda z: loss(z, Y), (embeddings(),), atol=1e-6)


@pytest.mark.parametrize("name", embedding_losses())
def test_embeddings_that_agree_and_do_not_agree_are_told(name: str) -> None:
    """Descending the loss brings examples of one identity together, and those of others apart."""
    torch.manual_seed(0)
    loss = embedding_loss(name, features=6, identities=5)
    z = nn.Parameter(torch.randn(24, 6))
    optimiser = torch.optim.Adam([z, *loss.parameters()], lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        loss(z, Y).backward()
        optimiser.step()
    cosines = functional.normalize(z) @ functional.normalize(z).T
    same = Y[:, None] == Y[None]
    assert cosines[same].mean() > cosines[~same].mean() + 0.5


@pytest.mark.parametrize("name", ["prototypical", "triplet", "supcon"])
@pytest.mark.parametrize("y", [[0, 1, 2, 3], [0, 0, 0, 0]])
def test_a_batch_with_nothing_to_compare_has_a_finite_gradient(name: str, y: list[int]) -> None:
    z = embeddings()[:4].detach().requires_grad_()
    value = embedding_loss(name, features=6, identities=5)(z, torch.tensor(y))
    value.backward()
    assert math.isfinite(value.item())
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_equal_and_opposite_embeddings_have_finite_gradients() -> None:
    for name in embedding_losses():
        z = torch.ones(4, 6).mul(torch.tensor([1.0, 1.0, 1.0, -1.0])[:, None]).requires_grad_()
        embedding_loss(name, features=6, identities=2)(z, torch.tensor([0, 0, 1, 1])).backward()
        assert z.grad is not None
        assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        ("arcface", {}, "loss must be one of am, aam, softmax, prototypical, triplet, supcon; got 'arcface'"),
        ("softmax", {"scale": 2.0}, "scale must be left out for the loss softmax; got 2.0"),
        ("triplet", {"scale": 2.0}, "scale must be left out for the loss triplet"),
        ("supcon", {"margin": 0.1}, "margin must be left out for the loss supcon"),
        ("am", {"margin": -0.1}, "margin must be at least 0"),
        ("aam", {"margin": 28.6}, "margin must be at most pi/2 for the loss aam; got 28.6. It is in radians"),
        ("am", {"scale": 0.0}, "scale must be above 0; got 0"),
    ],
)
def test_numbers_that_a_loss_has_not_are_refused(name: str, numbers: dict[str, float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        embedding_loss(name, features=6, identities=5, **numbers)

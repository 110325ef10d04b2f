"""Losses that make embeddings of one identity alike, and of two different."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from scanwise._checks import choice, real, whole
from scanwise.errors import ArgumentError

__all__ = ["compares_batch", "embedding_loss", "embedding_losses"]


class _Classes(nn.Module):
    """Cross-entropy over training's identities; the weights are the head that verification drops."""

    def __init__(self, features: int, identities: int) -> None:
        super().__init__()
        self.head = nn.Linear(features, identities)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(self.head(z), y)


class _Cosines(nn.Module):
    """The same over cosines to a direction for each identity, times `scale`; that of the true one with a margin.

    `additive` takes the margin off the cosine (AM-softmax, Wang et al. 2018, equation 6; CosFace), else it is added to
    the angle (AAM, ArcFace, Deng et al. 2019, equation 3). Without a margin both are the softmax over cosines.
    """

    def __init__(self, features: int, identities: int, *, margin: float, scale: float, additive: bool) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.empty(identities, features))
        nn.init.xavier_normal_(self.directions)
        self.margin, self.scale, self.additive = margin, scale, additive

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        cosines = functional.normalize(z) @ functional.normalize(self.directions).T
        rows = torch.arange(len(y), device=y.device)
        own = cosines[rows, y]
        logits = cosines.clone()
        logits[rows, y] = own - self.margin if self.additive else self._turned(own)
        return functional.cross_entropy(self.scale * logits, y)

    def _turned(self, cosine: Tensor) -> Tensor:
        """``cos(angle + margin)``; beyond half a turn, where it would rise again, a straight line goes on falling."""
        sine = (1 - cosine.square()).clamp(min=0).add(1e-12).sqrt()
        turned = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        return torch.where(cosine > -math.cos(self.margin), turned, cosine - self.margin * math.sin(self.margin))


class _Prototypical(nn.Module):
    """Softmax over distances to the mean of each identity's other examples (Snell et al. 2017, equation 2).

    Every example of a batch is the query in turn; the mean of its own identity leaves it out. Distances are squared and
    Euclidean, between embeddings of length 1, times `scale`.
    """

    def __init__(self, *, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        unit = functional.normalize(z)
        identities, own = torch.unique(y, return_inverse=True)
        member = functional.one_hot(own, len(identities)).to(unit.dtype)
        counts = member.sum(0)
        sums = member.T @ unit
        means = (sums / counts[:, None]).expand(len(z), -1, -1)
        others = (sums[own] - unit) / (counts[own] - 1).clamp(min=1)[:, None]
        means = torch.where(member.bool()[..., None], others[:, None], means)
        distances = (unit[:, None] - means).square().sum(2)
        asked = counts[own] > 1
        return functional.cross_entropy(-self.scale * distances[asked], own[asked]) if asked.any() else unit.sum() * 0


class _Triplet(nn.Module):
    """``max(0, d(a, p) - d(a, n) + margin)``, the mean over every anchor's hardest triplet (Hermans et al. 2017).

    Distances are Euclidean, between embeddings of length 1; the hardest positive is the farthest of the batch, the
    hardest negative the nearest.
    """

    def __init__(self, *, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        distances = _distances(functional.normalize(z))
        same = y[:, None] == y[None]
        other = same & ~torch.eye(len(y), dtype=torch.bool, device=y.device)
        asked = other.any(1) & (~same).any(1)
        farthest = torch.where(other, distances, -math.inf)[asked].amax(1)
        nearest = torch.where(same, math.inf, distances)[asked].amin(1)
        return functional.relu(farthest - nearest + self.margin).mean() if asked.any() else distances.sum() * 0


class _SupCon(nn.Module):
    """Supervised contrastive: the log-softmax of cosines, averaged over each anchor's positives.

    Khosla et al. 2020, equation 2. Cosines are times `scale`, one over the temperature.
    """

    def __init__(self, *, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        unit = functional.normalize(z)
        itself = torch.eye(len(y), dtype=torch.bool, device=y.device)
        logits = (self.scale * unit @ unit.T).masked_fill(itself, -math.inf)
        positive = (y[:, None] == y[None]) & ~itself
        asked = positive.any(1)
        log_shares = functional.log_softmax(logits, dim=1).masked_fill(~positive, 0)
        means = log_shares.sum(1)[asked] / positive.sum(1)[asked]
        return -means.mean() if asked.any() else unit.sum() * 0


def _distances(x: Tensor) -> Tensor:
    """Euclidean distances ``(n, n)`` with finite gradients, also of an example to itself."""
    squares = 2 - 2 * x @ x.T
    return squares.clamp(min=0).add(1e-12).sqrt()


def embedding_losses() -> tuple[str, ...]:
    """Return the names of the losses for embeddings; the first is the default.

    >>> embedding_losses()
    ('am', 'aam', 'softmax', 'prototypical', 'triplet', 'supcon')
    """
    return tuple(_LOSSES)


@dataclass(frozen=True)
class _Kind:
    """How a loss is built, what its numbers are by default, and whether it compares the examples of a batch."""

    build: Callable[..., nn.Module]
    margin: float | None
    scale: float | None
    of_batch: bool


_LOSSES = {
    "am": _Kind(partial(_Cosines, additive=True), 0.15, 16.0, of_batch=False),
    "aam": _Kind(partial(_Cosines, additive=False), 0.2, 16.0, of_batch=False),
    "softmax": _Kind(_Classes, None, None, of_batch=False),
    "prototypical": _Kind(_Prototypical, None, 8.0, of_batch=True),
    "triplet": _Kind(_Triplet, 0.2, None, of_batch=True),
    "supcon": _Kind(_SupCon, None, 10.0, of_batch=True),
}


def compares_batch(loss: str) -> bool:
    """Return whether a loss compares the examples of a batch, which then should hold several of each identity."""
    return _LOSSES[choice("loss", loss, embedding_losses())].of_batch


def embedding_loss(
    name: str, *, features: int, identities: int, margin: float | None = None, scale: float | None = None
) -> nn.Module:
    """Return a loss of embeddings ``(batch, features)`` and identity numbers ``(batch,)``, the mean over the batch.

    Parameters
    ----------
    name
        ``"am"``, ``"aam"`` and ``"softmax"`` classify among the identities of training by weights that are trained
        along and then dropped; ``"prototypical"``, ``"triplet"`` and ``"supcon"`` compare the examples of a batch.
    features
        Of an embedding.
    identities
        How many there are.
    margin
        Of the cosine (am), in radians (aam), of the distance (triplet). With 0, am and aam are the softmax over
        cosines.
    scale
        Of cosines (am, aam, supcon) or squared distances (prototypical).

    Raises
    ------
    ArgumentError
        If the name is unknown, or a number is out of range or not one of this loss.

    Examples
    --------
    >>> loss = embedding_loss("am", features=2, identities=3)
    >>> loss(torch.randn(4, 2), torch.tensor([0, 1, 2, 0])).shape
    torch.Size([])
    """
    kind = _LOSSES[choice("loss", name, embedding_losses())]
    numbers: dict[str, float] = {}
    for key, given, usual in (("margin", margin, kind.margin), ("scale", scale, kind.scale)):
        if usual is not None:
            numbers[key] = usual if given is None else real(key, given, least=0)
        elif given is not None:
            raise ArgumentError(f"{key} must be left out for the loss {name}; got {given}. It has none.")
    if name == "aam" and numbers["margin"] > math.pi / 2:
        raise ArgumentError(f"margin must be at most pi/2 for the loss aam; got {margin}. It is in radians.")
    if numbers.get("scale") == 0:
        raise ArgumentError("scale must be above 0; got 0. It would make all embeddings alike.")
    sizes = (
        {}
        if kind.of_batch
        else {"features": whole("features", features), "identities": whole("identities", identities)}
    )
    return kind.build(**sizes, **numbers)

"""What training minimises, and what people read instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from scanwise._checks import choice, share
from scanwise.errors import ArgumentError
from scanwise.training._embedding_losses import embedding_loss, embedding_losses
from scanwise.verify import all_pairs, eer, min_cllr, some_identities

_MOST_PAIRED = 2000
"""Examples that are held back whose pairs are compared after every epoch, two million."""


@dataclass(frozen=True)
class Objective:
    """A loss to descend and a metric to read, both from outputs ``(batch, outputs)`` and targets.

    Attributes
    ----------
    task, loss_name, metric_name : str
    loss : callable
        ``(outputs, targets) -> scalar``, the mean over the batch; differentiable. A module if it has parameters of its
        own, which are trained along and then dropped.
    metric : callable
        ``(outputs, targets) -> scalar``, the mean over the batch.
    targets : callable
        ``(y, outputs) -> Tensor``: checks raw targets against the number of outputs and gives them the form
        that loss and metric expect.
    held_loss : callable
        As the loss, for examples that are held back; by default the same.
    """

    task: str
    loss_name: str
    metric_name: str
    loss: Callable[[Tensor, Tensor], Tensor]
    metric: Callable[[Tensor, Tensor], Tensor]
    targets: Callable[[Tensor, int], Tensor]
    held_loss: Callable[[Tensor, Tensor], Tensor] | None = None

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield what the loss itself has to learn."""
        if isinstance(self.loss, nn.Module):
            yield from self.loss.parameters()

    def judge(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of examples that are held back."""
        return (self.held_loss or self.loss)(outputs, targets)


_LOSSES: dict[str, dict[str, Callable[..., Any]]] = {
    "classify": {"cross_entropy": functional.cross_entropy},
    "regress": {"mse": functional.mse_loss, "huber": functional.huber_loss},
    "verify": dict.fromkeys(embedding_losses(), embedding_loss),
}


def tasks() -> tuple[str, ...]:
    """Return the names of the tasks.

    >>> tasks()
    ('classify', 'regress', 'verify')
    """
    return tuple(_LOSSES)


def losses(task: str) -> tuple[str, ...]:
    """Return the names of the losses of a task; the first is its default.

    >>> losses("regress")
    ('mse', 'huber')
    """
    return tuple(_LOSSES[choice("task", task, tasks())])


def objective(
    task: str,
    loss: str | None = None,
    *,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    features: int = 1,
    identities: int = 1,
    margin: float | None = None,
    scale: float | None = None,
) -> Objective:
    """Return the objective of a task.

    Parameters
    ----------
    task : {"classify", "regress", "verify"}
        Classification: cross-entropy over logits, accuracy. Regression: mean square or Huber loss, mean
        absolute error. Verification: outputs are embeddings; see `embedding_loss`. Identities that are held back were
        never seen, so whatever is descended, they are judged by all pairs: `scanwise.verify.min_cllr`, and the equal
        error rate.
    loss : str, optional
        One of `losses`.
    class_weights : torch.Tensor, optional
        ``(classes,)``, the weight of each class in the cross-entropy.
    label_smoothing : float
        Share of each target that is spread evenly over all classes, from 0 to 1 (Szegedy et al. 2016,
        section 7). Only for classification.
    features, identities : int
        Of verification: features of an embedding, and identities in the training data.
    margin, scale : float, optional
        Of verification, see `embedding_loss`.

    Raises
    ------
    ArgumentError
        If the task or the loss is unknown, or the smoothing is no share.

    Examples
    --------
    >>> objective("regress", "huber").metric_name
    'mean absolute error'
    """
    known = losses(task)
    name = known[0] if loss is None else choice("loss", loss, known)
    if task == "verify":
        module = embedding_loss(name, features=features, identities=identities, margin=margin, scale=scale)
        return Objective(task, name, "equal error rate", module, _equal_error_rate, identity_numbers, _least_cost)
    for key, value in (("margin", margin), ("scale", scale)):
        if value is not None:
            raise ArgumentError(f"{key} must be left out of the task {task}; got {value}. It is for embeddings.")
    if task == "regress":
        return Objective(task, name, "mean absolute error", _LOSSES[task][name], functional.l1_loss, _values)

    smoothing = share("label_smoothing", label_smoothing)

    def weighted(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets, weight=class_weights, label_smoothing=smoothing)

    return Objective(task, name, "accuracy", weighted, _accuracy, _classes)


def balanced_weights(classes: Tensor, count: int) -> Tensor:
    """Return weights ``(count,)`` under which every class present counts the same; 1 on average."""
    frequencies = torch.bincount(classes, minlength=count).float()
    present = frequencies > 0
    return torch.where(present, len(classes) / (present.sum() * frequencies.clamp(min=1)), 0.0)


def _accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.argmax(1) == targets).float().mean()


def _equal_error_rate(outputs: Tensor, targets: Tensor) -> Tensor:
    return _of_pairs(lambda *scores: eer(*scores).value, outputs, targets)


def _least_cost(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return what decisions would cost with the best calibration; it moves with every pair, unlike the error rate."""
    return _of_pairs(min_cllr, outputs, targets)


def _of_pairs(figure: Callable[[np.ndarray, np.ndarray], float], outputs: Tensor, targets: Tensor) -> Tensor:
    """Return a figure of all pairs, of some identities if there are many; NaN, which ends training, of such outputs."""
    if not outputs.isfinite().all():
        return torch.tensor(torch.nan)
    rows = some_identities(targets.cpu().numpy(), _MOST_PAIRED)
    return torch.tensor(figure(*all_pairs(outputs.detach().cpu().numpy()[rows], targets.cpu().numpy()[rows])))


def identity_numbers(y: Tensor, outputs: int = 0) -> Tensor:
    """Return identity numbers as int64 ``(batch,)``, however many outputs an embedding has."""
    if y.ndim != 1 or y.is_floating_point() or (len(y) and int(y.min()) < 0):
        raise ArgumentError(
            f"y must be whole identity numbers from 0, of shape (batch,); got {y.dtype} {tuple(y.shape)}. Number them."
        )
    return y.long()


def _classes(y: Tensor, outputs: int) -> Tensor:
    """Return class numbers as int64 ``(batch,)``."""
    if y.ndim != 1 or y.is_floating_point():
        raise ArgumentError(
            f"y must be whole class numbers of shape (batch,); got {y.dtype} {tuple(y.shape)}. "
            "Number the classes, or use task='regress'."
        )
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < outputs:
        raise ArgumentError(
            f"y must be class numbers from 0 to {outputs - 1}; got {int(y.min())} to {int(y.max())}. "
            "Build the net with as many outputs as there are classes."
        )
    return y.long()


def _values(y: Tensor, outputs: int) -> Tensor:
    """Return values as ``(batch, outputs)``; with one output, ``(batch,)`` will do."""
    values = y.reshape(len(y), -1)
    if values.shape[1] != outputs:
        raise ArgumentError(
            f"y must have {outputs} values for each example; got the shape {tuple(y.shape)}. "
            "Build the net with as many outputs as there are values."
        )
    if not torch.isfinite(values).all():
        raise ArgumentError("y must be finite; got NaN or infinity. Remove or repair these examples.")
    return values

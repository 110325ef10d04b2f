"""What training minimises, and what people read instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from scanwise._checks import choice, share
from scanwise.errors import ArgumentError


@dataclass(frozen=True)
class Objective:
    """A loss to descend and a metric to read, both from outputs ``(batch, outputs)`` and targets.

    Attributes
    ----------
    task, loss_name, metric_name : str
    loss : callable
        ``(outputs, targets) -> scalar``, the mean over the batch; differentiable.
    metric : callable
        ``(outputs, targets) -> scalar``, the mean over the batch.
    targets : callable
        ``(y, outputs) -> Tensor``: checks raw targets against the number of outputs and gives them the form
        that loss and metric expect.
    """

    task: str
    loss_name: str
    metric_name: str
    loss: Callable[[Tensor, Tensor], Tensor]
    metric: Callable[[Tensor, Tensor], Tensor]
    targets: Callable[[Tensor, int], Tensor]


_LOSSES: dict[str, dict[str, Callable[..., Tensor]]] = {
    "classify": {"cross_entropy": functional.cross_entropy},
    "regress": {"mse": functional.mse_loss, "huber": functional.huber_loss},
}


def tasks() -> tuple[str, ...]:
    """Return the names of the tasks.

    >>> tasks()
    ('classify', 'regress')
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
) -> Objective:
    """Return the objective of a task.

    Parameters
    ----------
    task : {"classify", "regress"}
        Classification: cross-entropy over logits, accuracy. Regression: mean square or Huber loss, mean
        absolute error.
    loss : str, optional
        One of `losses`.
    class_weights : torch.Tensor, optional
        ``(classes,)``, the weight of each class in the cross-entropy.
    label_smoothing : float
        Share of each target that is spread evenly over all classes, from 0 to 1 (Szegedy et al. 2016,
        section 7). Only for classification.

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
    function = _LOSSES[task][name]
    if task == "regress":
        return Objective(task, name, "mean absolute error", function, functional.l1_loss, _values)

    smoothing = share("label_smoothing", label_smoothing)

    def weighted(outputs: Tensor, targets: Tensor) -> Tensor:
        return function(outputs, targets, weight=class_weights, label_smoothing=smoothing)

    return Objective(task, name, "accuracy", weighted, _accuracy, _classes)


def balanced_weights(classes: Tensor, count: int) -> Tensor:
    """Return weights ``(count,)`` under which every class present counts the same; 1 on average."""
    frequencies = torch.bincount(classes, minlength=count).float()
    present = frequencies > 0
    return torch.where(present, len(classes) / (present.sum() * frequencies.clamp(min=1)), 0.0)


def _accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.argmax(1) == targets).float().mean()


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

"""Outputs of many windows, and how they compare with the truth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from scanwise.errors import ArgumentError


def predict(net: nn.Module, x: np.ndarray | Tensor, *, batch: int = 256, front: nn.Module | None = None) -> Tensor:
    """Return the outputs ``(n, outputs)`` of windows ``(n, channels, *window)``, in evaluation mode.

    With a `front`, windows pass it first, and the network sees what comes out of it.
    The network is left in the mode in which it was; it may be on any device, the outputs are in memory.
    """
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            parts = [
                net(part.to(device) if front is None else front(part.to(device))).cpu()
                for part in torch.split(torch.as_tensor(x), batch)
            ]
    finally:
        net.train(was_training)
    return torch.cat(parts)


def confusion(y_true: np.ndarray, y_pred: np.ndarray, classes: int) -> np.ndarray:
    """Return the confusion matrix.

    Parameters
    ----------
    y_true, y_pred : ndarray
        ``(n,)`` class numbers from 0.
    classes : int
        Number of classes.

    Returns
    -------
    ndarray
        ``(classes, classes)`` of int64: how often each true class (row) was taken for each class (column).

    Raises
    ------
    ArgumentError
        If the two differ in shape, or a number is not that of a class.

    Examples
    --------
    >>> confusion([0, 0, 1], [0, 1, 1], classes=2)
    array([[1, 1],
           [0, 1]])
    """
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if true.shape != predicted.shape or true.ndim != 1:
        raise ArgumentError(
            f"y_pred must have the shape (n,) of y_true; got {predicted.shape} for {true.shape}. "
            "Compare one answer with one truth."
        )
    both = np.concatenate([true, predicted])
    if both.size and not 0 <= both.min() <= both.max() < classes:
        raise ArgumentError(
            f"y_true and y_pred must be class numbers from 0 to {classes - 1}; got {both.min()} to "
            f"{both.max()}. Number the classes from 0."
        )
    flat = np.bincount(true.astype(np.int64) * classes + predicted.astype(np.int64), minlength=classes**2)
    return flat.reshape(classes, classes)

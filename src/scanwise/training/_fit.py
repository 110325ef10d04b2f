"""The door of training: checks everything, then runs the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scanwise._checks import choice, real, whole
from scanwise.errors import ArgumentError
from scanwise.nn import WindowNet
from scanwise.training._augment import Augmentation
from scanwise.training._batches import Batches
from scanwise.training._history import History
from scanwise.training._loop import Examples, Run
from scanwise.training._objectives import Objective, balanced_weights, objective
from scanwise.training._optimisers import FULL_BATCH, default_rate, make_optimiser, optimisers


def fit(
    net: WindowNet,
    x: np.ndarray | Tensor,
    y: np.ndarray | Tensor,
    *,
    task: str = "classify",
    loss: str | None = None,
    optimiser: str = "adamw",
    lr: float | None = None,
    weight_decay: float = 0.01,
    epochs: int = 20,
    batch: int = 64,
    seed: int = 0,
    validation: tuple[np.ndarray | Tensor, np.ndarray | Tensor] | None = None,
    patience: int | None = None,
    class_balance: bool = False,
    label_smoothing: float = 0.1,
    augment: Augmentation | None = None,
    schedule: str = "onecycle",
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> History:
    """Train a network on windows, and leave it in evaluation mode with the best weights.

    With validation, the best are those of the epoch with the lowest validation loss, otherwise the last.
    The order of the examples, augmentation and dropout depend on `seed` alone; the same seed on another
    number of threads or another machine gives other weights nevertheless, for sums are rounded differently.

    Parameters
    ----------
    net : WindowNet
        Trained in place, on the device on which it is.
    x : ndarray or torch.Tensor
        ``(n, channels, *window)``, one window each.
    y : ndarray or torch.Tensor
        Class numbers ``(n,)``, or values ``(n,)`` or ``(n, outputs)`` for regression.
    task, loss : str
        See `objective`.
    optimiser : str
        One of `optimisers`. ``"lbfgs"`` sees the whole training set at each step, at a constant rate; an
        epoch is one of its steps, and `weight_decay` does not apply.
    lr : float, optional
        Learning rate, with one cycle its peak. By default what the optimiser usually wants (`default_rate`).
    weight_decay : float
        Decay as the optimiser defines it.
    epochs : int
        How often to go through the examples at most.
    batch : int
        Largest number of examples per step.
    seed : int
        See above. The initial weights are the caller's.
    validation : (x, y), optional
        Held-out examples.
    patience : int, optional
        Stop after so many epochs without a lower validation loss. By default never.
    class_balance : bool
        Whether every class counts the same in the loss, however many examples it has.
    label_smoothing : float
        See `objective`; not for regression. A little of it keeps scores from saturating: a scan has to tell
        the window that fits best from its neighbours, and cannot where all of them score 1.
    augment : callable, optional
        See `Augmentation`.
    schedule : {"onecycle", "constant"}
        How the rate changes over the run.
    on_epoch : callable, optional
        Is given each row of the history when its epoch ends.

    Returns
    -------
    History

    Raises
    ------
    ArgumentError
        If an argument breaks its rule.
    TrainingError
        If a loss is no longer finite. The network then has the best weights so far.

    Examples
    --------
    >>> from scanwise.nn import mlp
    >>> x = np.array([[[0, 0]], [[0, 1]], [[1, 0]], [[1, 1]]], np.float32)
    >>> history = fit(mlp((1, 2), outputs=2), x, np.array([0, 1, 1, 0]), epochs=3)
    >>> [row["epoch"] for row in history.rows]
    [0, 1, 2]
    """
    goal = objective(task, loss, label_smoothing=label_smoothing)
    train = _examples("x", net, x, y, goal)
    held = None if validation is None else _examples("validation", net, *validation, goal)
    if patience is not None and held is None:
        raise ArgumentError("patience must come with validation; got none. Hold examples back with split.")
    if class_balance and task == "classify":
        weights = balanced_weights(train[1], net.outputs)
        goal = objective(task, loss, class_weights=weights, label_smoothing=label_smoothing)
    full = choice("optimiser", optimiser, optimisers()) in FULL_BATCH
    rate = default_rate(optimiser) if lr is None else real("lr", lr, above=0)
    decay = real("weight_decay", weight_decay, least=0)
    run = Run(
        net=net,
        goal=goal,
        train=train,
        held=held,
        optimiser=make_optimiser(optimiser, net.parameters(), lr=rate, weight_decay=decay),
        rate=rate,
        schedule=choice("schedule", schedule, ("onecycle", "constant")) if not full else "constant",
        batches=Batches(len(train[0]), len(train[0]) if full else batch, seed),
        epochs=whole("epochs", epochs),
        augment=augment,
        layout=_layout(net, full),
    )
    return run.go(
        patience=run.epochs if patience is None else whole("patience", patience),
        on_epoch=on_epoch or (lambda row: None),
    )


def _layout(net: WindowNet, full_batch: bool) -> torch.memory_format:
    """Return the layout to train in: with channels last, images take half the time. L-BFGS flattens weights."""
    images = len(net.window_shape) == 3
    return torch.channels_last if images and not full_batch else torch.contiguous_format


def _examples(name: str, net: WindowNet, x: np.ndarray | Tensor, y: np.ndarray | Tensor, goal: Objective) -> Examples:
    """Return checked windows and targets."""
    windows, targets = torch.as_tensor(x), torch.as_tensor(y)
    if tuple(windows.shape[1:]) != net.window_shape or not len(windows):
        raise ArgumentError(
            f"{name} must be windows of the shape (n, {', '.join(map(str, net.window_shape))}); "
            f"got {tuple(windows.shape)}. Cut or pad them to the network's window."
        )
    if len(targets) != len(windows):
        raise ArgumentError(f"y must have one target for each of {len(windows)} windows; got {len(targets)}.")
    dtype = next(net.parameters()).dtype
    windows = windows.to(dtype)
    if not torch.isfinite(windows).all():
        raise ArgumentError(f"{name} must be finite; got NaN or infinity. Remove or repair these windows.")
    targets = goal.targets(targets, net.outputs)
    return windows, targets.to(dtype) if targets.is_floating_point() else targets

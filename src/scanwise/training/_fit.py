"""The door of training: checks everything, then runs the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor, nn

from scanwise._checks import choice, real, whole
from scanwise.errors import ArgumentError
from scanwise.nn import WindowNet
from scanwise.training._augment import Augmentation
from scanwise.training._batches import Batches
from scanwise.training._cuts import Cuts
from scanwise.training._embedding_losses import compares_batch
from scanwise.training._history import History
from scanwise.training._identity_batches import IdentityBatches
from scanwise.training._loop import Run, Source, Stored
from scanwise.training._objectives import Objective, balanced_weights, identity_numbers, objective
from scanwise.training._optimisers import FULL_BATCH, default_rate, make_optimiser, optimisers


def fit(
    net: WindowNet,
    x: np.ndarray | Tensor | Cuts,
    y: np.ndarray | Tensor,
    *,
    front: nn.Module | None = None,
    task: str = "classify",
    loss: str | None = None,
    margin: float | None = None,
    scale: float | None = None,
    optimiser: str = "adamw",
    lr: float | None = None,
    weight_decay: float = 0.01,
    epochs: int = 20,
    batch: int = 64,
    seed: int = 0,
    validation: tuple[np.ndarray | Tensor, np.ndarray | Tensor] | None = None,
    patience: int | None = None,
    keep: str = "best",
    class_balance: bool = False,
    label_smoothing: float = 0.1,
    augment: Augmentation | None = None,
    schedule: str = "onecycle",
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> History:
    """Train a network on windows, and leave it in evaluation mode with the best weights.

    With validation, the best are those of the epoch with the lowest validation loss, otherwise, or with
    ``keep="last"``, the last.
    The order of the examples, augmentation and dropout depend on `seed` alone; the same seed on another
    number of threads or another machine gives other weights nevertheless, for sums are rounded differently.

    Parameters
    ----------
    net : WindowNet
        Trained in place, on the device on which it is.
    x : ndarray, torch.Tensor or Cuts
        ``(n, channels, *window)``, one window each; or ranges of recordings, from which a window is drawn anew
        each time an example is seen.
    y : ndarray or torch.Tensor
        Class or identity numbers ``(n,)``, or values ``(n,)`` or ``(n, outputs)`` for regression.
    front : torch.nn.Module, optional
        What windows pass before they reach the network, after augmentation, such as a log-mel front end or a
        normalisation. It is not trained, and stays on its device, which must be the network's.
    task, loss, margin, scale
        See `objective`. For a loss that compares examples, batches hold several of each identity that is in them.
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
        Largest number of examples per step; about so many where batches hold several of each identity.
    seed : int
        See above. The initial weights are the caller's.
    validation : (x, y), optional
        Held-out examples.
    patience : int, optional
        Stop after so many epochs without a lower validation loss. By default never.
    keep : {"best", "last"}
        The weights of which epoch. Where few are held back, the lowest loss is a matter of luck, and may be that of an
        epoch in which a falling rate had yet to settle; then the last are better. They cannot be waited for with
        `patience`.
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
    parameter = next(net.parameters())
    embeddings: dict[str, Any] = {"margin": margin, "scale": scale}
    if task == "verify":
        numbers = identity_numbers(torch.as_tensor(y))
        embeddings |= {"features": net.outputs, "identities": int(numbers.max()) + 1 if len(numbers) else 1}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        goal = objective(task, loss, label_smoothing=label_smoothing, **embeddings)
    if isinstance(goal.loss, nn.Module):
        goal.loss.to(parameter)
    front = nn.Identity() if front is None else front
    source, targets = _source("x", net, x, front), _targets(net, y, len(x), goal)
    held = None
    if validation is not None:
        windows = _source("validation", net, validation[0], front)
        held = windows.x, _targets(net, validation[1], len(windows), goal)
    if patience is not None and held is None:
        raise ArgumentError("patience must come with validation; got none. Hold examples back with split.")
    if class_balance and task == "classify":
        weights = balanced_weights(targets, net.outputs)
        goal = objective(task, loss, class_weights=weights, label_smoothing=label_smoothing)
    full = choice("optimiser", optimiser, optimisers()) in FULL_BATCH
    if class_balance and task == "verify":
        raise ArgumentError("class_balance must be left out of the task verify; got true. Identities are to be many.")
    rate = default_rate(optimiser) if lr is None else real("lr", lr, above=0)
    decay = real("weight_decay", weight_decay, least=0)
    run = Run(
        net=net,
        goal=goal,
        source=source,
        targets=targets,
        held=held,
        front=front,
        optimiser=make_optimiser(optimiser, [*net.parameters(), *goal.parameters()], lr=rate, weight_decay=decay),
        rate=rate,
        schedule=choice("schedule", schedule, ("onecycle", "constant")) if not full else "constant",
        batches=_batches(goal, targets, len(x) if full else batch, seed),
        epochs=whole("epochs", epochs),
        augment=augment,
        layout=_layout(net, full),
    )
    if choice("keep", keep, ("best", "last")) == "last" and patience is not None:
        raise ArgumentError(
            f"patience must be left out where the last weights are kept; got {patience}. Keep the best."
        )
    return run.go(
        keep=keep,
        patience=run.epochs if patience is None else whole("patience", patience),
        on_epoch=on_epoch or (lambda row: None),
    )


def _batches(goal: Objective, targets: Tensor, size: int, seed: int) -> Batches | IdentityBatches:
    """Return who is seen when; a loss that compares examples needs several of one identity in a batch."""
    if goal.task == "verify" and compares_batch(goal.loss_name):
        return IdentityBatches(targets.numpy(), size, seed)
    return Batches(len(targets), size, seed)


def _layout(net: WindowNet, full_batch: bool) -> torch.memory_format:
    """Return the layout to train in: with channels last, images take half the time. L-BFGS flattens weights."""
    images = len(net.window_shape) == 3
    return torch.channels_last if images and not full_batch else torch.contiguous_format


@overload
def _source(name: str, net: WindowNet, x: np.ndarray | Tensor, front: nn.Module) -> Stored: ...
@overload
def _source(name: str, net: WindowNet, x: np.ndarray | Tensor | Cuts, front: nn.Module) -> Source: ...
def _source(name: str, net: WindowNet, x: np.ndarray | Tensor | Cuts, front: nn.Module) -> Source:
    """Return where windows come from, once one of them has come through to the network's door."""
    parameter = next(net.parameters())
    source = x if isinstance(x, Cuts) else Stored(torch.as_tensor(x).to(parameter.dtype))
    if len(source):
        one = source.draw(torch.tensor([0]), torch.Generator().manual_seed(0))
        with torch.no_grad():
            seen = front(one.to(parameter)).shape if one.ndim > 2 else one.shape
    if not len(source) or tuple(seen[1:]) != net.window_shape:
        got = tuple(source.x.shape) if isinstance(source, Stored) else f"{len(source)} cuts of {source.window} samples"
        raise ArgumentError(
            f"{name} must be windows of the shape (n, {', '.join(map(str, net.window_shape))}); got {got}. "
            "Cut or pad them to the network's window, or give the front through which they come to it."
        )
    if isinstance(source, Stored) and not torch.isfinite(source.x).all():
        raise ArgumentError(f"{name} must be finite; got NaN or infinity. Remove or repair these windows.")
    return source


def _targets(net: WindowNet, y: np.ndarray | Tensor, count: int, goal: Objective) -> Tensor:
    """Return checked targets, one a window."""
    targets = torch.as_tensor(y)
    if len(targets) != count:
        raise ArgumentError(f"y must have one target for each of {count} windows; got {len(targets)}.")
    targets = goal.targets(targets, net.outputs)
    return targets.to(next(net.parameters()).dtype) if targets.is_floating_point() else targets

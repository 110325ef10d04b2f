"""The training door: from examples to a model."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from scanwise._checks import per_axis
from scanwise._version import __version__
from scanwise.errors import ArgumentError
from scanwise.model._device import checked_device
from scanwise.model._examples import Data, examples, windows
from scanwise.model._info import ModelInfo
from scanwise.model._model import Model
from scanwise.model._module import window_module
from scanwise.model._sets import Sets, sets
from scanwise.model._thresholds import pattern_threshold
from scanwise.nn import build, describe
from scanwise.run import Scanner
from scanwise.sources import Clips
from scanwise.training import Augmentation, chain, clutter, fit, predict, shift

__all__ = ["train"]

_STEPS = 1000
_EPOCHS = (12, 200)


def train(
    data: Data,
    model: str = "convnet",
    *,
    task: str | None = None,
    loss: str | None = None,
    window: int | Sequence[int] | None = None,
    hop: int | Sequence[int] | None = None,
    sample_rate_hz: float | None = None,
    background: bool = True,
    augment: bool = True,
    validation: float = 0.1,
    optimiser: str = "adamw",
    lr: float | None = None,
    weight_decay: float = 0.01,
    epochs: int | None = None,
    batch: int = 64,
    patience: int | None = None,
    class_balance: bool = False,
    schedule: str = "onecycle",
    seed: int = 0,
    device: str | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    **arguments: Any,
) -> Model:
    """Train a model on examples of patterns, or on windows with values to regress.

    Parameters
    ----------
    data
        A folder of images per class, an ``.npz`` file of `x` and `y`, `scanwise.sources.Clips`, or the arrays
        ``(x, y)``: `x` as ``(clips, channels, *space)``, `y` as class names, whole numbers or floats.
    model
        ``"convnet"`` or ``"mlp"``.
    task
        ``"classify"`` or ``"regress"``; by default what the data are fit for.
    loss
        ``"cross_entropy"`` for classes; ``"mse"`` (the default) or ``"huber"`` for regression.
    window
        Samples or pixels that one answer looks at, one number for all axes or one per axis. By default the
        examples' size, the median if they differ. Shorter examples are centred in their own background level,
        of longer ones the middle is taken.
    hop
        Samples or pixels between the windows of a search. By default 1 for images, for one axis the product
        of the network's strides.
    sample_rate_hz
        Samples per second of recordings, for tables in seconds.
    background
        Whether to add windows that hold no pattern (off-centre, fragments, joins), which a model needs to
        search. They join the class named background, noise or other, or become a class of their own.
    augment
        Whether the patterns of a classification jitter a little and get intruders at their sides.
    validation
        Share of the examples to hold back, for the choice of weights and thresholds.
    optimiser, lr, weight_decay, batch, patience, class_balance, schedule, seed
        As in `scanwise.training.fit`.
        In regression they act on targets of mean 0 and deviation 1, as do the losses and the metric of the
        history; the model answers in the targets' own unit.
    epochs
        Passes over the examples, at most. By default 12, or more for few examples.
    device
        Where to train, such as ``"cuda"``. By default a GPU if there is one.
    on_epoch
        Told of every epoch: its row of the history, and ``epochs``, how many there will be at most.
    **arguments
        Of the network, such as ``channels=(16, 32)`` or ``hidden=(64,)``; see `scanwise.nn`.

    Returns
    -------
    Model

    Raises
    ------
    ArgumentError
        If an argument is unknown or out of range, or does not suit the data.
    DataError
        If the data cannot be read, or a class has but one example.
    TrainingError
        If the loss is no longer finite.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(0, 0.1, (40, 1, 16)).astype(np.float32)
    >>> x[:20, 0, 4:12] += np.linspace(0, 1, 8)
    >>> x[20:, 0, 4:12] += np.linspace(1, 0, 8)
    >>> model = train((x, ["rise"] * 20 + ["fall"] * 20), "mlp", hidden=[16], epochs=30)
    >>> model.predict(x[25])
    'fall'
    """
    clips = examples(data, task)
    x = windows(clips, window)
    steps = None if hop is None else per_axis("hop", hop, x.ndim - 2)
    _check_numbers(validation=validation, seed=seed, sample_rate_hz=sample_rate_hz)
    for name in arguments.keys() & {"window_shape", "outputs"}:
        raise ArgumentError(f"{name} must be left out; got {arguments[name]!r}. It follows from the data and window=.")
    place = checked_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    parts = sets(clips, x, fraction=validation, seed=seed, background=background)
    mean, std = _normalisation(parts.train[0])
    centre, spread = _target_scale(parts.train[1]) if clips.classes is None else (0.0, 1.0)
    most = _default_epochs(len(parts.train[0]), batch) if epochs is None else epochs
    heard = on_epoch or (lambda row: None)
    classify = clips.classes is not None
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = build(model, window_shape=list(x.shape[1:]), outputs=parts.outputs, **arguments)
    history = fit(
        net.to(place),
        *_normalised(parts.train, mean, std, centre, spread),
        task="classify" if classify else "regress",
        loss=loss,
        optimiser=optimiser,
        lr=lr,
        weight_decay=weight_decay,
        epochs=most,
        batch=batch,
        seed=seed,
        validation=_normalised(parts.validation, mean, std, centre, spread),
        patience=patience,
        class_balance=class_balance,
        augment=_augmentation(x.shape[2:]) if augment and classify else None,
        schedule=schedule,
        on_epoch=lambda row: heard(row | {"epochs": most}),
    )
    if not classify:
        _rescale(net.head, centre, spread)
    scored = window_module(net.cpu(), mean=mean, std=std, classify=classify)
    info = ModelInfo(
        **describe(net),
        task="classify" if classify else "regress",
        channels=x.shape[1],
        window=x.shape[2:],
        hop=steps or _default_hop(scored, x.shape[1:]),
        classes=parts.classes,
        background=parts.background,
        background_labelled=parts.background_labelled,
        mean=mean,
        std=std,
        thresholds=_thresholds(scored, parts) if classify else None,
        sample_rate_hz=sample_rate_hz,
        seed=seed,
        versions={
            "scanwise": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )
    names = tuple(clips.names[i] for i in parts.held)
    held = Clips(x[parts.held], clips.y[parts.held], clips.classes, names)
    return Model(net, info, history.rows, validation=Model(net, info).evaluate(held))


def _check_numbers(*, validation: float, seed: int, sample_rate_hz: float | None) -> None:
    if not 0 < validation < 1:
        raise ArgumentError(f"validation must be above 0 and below 1; got {validation}. A tenth is usual.")
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed must be a whole number from 0 to 2**63 - 1; got {seed}. Choose another.")
    if sample_rate_hz is not None and not 0 < sample_rate_hz < math.inf:
        raise ArgumentError(
            f"sample_rate_hz must be above 0 and finite; got {sample_rate_hz}. Leave it out if unknown."
        )


def _normalisation(x: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation per channel; a channel that never changes is only shifted."""
    over = (0, *range(2, x.ndim))
    mean, std = x.mean(axis=over, dtype=np.float64), x.std(axis=over, dtype=np.float64)
    flat = std <= 1e-6 * np.abs(mean)
    return tuple(mean.tolist()), tuple(np.where(flat, 1, std).tolist())


def _target_scale(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of values to regress, per output."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused in training
        centre, spread = y.mean(axis=0), y.std(axis=0)
    return centre, np.where(spread <= 1e-6 * np.abs(centre), 1, spread)


def _normalised(
    examples: tuple[np.ndarray, np.ndarray],
    mean: Sequence[float],
    std: Sequence[float],
    centre: np.ndarray | float,
    spread: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Windows and targets as they are trained on; class numbers stay as they are."""
    x, y = examples
    shape = (-1, *(1,) * (x.ndim - 2))
    scaled = (x - np.asarray(mean, x.dtype).reshape(shape)) / np.asarray(std, x.dtype).reshape(shape)
    return scaled, y if y.dtype.kind == "i" else (y - centre) / spread


def _rescale(head: torch.nn.Module, centre: np.ndarray | float, spread: np.ndarray | float) -> None:
    """Let a head that has learnt ``(y - centre) / spread`` answer `y` itself."""
    scale, offset = (torch.as_tensor(value, dtype=torch.float32).reshape(-1) for value in (spread, centre))
    with torch.no_grad():
        weight, bias = head.get_parameter("weight"), head.get_parameter("bias")
        weight.mul_(scale[:, None])
        bias.mul_(scale).add_(offset)


def _default_epochs(count: int, batch: int) -> int:
    """So many that few examples are seen often enough: about `_STEPS` steps."""
    few, many = _EPOCHS
    return min(max(-(-_STEPS * batch // count), few), many)


def _augmentation(window: tuple[int, ...]) -> Augmentation | None:
    """Jitter by a fourteenth of the window, and intruders; none where a window is too short to have sides."""
    if min(window) < 8:
        return None
    return chain(shift(max(min(window) // 14, 1)), clutter(0.5))


def _thresholds(module: torch.nn.Module, parts: Sets) -> tuple[float, ...]:
    x, y = parts.calibration
    classes = parts.classes or ()
    background = {classes.index(name) for name in parts.background}
    return (pattern_threshold(predict(module, x).numpy(), y, background),) * len(classes)


def _default_hop(module: torch.nn.Module, window_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Every pixel of images; for one axis the total jump, below which answers share little that is new."""
    if len(window_shape) == 3:
        return (1, 1)
    return tuple(Scanner(module, window_shape).jump)

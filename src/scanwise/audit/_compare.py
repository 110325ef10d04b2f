"""The door of the comparison: five architectures, one description, the same data and training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from scanwise._checks import real, share, whole, wholes
from scanwise.audit._comparison import Comparison
from scanwise.audit._measure import usual_shifts
from scanwise.audit._shape import PerLayer, shape_of
from scanwise.audit._trial import Trial, crossings
from scanwise.errors import ArgumentError
from scanwise.geometry import Ledger, LedgerRow
from scanwise.model import Data, class_windows
from scanwise.training import default_rate, split

__all__ = ["compare"]

_STEPS = 1000
_EPOCHS = (3, 200)


def compare(
    data: Data,
    *,
    widths: Sequence[int] = (16, 16),
    kernels: PerLayer | None = None,
    strides: PerLayer | None = None,
    shifts: Sequence[int] | None = None,
    features: str | Mapping[str, Any] | None = None,
    window: float | Sequence[int] | None = None,
    sample_rate_hz: float | None = None,
    resample: bool = False,
    held_out: float = 0.2,
    epochs: int | None = None,
    batch: int = 64,
    lr: float | None = None,
    seed: int = 0,
    max_parameters: int = 2**24,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> Comparison:
    """Train five architectures of the same layer widths on the same data, and measure what sharing buys.

    ``dense`` is a regular network on the whole input; ``independent`` has a network of its own at each position of a
    window; ``local`` spreads that over locally connected layers; ``scanning`` and ``convolutional`` are the same
    two with weights that all positions share. Each gives a map of scores, and answers a clip by their mean.

    Parameters
    ----------
    data
        Clips of two classes or more, as `train` takes them.
    widths
        Channels of the layers before the last, ``N1, N2, ...``; the last has one per class.
    kernels, strides
        Of the distributed form, as in `scanwise.geometry.ledger`: at most one per layer, each a number for all axes or
        one per axis. By default two kernels whose product is about half the clip; by default each kernel but the last
        steps by its own size.
    shifts
        How far held-out clips are moved, to and fro along every axis; the level of their border comes in. In pixels,
        samples, or frames of the front end. By default four distances up to a quarter of the clip.
    features, window, sample_rate_hz, resample
        As in `train`; `window` is the size of the whole clip here.
    held_out
        Share of every class that is not learnt from.
    epochs
        Passes over the clips. By default about 1000 steps, within 3 to 200 epochs.
    batch, lr
        Clips per step; AdamW's peak learning rate.
    seed
        Of the division, the initial weights and the order of the clips.
    max_parameters
        Architectures with more are counted, and not trained.
    on_epoch
        Told of every epoch: its row of the history, the ``architecture``, and ``number`` of ``total`` epochs.

    Returns
    -------
    Comparison

    Raises
    ------
    ArgumentError
        If an argument is out of range, does not fit the clips, or leaves no architecture to train.
    DataError
        If the data cannot be read, or a class has but one clip.
    TrainingError
        If a loss is no longer finite.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(0, 0.1, (40, 1, 16)).astype(np.float32)
    >>> x[:20, 0, 6:10] += np.array([0, 1, 2, 3])
    >>> x[20:, 0, 6:10] += np.array([3, 2, 1, 0])
    >>> found = compare((x, ["rise"] * 20 + ["fall"] * 20), widths=[4, 4], epochs=2)
    >>> [(row.name, row.parameters) for row in found.rows]  # doctest: +NORMALIZE_WHITESPACE
    [('dense', 1414), ('independent', 330), ('local', 486), ('scanning', 66), ('convolutional', 90)]
    """
    size, rate = whole("batch", batch), default_rate("adamw") if lr is None else real("lr", lr, above=0)
    most = whole("max_parameters", max_parameters)
    if not 0 < share("held_out", held_out) < 1:
        raise ArgumentError(f"held_out must be above 0 and below 1; got {held_out}. A fifth is usual.")
    clips = class_windows(data, features=features, window=window, sample_rate_hz=sample_rate_hz, resample=resample)
    if len(clips.classes) < 2:
        raise ArgumentError(f"data must be of two classes or more; got {', '.join(clips.classes)}. Add another class.")
    channels, *space = clips.x.shape[1:]
    shape = shape_of(channels, tuple(space), len(clips.classes), widths=widths, kernels=kernels, strides=strides)
    account = shape.account()
    trained = _affordable(account, most)
    learn, held = split(clips.y, held_out, seed, classes=clips.classes)
    x = _normalised(clips.x, learn)
    distances = usual_shifts(space) if shifts is None else _distances(shifts)
    passes = _usual_epochs(len(learn), size) if epochs is None else whole("epochs", epochs)
    trial = Trial(
        shape=shape,
        account=account,
        x=x[learn],
        y=clips.y[learn],
        held=(x[held], clips.y[held]),
        shifts=distances,
        epochs=passes,
        batch=size,
        lr=rate,
        seed=seed,
        heard=_numbered(on_epoch, total=len(trained) * passes),
    )
    return Comparison(
        rows=tuple(trial.measured(row, train=row in trained) for row in account.rows),
        account=account,
        crossings=crossings(shape, account),
        channels=channels,
        space=shape.space,
        unit=clips.unit,
        kernels=shape.kernels,
        strides=shape.strides,
        classes=clips.classes,
        train_count=len(learn),
        held_out_count=len(held),
        shifts=distances,
        epochs=passes,
        batch=size,
        lr=rate,
        seed=seed,
        max_parameters=most,
    )


def _affordable(account: Ledger, most: int) -> list[LedgerRow]:
    """The architectures with at most so many parameters."""
    rows = [row for row in account.rows if row.weights <= most]
    if not rows:
        least = min(row.weights for row in account.rows)
        raise ArgumentError(
            f"max_parameters must allow the smallest architecture, {least:,}; got {most:,}. "
            "Raise it, or use smaller widths."
        )
    return rows


def _distances(shifts: Sequence[int]) -> tuple[int, ...]:
    """The distances, each once, in order."""
    distances = tuple(sorted(set(wholes("shifts", shifts))))
    if not distances:
        raise ArgumentError("shifts must be one distance or more; got none. Leave it out for the usual ones.")
    return distances


def _normalised(x: np.ndarray, learn: np.ndarray) -> np.ndarray:
    """`x` with mean 0 and deviation 1 per channel, over what is learnt from; what never changes is only shifted."""
    over = (0, *range(2, x.ndim))
    mean = x[learn].mean(axis=over, dtype=np.float64, keepdims=True)
    std = x[learn].std(axis=over, dtype=np.float64, keepdims=True)
    return np.asarray((x - mean) / np.where(std <= 1e-6 * np.abs(mean), 1, std), np.float32)


def _usual_epochs(clips: int, batch: int) -> int:
    few, many = _EPOCHS
    return min(max(-(-_STEPS * batch // clips), few), many)


def _numbered(
    on_epoch: Callable[[dict[str, Any]], None] | None, *, total: int
) -> Callable[[str, dict[str, Any]], None]:
    """`on_epoch` for one architecture after the other, with the epochs of all numbered."""
    numbers = count(1)

    def heard(name: str, row: dict[str, Any]) -> None:
        if on_epoch is not None:
            on_epoch(row | {"architecture": name, "number": next(numbers), "total": total})

    return heard

"""The training door: from examples to a model."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from scanwise import features as fronts
from scanwise import nn
from scanwise._checks import choice, real
from scanwise._version import __version__
from scanwise.errors import ArgumentError
from scanwise.features import Front
from scanwise.model._device import checked_device
from scanwise.model._examples import TASKS, Data, check_task, examples
from scanwise.model._info import ModelInfo
from scanwise.model._labelled import read_labelled
from scanwise.model._labels import Labels
from scanwise.model._layout import layout_of
from scanwise.model._model import Model
from scanwise.model._module import front_module
from scanwise.model._recording_sets import sets_of
from scanwise.model._sets import Wanted
from scanwise.nn import WindowNet, build
from scanwise.sources import Reading
from scanwise.training import Cuts, fit, whiten_head

__all__ = ["train"]

_STEPS = 1000
_RECORDING_STEPS = 1600  # a window begins somewhere else each time it is seen: there is more to learn from
_SPECTRAL_DROPOUT = 0.2
_EPOCHS = (12, 200)
_DIMENSIONS = 128
_MOST_MEASURED = 2000  # windows that the normalisation is taken from, where they can be drawn without end


def train(
    data: Data | Mapping[str, np.ndarray],
    model: str = "convnet",
    *,
    labels: Labels | None = None,
    label_column: str | None = None,
    unlabelled: str = "background",
    task: str | None = None,
    loss: str | None = None,
    margin: float | None = None,
    scale: float | None = None,
    dimensions: int | None = None,
    symmetries: bool = False,
    whiten: bool = True,
    features: str | Mapping[str, Any] | None = None,
    window: float | Sequence[int] | None = None,
    hop: float | Sequence[int] | None = None,
    sample_rate_hz: float | None = None,
    resample: bool = False,
    columns: Sequence[str] | None = None,
    false_alarms_per_hour: float | None = None,
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
    """Train a model on examples of patterns, on recordings with labels, or on windows with values to regress.

    Parameters
    ----------
    data
        A folder of images or recordings per class, a manifest (CSV with the columns ``file,label``), an ``.npz`` file
        of `x` and `y`, `scanwise.sources.Clips`, or the arrays ``(x, y)``: `x` as ``(clips, channels, *space)``, `y`
        as class names, whole numbers or floats. With `labels`: a recording, a folder or a manifest of them, or arrays
        ``(channels, samples)`` by name.
    model
        One of `scanwise.nn.families`: ``"convnet"``, ``"mlp"``, or ``"tdnn"`` for signals.
    labels
        What is where in the recordings: a table ``file, start_s, end_s, label`` (seconds) or ``file, start, end,
        label`` (samples), its file, or a folder with a file for each recording; see `scanwise.events.parse_labels`
        for the formats. A table without rows means: reviewed, and there is nothing.
    label_column
        Of Raven selection tables, the column of the labels. By default ``Annotation``.
    unlabelled
        What stretches without a label are: ``"background"``, or ``"ignore"`` to learn nothing from them.
    task
        ``"classify"`` or ``"regress"``; by default what the data are fit for. ``"verify"`` to tell whether two samples
        show the same class, one of training's or another: the network's outputs are then embeddings.
    loss
        ``"cross_entropy"`` for classes; ``"mse"`` (the default) or ``"huber"`` for regression; to verify, ``"am"``
        (the default), ``"aam"``, ``"softmax"``, ``"prototypical"``, ``"triplet"`` or ``"supcon"``, see
        `scanwise.training.embedding_loss`.
    margin, scale
        Of the losses that verify.
    dimensions
        Of an embedding, by default 128.
    symmetries
        To verify square images: whether the classes, turned by quarters and mirrored, are further classes to learn
        from, as with letters. Not for what looks the same from all sides.
    whiten
        To verify: whether directions of embeddings in which examples of one class differ count for less, see
        `scanwise.training.whiten_head`.
    features
        What the network looks at in signals: ``"raw"`` samples or ``"logmel"``, a log-mel spectrogram; or the front's
        name and arguments, ``{"name": "logmel", "n_fft": 512}``, see `scanwise.features`. By default spectra from
        4000 samples per second on.
    window
        Samples or pixels that one answer looks at, one number for all axes or one per axis; a float is seconds. By
        default the examples' size, the median if they differ. With spectra it is rounded to whole frames. Shorter
        examples are centred in their own background level, of longer ones the middle is taken; of sound the centre of
        energy.
    hop
        Samples or pixels between the windows of a search; a float is seconds. By default 1 for images, for one axis
        the product of the network's strides and the front's step.
    sample_rate_hz
        Samples per second of recordings that do not say; others must have it.
    resample
        Whether recordings of another rate are resampled to `sample_rate_hz`, or to the most common rate. Otherwise
        they fail.
    columns
        Of CSV recordings, the columns that are the channels. By default all but ``time_s``.
    false_alarms_per_hour
        How many are bearable in recordings; the threshold keeps to it on validation data. By default the threshold
        of the highest F1 is taken.
    background
        Whether to add windows that hold no pattern (off-centre, fragments, joins), which a model needs to
        search. They join the class named background, noise or other, or become a class of their own.
    augment
        Whether the patterns of a classification jitter a little and get intruders at their sides; sound varies in
        level and colour and gets noise.
    validation
        Share of the examples to hold back, for the choice of weights and thresholds. To verify, whole classes are
        held back, five at least if there are ten; as they are few, the last weights are kept unless there is
        `patience`.
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
        Of the network, such as ``channels=(16, 32)`` or ``hidden=(64,)``; see `scanwise.nn`. Before
        spectra, ``dropout`` is 0.2 by default.

    Returns
    -------
    Model

    Raises
    ------
    ArgumentError
        If an argument is unknown or out of range, or does not suit the data.
    DataError
        If the data cannot be read, or a class has but one example. Of several files, each that cannot be used is an
        `InputFailed` warning.
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
    _check_numbers(validation=validation, seed=seed, sample_rate_hz=sample_rate_hz)
    if false_alarms_per_hour is not None:
        real("false_alarms_per_hour", false_alarms_per_hour, least=0)
    reading = Reading(sample_rate_hz, resample, columns)  # type: ignore[arg-type]  # made a tuple there
    check_task(task, TASKS if labels is None else ("classify",))
    choice("unlabelled", unlabelled, ("background", "ignore"))
    for name in arguments.keys() & {"window_shape", "outputs"}:
        raise ArgumentError(f"{name} must be left out; got {arguments[name]!r}. It follows from the data and window=.")
    place = checked_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    given = (
        examples(data, task, reading)  # type: ignore[arg-type]
        if labels is None
        else read_labelled(data, labels, reading=reading, label_column=label_column)  # type: ignore[arg-type]
    )
    layout = layout_of(given, features=features, window=window, hop=hop)
    if reading.columns is not None and len(reading.columns) != layout.channels:
        raise ArgumentError(
            f"columns must be left out for recordings that are no CSV, which have {layout.channels} channels here; "
            f"got {', '.join(reading.columns)}. Leave it out."
        )
    parts = sets_of(
        given,
        Wanted(
            task=task,
            window=layout.window,
            fraction=validation,
            seed=seed,
            background=background,
            augment=augment,
            sound=layout.spectral,
            unlabelled=unlabelled,
            false_alarms_per_hour=false_alarms_per_hour,
            symmetries=symmetries,
            whiten=whiten,
        ),
    )
    special = {"dimensions": dimensions, "symmetries": symmetries or None, "whiten": None if whiten else False}
    for name, value in special.items():
        if value is not None and parts.task != "verify":
            raise ArgumentError(f"{name} must be left out of the task {parts.task}; got {value}. It is for embeddings.")
    mean, std = _normalisation(parts.x, layout.front)
    front = front_module(layout.front, mean=mean, std=std, axes=len(layout.window))
    centre, spread = _target_scale(parts.y) if parts.task == "regress" else (0.0, 1.0)
    scaled = [(y - centre) / spread if parts.task == "regress" else y for y in (parts.y, parts.validation[1])]
    steps = _RECORDING_STEPS if isinstance(parts.x, Cuts) else _STEPS
    most = _default_epochs(len(parts.x), batch, steps) if epochs is None else epochs
    usual = {"dropout": _SPECTRAL_DROPOUT} if layout.spectral else {}
    heard = on_epoch or (lambda row: None)
    asked = _DIMENSIONS if dimensions is None else dimensions
    outputs = asked if parts.outputs is None else parts.outputs
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = build(
            model,
            window_shape=layout.network_shape,
            outputs=outputs,
            **usual | arguments,
        )
    history = fit(
        net.to(place),
        parts.x,
        scaled[0],
        front=front.to(place),
        task=parts.task,
        loss=loss,
        margin=margin,
        scale=scale,
        optimiser=optimiser,
        lr=lr,
        weight_decay=weight_decay,
        epochs=most,
        batch=batch,
        seed=seed,
        validation=(parts.validation[0], scaled[1]),
        patience=patience,
        keep="last" if parts.task == "verify" and patience is None else "best",
        class_balance=class_balance,
        augment=parts.augment,
        schedule=schedule,
        on_epoch=lambda row: heard(row | {"epochs": most}),
    )
    if parts.task == "regress":
        _rescale(net.head, centre, spread)
    if parts.within is not None:
        whiten_head(net, *parts.within, front=front, seed=seed)
    net.cpu()
    info = ModelInfo(
        **nn.describe(net),
        task=parts.task,
        channels=layout.channels,
        window=layout.window,
        features=None if layout.front is None else fronts.describe(layout.front),
        hop=layout.hop or _default_hop(net, layout.front),
        **parts.facts,
        mean=mean,
        std=std,
        sample_rate_hz=layout.rate_hz,
        columns=reading.columns,
        seed=seed,
        versions={
            "scanwise": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )
    info = parts.settle(Model(net, info))
    return Model(net, info, history.rows, validation=parts.judge(Model(net, info)))


def _check_numbers(*, validation: float, seed: int, sample_rate_hz: float | None) -> None:
    if not 0 < validation < 1:
        raise ArgumentError(f"validation must be above 0 and below 1; got {validation}. A tenth is usual.")
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed must be a whole number from 0 to 2**63 - 1; got {seed}. Choose another.")
    if sample_rate_hz is not None and not 0 < sample_rate_hz < math.inf:
        raise ArgumentError(
            f"sample_rate_hz must be above 0 and finite; got {sample_rate_hz}. Leave it out if unknown."
        )


def _normalisation(x: np.ndarray | Cuts, front: Front | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation per channel of what the network looks at; a channel that never changes is only shifted."""
    count, total, squares = 0, np.zeros(()), np.zeros(())
    for part in _parts(x):
        with torch.inference_mode():
            seen = np.asarray(part if front is None else front(torch.from_numpy(part)), np.float64)
        over = (0, *range(2, seen.ndim))
        count += seen.size // seen.shape[1]
        total, squares = total + seen.sum(axis=over), squares + np.square(seen).sum(axis=over)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - np.square(mean), 0))
    flat = std <= 1e-6 * np.abs(mean)
    return tuple(mean.tolist()), tuple(np.where(flat, 1, std).tolist())


def _parts(x: np.ndarray | Cuts) -> Iterator[np.ndarray]:
    """Windows to measure, a few at a time: long ones do not fit in memory all at once."""
    count = len(x) if isinstance(x, np.ndarray) else min(len(x), _MOST_MEASURED)
    rows = torch.linspace(0, len(x) - 1, count).long()
    for some in torch.split(rows, 64):
        yield x[some.numpy()] if isinstance(x, np.ndarray) else x.draw(some, torch.Generator().manual_seed(0)).numpy()


def _target_scale(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of values to regress, per output."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused in training
        centre, spread = y.mean(axis=0), y.std(axis=0)
    return centre, np.where(spread <= 1e-6 * np.abs(centre), 1, spread)


def _rescale(head: torch.nn.Module, centre: np.ndarray | float, spread: np.ndarray | float) -> None:
    """Let a head that has learnt ``(y - centre) / spread`` answer `y` itself."""
    scale, offset = (torch.as_tensor(value, dtype=torch.float32).reshape(-1) for value in (spread, centre))
    with torch.no_grad():
        weight, bias = head.get_parameter("weight"), head.get_parameter("bias")
        weight.mul_(scale[:, None])
        bias.mul_(scale).add_(offset)


def _default_epochs(count: int, batch: int, steps: int) -> int:
    """So many that few examples are seen often enough: about `steps` steps."""
    few, many = _EPOCHS
    return min(max(-(-steps * batch // count), few), many)


def _default_hop(net: WindowNet, front: Front | None) -> tuple[int, ...]:
    """Every pixel of images; for signals the network's stride, below which answers share little that is new."""
    return (1, 1) if front is None else (net.stride[0] * front.step_samples,)

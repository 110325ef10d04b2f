"""What one answer looks at: channels, window, front end and rate, from the data and what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanwise import features as fronts
from scanwise._checks import per_axis, real
from scanwise.errors import ArgumentError
from scanwise.features import Front
from scanwise.model._labelled import Labelled
from scanwise.sources import Clips

__all__ = ["Layout", "extent_of", "layout_of"]


_MOST_TIMES = 10


@dataclass(frozen=True, eq=False)
class Layout:
    """The shape of the question.

    Attributes
    ----------
    channels, window
        As in `ModelInfo`.
    front
        The front end of signals; None for images.
    rate_hz
        Samples a second; None if unknown, and of images.
    hop
        As in `ModelInfo`; None if nobody asked for one.
    """

    channels: int
    window: tuple[int, ...]
    front: Front | None
    rate_hz: float | None
    hop: tuple[int, ...] | None

    @property
    def window_shape(self) -> tuple[int, ...]:
        """``(channels, *window)``."""
        return (self.channels, *self.window)

    @property
    def network_shape(self) -> list[int]:
        """What the network looks at."""
        if self.front is None:
            return list(self.window_shape)
        return [self.front.outputs, self.front.frames(self.window[0])]

    @property
    def spectral(self) -> bool:
        """Whether the network looks at spectra."""
        return self.front is not None and self.front.name != "raw"


def layout_of(
    data: Clips | Labelled,
    *,
    features: str | Mapping[str, Any] | None,
    window: float | Sequence[int] | None,
    hop: float | Sequence[int] | None,
) -> Layout:
    """The layout of `data`; floats are seconds."""
    rate = data.rate_hz
    axes = 1 if isinstance(data, Labelled) else data.x[0].ndim - 1
    channels = int((data.recordings if isinstance(data, Labelled) else data.x)[0].shape[0])
    extent = _usual_extent(data) if window is None else extent_of("window", window, axes, rate)
    _check_not_lost(extent, data)
    steps = None if hop is None else extent_of("hop", hop, axes, rate)
    if axes != 1:
        if features is not None:
            raise ArgumentError(f"features must be left out for images; got {features!r}. They are for signals.")
        return Layout(channels, extent, None, None, steps)
    front = _front(features, channels, rate)
    return Layout(channels, (_whole_frames(extent[0], front, rate),), front, rate, steps)


def _check_not_lost(extent: tuple[int, ...], data: Clips | Labelled) -> None:
    """Refuse a window in which the longest example would be lost; a slip of the pen can ask for all memory."""
    examples = data.x if isinstance(data, Clips) else data.recordings
    longest = np.max([x.shape[1:] for x in examples], axis=0)
    for size, most in zip(extent, longest.tolist(), strict=True):
        if size > _MOST_TIMES * most:
            raise ArgumentError(
                f"window must be at most {_MOST_TIMES} times as long as the longest example, {most}; got {size}. "
                "Whole numbers are samples or pixels, numbers with a decimal point seconds."
            )


def _usual_extent(data: Clips | Labelled) -> tuple[int, ...]:
    """The median of the examples' sizes, per axis."""
    if isinstance(data, Clips):
        sizes = np.array([clip.shape[1:] for clip in data.x])
    else:
        sizes = (data.events["end"] - data.events["start"]).to_numpy()[:, None]
        if np.median(sizes) < 2:
            raise ArgumentError("window must be given, as the labels are points in time; got none. Add a window.")
    return tuple(int(size) for size in np.median(sizes, axis=0))


def extent_of(name: str, value: float | Sequence[int], axes: int, rate_hz: float | None) -> tuple[int, ...]:
    """Samples or pixels, per axis; a float is seconds."""
    if not isinstance(value, float | np.floating):
        return per_axis(name, value, axes)
    if rate_hz is None:
        raise ArgumentError(
            f"{name} must be a whole number of samples or pixels where no rate is known; got {value} seconds. "
            "Count in samples, or give the sample rate."
        )
    return per_axis(name, max(round(real(name, float(value), above=0) * rate_hz), 1), axes)


def _front(features: str | Mapping[str, Any] | None, channels: int, rate_hz: float | None) -> Front:
    """The front end that was asked for, or the usual one."""
    if features is not None and not isinstance(features, str | Mapping):
        raise ArgumentError(f"features must be a name, or a name and arguments; got {features!r}. Write logmel, say.")
    arguments = {"name": features} if isinstance(features, str) else dict(features or {})
    for given in arguments.keys() & {"channels", "rate_hz"}:
        raise ArgumentError(f"features must leave out {given}; got {arguments[given]!r}. It follows from the data.")
    name = arguments.pop("name", None) or fronts.default(rate_hz)
    if name == "raw":
        return fronts.build(name, channels=channels, **arguments)
    if rate_hz is None:
        raise ArgumentError(f"sample_rate_hz must be known for {name}; got none. Give the recordings' rate.")
    return fronts.build(name, **{"channels": channels, "rate_hz": rate_hz} | arguments)


def _whole_frames(window: int, front: Front, rate_hz: float | None) -> int:
    """The window rounded to whole frames."""
    if window < front.frame_samples:
        seconds = f" ({window / rate_hz:.4g} s)" if rate_hz else ""
        raise ArgumentError(
            f"window must hold a frame of {front.name}, {front.frame_samples} samples; got {window}{seconds}. "
            "Whole numbers are samples, numbers with a decimal point seconds; or look at raw samples."
        )
    return front.samples(1 + round((window - front.frame_samples) / front.step_samples))

"""Examples of classes as windows of one size, for whoever measures networks on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from scanwise.features import Front
from scanwise.model._examples import Data, examples, windows
from scanwise.model._layout import layout_of
from scanwise.sources import Reading

__all__ = ["ClassWindows", "class_windows"]


@dataclass(frozen=True, eq=False)
class ClassWindows:
    """Examples as a network sees them, all of one size.

    Attributes
    ----------
    x
        ``(clips, channels, *space)`` float32, behind the front end if there is one.
    y
        ``(clips,)`` int64 class numbers.
    classes
        Their names.
    unit
        What the axes of space count: ``pixels``, ``samples`` or ``frames``.
    """

    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    unit: str


def class_windows(
    data: Data,
    *,
    features: str | Mapping[str, Any] | None = None,
    window: float | Sequence[int] | None = None,
    sample_rate_hz: float | None = None,
    resample: bool = False,
) -> ClassWindows:
    """Return the examples of `data` as windows, cut and looked at as `train` does it by default.

    Parameters, and what is raised, are those of `train`; the task is to classify. Nothing is added to the
    examples and nothing normalised.

    Examples
    --------
    >>> found = class_windows((np.zeros((4, 1, 6, 8)), ["a", "a", "b", "b"]), window=6)
    >>> found.x.shape, found.classes, found.unit
    ((4, 1, 6, 6), ('a', 'b'), 'pixels')
    """
    clips = examples(data, "classify", Reading(sample_rate_hz, resample))
    layout = layout_of(clips, features=features, window=window, hop=None)
    x = windows(clips, layout.window)
    unit = "pixels" if layout.front is None else "frames" if layout.spectral else "samples"
    return ClassWindows(x if layout.front is None else _seen(x, layout.front), clips.y, clips.classes or (), unit)


def _seen(x: np.ndarray, front: Front) -> np.ndarray:
    """What the front makes of windows, a few at a time."""
    with torch.inference_mode():
        return np.concatenate([front(part).numpy() for part in torch.split(torch.from_numpy(x), 64)])

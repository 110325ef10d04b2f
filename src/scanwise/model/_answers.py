"""One answer a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scanwise.model._clips import padded, padded_to_window
from scanwise.model._info import ModelInfo

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["answers", "clip_scores"]

_BATCH = 256


def answers(model: Model, clips: Sequence[np.ndarray]) -> list[Any]:
    """One answer a clip: the name of a class, a number, or ``(outputs,)``."""
    scores = clip_scores(model, clips)
    if model.info.classes is not None:
        return [model.info.classes[k] for k in scores.argmax(axis=1)]
    return scores[:, 0].tolist() if scores.shape[1] == 1 else list(scores)


def clip_scores(model: Model, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Scores ``(clips, outputs)`` of clips ``(channels, *space)`` of any sizes.

    For classes those of the window in which the best one that is no background scores highest; a background
    class that did not come with the data is left out (minus infinity). For regression the mean over windows. Clips of
    signals are searched as recordings are, half a window beyond either end, if there is a class for what is not found.
    """
    info = model.info
    searched = len(info.window) == 1 and info.sample_rate_hz is not None and bool(info.background)
    half = [(extent // 2, extent // 2) for extent in info.window]
    fitted = [padded_to_window(padded(clip, half) if searched else clip, info.window) for clip in clips]
    result = np.empty((len(fitted), model.net.outputs), np.float32)
    for shape in {clip.shape for clip in fitted}:
        same = [i for i, clip in enumerate(fitted) if clip.shape == shape]
        for start in range(0, len(same), _BATCH):
            rows = same[start : start + _BATCH]
            scores = _dense(model, np.stack([fitted[i] for i in rows]))
            result[rows] = _combined(scores.reshape(*scores.shape[:2], -1), model.info)
    return result


def _dense(model: Model, clips: np.ndarray) -> np.ndarray:
    """``(clips, outputs, *positions)``; a clip of one window needs no scanner in the network's own number type."""
    if clips.shape[1:] != model.info.window_shape or model.precision is not None:
        return np.asarray(model.scanner().scan(clips))
    with torch.inference_mode():
        return np.asarray(model.module(torch.from_numpy(clips).to(model.device)).cpu().numpy())


def _combined(scores: np.ndarray, info: ModelInfo) -> np.ndarray:
    """``(clips, outputs, windows)`` to ``(clips, outputs)``."""
    if info.classes is None:
        return np.asarray(scores.mean(axis=2))
    foreground = [k for k, label in enumerate(info.labels) if label is not None]
    best = scores[:, foreground].max(axis=1).argmax(axis=1)
    chosen = np.take_along_axis(scores, best[:, None, None], axis=2)[:, :, 0]
    if not info.background_labelled:
        chosen[:, [k for k, label in enumerate(info.labels) if label is None]] = -np.inf
    return np.asarray(chosen)

"""One embedding a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from scanwise.errors import DataError
from scanwise.model._clips import padded_to_window

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["clip_embeddings"]

_BATCH = 256


def clip_embeddings(model: Model, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Embeddings ``(clips, features)`` of clips ``(channels, *space)``."""
    known = model.info.verification
    fitted = [padded_to_window(clip, model.info.window) for clip in clips]
    return _of_windows(model, fitted) if known is None else _pooled_scans(model, fitted, known.pooling)


def _of_windows(model: Model, clips: Sequence[np.ndarray]) -> np.ndarray:
    """What the head of a classifier or a regression sees."""
    for clip in clips:
        if clip.shape != model.info.window_shape:
            raise DataError(
                f"clips must fit the window, {model.info.window}; got {clip.shape[1:]}. Cut them to it, or train to "
                "verify: such a model pools what it scans."
            )
    with torch.inference_mode():
        x = torch.from_numpy(np.stack(clips)).to(model.device)
        return np.asarray(model.net.embedding(model.module.get_submodule("front")(x)).cpu().numpy())


def _pooled_scans(model: Model, clips: Sequence[np.ndarray], pooling: str) -> np.ndarray:
    """Of each clip's windows, brought to length 1, the mean, or mean and deviation.

    No clip is padded to another's length, and on the native backend no bit depends on which clips are scanned together;
    on torch they are scanned one by one, so that none does there either.
    """
    scanner = model.scanner()
    batch = _BATCH if scanner.backend == "native" else 1
    result: list[np.ndarray] = [np.empty(0)] * len(clips)
    for shape in sorted({clip.shape for clip in clips}):
        same = [i for i, clip in enumerate(clips) if clip.shape == shape]
        for start in range(0, len(same), batch):
            rows = same[start : start + batch]
            dense = np.asarray(scanner.scan(np.stack([clips[i] for i in rows])))
            for row, windows in zip(rows, dense, strict=True):
                result[row] = _pooled(windows.reshape(len(windows), -1), pooling)
    return np.stack(result)


def _pooled(windows: np.ndarray, pooling: str) -> np.ndarray:
    """``(features, windows)`` to one embedding; a window whose embedding is 0 stays 0."""
    lengths = np.linalg.norm(windows, axis=0)
    unit = windows / np.where(lengths > 0, lengths, 1)
    parts = [unit.mean(axis=1), unit.std(axis=1)]
    return parts[0] if pooling == "mean" else np.concatenate(parts)

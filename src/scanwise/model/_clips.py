"""Fitting inputs to the window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scanwise.errors import DataError
from scanwise.model._info import ModelInfo

__all__ = ["checked_input", "cropped", "level", "padded", "padded_to_window"]


def checked_input(x: np.ndarray, info: ModelInfo, name: str) -> np.ndarray:
    """`x` as float32 ``(channels, *space)``; a missing channel axis is added where there is one channel.

    Raises
    ------
    DataError
        If `x` has other channels or axes than the model, is empty, or is not finite.
    """
    x = np.asarray(x)
    if x.ndim == len(info.window) and info.channels == 1:
        x = x[None]
    if x.ndim != 1 + len(info.window) or x.dtype.kind not in "biuf":
        raise DataError(
            f"{name}: must be numbers (channels, *space) with {len(info.window)} axes of space; got "
            f"{x.dtype} {x.shape}. Reshape it."
        )
    if x.shape[0] != info.channels:
        raise DataError(
            f"{name}: must have as many channels as in training, {info.channels}; got {x.shape[0]}. "
            "Convert it, or train with inputs of this kind."
        )
    x = x.astype(np.float32, copy=False)
    if not x.size or not np.isfinite(x).all():
        raise DataError(f"{name}: must hold finite numbers; got none, NaN or infinity. Repair or leave it out.")
    return x


def level(x: np.ndarray) -> np.ndarray:
    """The background level of ``(channels, *space)``: each channel's median, ``(channels,)``."""
    with np.errstate(over="ignore"):  # of values this large the scores overflow, which is told
        return np.asarray(np.median(x.reshape(len(x), -1), axis=1), dtype=x.dtype)


def padded(x: np.ndarray, widths: Sequence[tuple[int, int]]) -> np.ndarray:
    """``(channels, *space)`` with its own background level before and after it, per axis."""
    shape = [size + before + after for size, (before, after) in zip(x.shape[1:], widths, strict=True)]
    result = np.empty((len(x), *shape), x.dtype)
    result[:] = level(x).reshape(-1, *(1 for _ in shape))
    inside = tuple(slice(before, before + size) for size, (before, _) in zip(x.shape[1:], widths, strict=True))
    result[(slice(None), *inside)] = x
    return result


def padded_to_window(x: np.ndarray, window: Sequence[int]) -> np.ndarray:
    """`x`, centred in a window of its own background level on the axes where it is shorter than that."""
    missing = [max(extent - size, 0) for size, extent in zip(x.shape[1:], window, strict=True)]
    return padded(x, [(gap // 2, gap - gap // 2) for gap in missing]) if any(missing) else x


def cropped(x: np.ndarray, window: Sequence[int]) -> np.ndarray:
    """The middle of `x` on the axes where it is longer than the window."""
    starts = [max(size - extent, 0) // 2 for size, extent in zip(x.shape[1:], window, strict=True)]
    middle = (slice(start, start + extent) for start, extent in zip(starts, window, strict=True))
    return x[(slice(None), *middle)]

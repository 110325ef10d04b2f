"""Clips as a user gives them: files, arrays, or several of either."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch

from scanwise.errors import ArgumentError
from scanwise.model._clips import checked_input
from scanwise.model._examples import Data, examples
from scanwise.model._info import ModelInfo
from scanwise.model._search import Input, Inputs
from scanwise.sources import read_input

__all__ = ["clips_by_class", "given_clips", "read_clip"]


def given_clips(clips: Inputs, info: ModelInfo, *, resample: bool) -> tuple[list[np.ndarray], bool]:
    """Return checked clips ``(channels, *space)``, and whether a single one was given.

    Raises
    ------
    ArgumentError
        If there are none.
    DataError
        If one cannot be read or does not fit the model.
    """
    if isinstance(clips, np.ndarray | torch.Tensor):
        array = np.asarray(clips)
        single = array.ndim <= len(info.window_shape)
        given: Sequence[Input] = [array] if single else list(array)
    else:
        single = isinstance(clips, str | os.PathLike)
        given = [clips] if isinstance(clips, str | os.PathLike) else clips
    if not len(given):
        raise ArgumentError("clips must hold at least one clip; got none. Give one.")
    return [_checked(clip, f"clip {number}", info, resample) for number, clip in enumerate(given)], single


def read_clip(file: str | os.PathLike[str], info: ModelInfo, *, resample: bool) -> np.ndarray:
    """Return the checked clip of a file; as `given_clips`."""
    found = read_input(file, axes=len(info.window), reading=info.reading(resample=resample))
    return checked_input(found.x, info, os.fspath(file))


def clips_by_class(data: Data, info: ModelInfo, *, resample: bool) -> dict[str, list[np.ndarray]]:
    """Return the checked clips of each class, as `examples` reads them."""
    clips = examples(data, "verify", info.reading(resample=resample))
    found: dict[str, list[np.ndarray]] = {name: [] for name in clips.classes or ()}
    for x, y, name in zip(clips.x, clips.y, clips.names, strict=True):
        found[(clips.classes or ())[y]].append(checked_input(x, info, name))
    return found


def _checked(clip: Input, name: str, info: ModelInfo, resample: bool) -> np.ndarray:
    if isinstance(clip, str | os.PathLike):
        return read_clip(clip, info, resample=resample)
    return checked_input(clip, info, name)

"""Windows to be cut from recordings: where each may begin, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from scanwise.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Cuts:
    """Examples that are ranges: whatever window begins in the range shows the same.

    A range around the middle of an event is a pattern that jitters; one beside it, or a stretch in which
    nothing happens, is background. Every time an example is drawn its window begins somewhere else.

    Parameters
    ----------
    recordings : sequence of ndarray
        ``(channels, samples)`` each, of any length.
    source : ndarray
        ``(n,)``: which recording each example is from.
    first, last : ndarray
        ``(n,)``: the first and the last sample at which its window may begin. A window may reach beyond its
        recording; what lies there is the recording's background level, the median of each channel.
    y : ndarray
        ``(n,)``: what it shows, as `fit` wants it.
    window : int
        Samples per window.

    Raises
    ------
    ArgumentError
        If the arrays differ in length, name a recording that is not there, or a range is empty.

    Examples
    --------
    >>> ramp = np.arange(10, dtype=np.float32)[None]
    >>> cuts = Cuts([ramp], source=np.array([0]), first=np.array([3]), last=np.array([3]), y=np.array([1]), window=4)
    >>> cuts.draw(torch.tensor([0]), torch.Generator())
    tensor([[[3., 4., 5., 6.]]])
    """

    recordings: Sequence[np.ndarray]
    source: np.ndarray
    first: np.ndarray
    last: np.ndarray
    y: np.ndarray
    window: int
    _levels: dict[int, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.source, self.first, self.last, self.y)}
        if len(lengths) != 1:
            raise ArgumentError(
                f"source, first, last and y must have one length; got {sorted(lengths)}. Give one of each an example."
            )
        unknown = (self.source < 0) | (self.source >= len(self.recordings))
        if unknown.any():
            raise ArgumentError(
                f"source must be below {len(self.recordings)}, the number of recordings, and not negative; "
                f"got {self.source[unknown][0]}. Count from 0."
            )
        empty = self.first > self.last
        if empty.any():
            raise ArgumentError(
                f"first must be at most last; got {self.first[empty][0]} and {self.last[empty][0]}. "
                "A range holds at least one start."
            )

    def __len__(self) -> int:
        return len(self.y)

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return a window ``(rows, channels, window)`` of each of the examples `rows`, begun at random."""
        chosen = rows.numpy()
        spans = self.last[chosen] - self.first[chosen] + 1
        offsets = torch.rand(len(chosen), generator=generator, dtype=torch.float64).numpy() * spans
        starts = self.first[chosen] + offsets.astype(np.int64)
        windows = [self._window(self.source[row], start) for row, start in zip(chosen, starts, strict=True)]
        return torch.from_numpy(np.stack(windows))

    def _window(self, number: int, start: int) -> np.ndarray:
        recording = self.recordings[number]
        inside = recording[:, max(start, 0) : max(start + self.window, 0)]
        if inside.shape[1] == self.window:
            return inside
        if number not in self._levels:  # once: of a long recording it takes longer than all else in a step
            self._levels[number] = np.median(recording, axis=1, keepdims=True).astype(recording.dtype)
        window = np.repeat(self._levels[number], self.window, axis=1)
        window[:, max(-start, 0) : max(-start, 0) + inside.shape[1]] = inside
        return window

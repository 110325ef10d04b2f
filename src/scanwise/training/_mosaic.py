"""Recordings made of clips: one after the other, with pauses, over noise.

A folder of clips says what patterns sound like, but not what stands around them where they are to be found. In a
mosaic they follow each other closely or after a pause, at their own levels or at one, in silence or over noise;
windows beside a clip, across two of them, or in a pause are background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanwise._checks import real, whole


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A recording, and where its clips are.

    Attributes
    ----------
    recording : ndarray
        ``(channels, samples)``.
    clips : ndarray
        ``(n,)``: numbers of the clips, in the order in which they stand.
    starts : ndarray
        ``(n,)``: first sample of each.
    """

    recording: np.ndarray
    clips: np.ndarray
    starts: np.ndarray


def mosaic(
    clips: Sequence[np.ndarray],
    rng: np.random.Generator,
    *,
    most_gap: int,
    noise_db: float | None = None,
    one_level: bool = False,
) -> Mosaic:
    """Join clips in a random order.

    Parameters
    ----------
    clips : sequence of ndarray
        ``(channels, samples)`` each.
    rng : numpy.random.Generator
        Draws the order, the pauses and the noise.
    most_gap : int
        Samples between two clips, and before the first, at the most. In a pause stands the usual level, the median
        over the clips of their medians, and every clip is moved to it.
    noise_db : float, optional
        Signal-to-noise ratio: decibels by which, in each channel, the clips' median deviation stands above that of the
        white noise over the whole recording. None for no noise.
    one_level : bool
        Whether to bring all clips to their median loudness, by their deviation over all channels.

    Returns
    -------
    Mosaic
        In float32.

    Notes
    -----
    Clips in which nothing moves count for neither median.

    Examples
    --------
    >>> made = mosaic([np.ones((1, 3)), np.ones((1, 2))], np.random.default_rng(0), most_gap=4)
    >>> made.recording.shape[1] >= 5, sorted(made.clips.tolist())
    (True, [0, 1])
    """
    whole("most_gap", most_gap, least=0)
    if noise_db is not None:
        real("noise_db", noise_db)
    medians = np.array([np.median(clip, axis=1, keepdims=True) for clip in clips])
    centred = [clip - median for clip, median in zip(clips, medians, strict=True)]
    deviations = np.array([np.std(clip, axis=1, dtype=np.float64) for clip in centred])
    louds = np.linalg.norm(deviations, axis=1)
    heard = louds > 0
    order = rng.permutation(len(clips))
    gaps = rng.integers(most_gap, size=len(clips), endpoint=True)
    sizes = np.array([clips[i].shape[1] for i in order])
    starts = np.cumsum(gaps) + np.cumsum(sizes) - sizes
    recording = np.tile(np.median(medians, axis=0), int(starts[-1] + sizes[-1])).astype(np.float32)
    for number, start, size in zip(order, starts, sizes, strict=True):
        factor = np.median(louds[heard]) / louds[number] if one_level and heard[number] else 1.0
        recording[:, start : start + size] += centred[number] * factor
    if noise_db is not None and heard.any():
        level = np.median(deviations[heard], axis=0) * 10 ** (-noise_db / 20)
        recording += level[:, None] * rng.standard_normal(recording.shape, dtype=np.float32)
    return Mosaic(recording, order, starts)


def centre_of_energy(clip: np.ndarray) -> int:
    """Return the sample of ``(channels, samples)`` before and after which the envelope has equal sums.

    The middle of a clip is seldom the middle of what it shows: recordings end in long tails. The envelope is the
    sum over the channels of the distance from the channel's median. Where several samples divide it equally, the middle
    of them; the clip's middle, if nothing moves.

    Examples
    --------
    >>> centre_of_energy(np.array([[0.0, 0.0, 3.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0]]))
    3
    """
    envelope = np.abs(clip - np.median(clip, axis=1, keepdims=True)).sum(axis=0, dtype=np.float64)
    total = np.cumsum(envelope)
    if not total[-1]:
        return int(clip.shape[1] // 2)
    first, stop = (np.searchsorted(total, total[-1] / 2, side) for side in ("left", "right"))
    return int(first + stop) // 2

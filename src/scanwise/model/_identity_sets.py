"""What a network that verifies trains on, and the identities that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scanwise.errors import ArgumentError, DataError
from scanwise.model._examples import windows
from scanwise.model._sets import Sets, Wanted, facts
from scanwise.model._verification import POOLINGS, Verification
from scanwise.sources import Clips
from scanwise.training import Augmentation, Cuts, chain, gain, noise, shift, tilt, warp

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["identity_sets"]

_LEAST, _HELD = 2, 5  # identities on either side at the least, and held back if there are twice as many
_SYMMETRIES = 8  # of a square: four turns, and their mirror images


def identity_sets(clips: Clips, wanted: Wanted) -> Sets:
    """Sets of clips with identities, of which whole ones are held back: a network is to verify the unseen.

    Raises
    ------
    ArgumentError
        If `symmetries` are asked for where windows are not square.
    DataError
        If there are fewer than four identities with two clips at least.
    """
    window = wanted.window
    learn, held, words = _split(clips, wanted.fraction, wanted.seed)
    y = np.unique(clips.y[learn], return_inverse=True)[1]
    some = _some(clips, learn)
    x = _cuts(list(some.x), y, window[0]) if len(window) == 1 else windows(some, window)
    within = (x, y) if wanted.whiten else None
    if wanted.symmetries:
        x, y = _turned(x, y, window)
    kept = _some(clips, held)
    pooling = POOLINGS[0] if len(window) == 2 else POOLINGS[1]

    def measured(model: Model) -> Verification:
        return Verification.of_pairs(pooling, model.embed(list(kept.x)), kept.y, data=words)

    return Sets(
        task="verify",
        outputs=None,
        x=x,
        y=y,
        validation=(windows(kept, window), kept.y),
        augment=_augmentation(window, wanted.sound) if wanted.augment else None,
        facts=facts(verification=Verification.unknown(pooling)),
        settle=lambda model: replace(model.info, verification=measured(model)),
        judge=lambda model: model.evaluate(kept),
        within=within,
    )


def _split(clips: Clips, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray, str]:
    identities, counts = np.unique(clips.y, return_counts=True)
    several = identities[counts > 1]
    if len(several) < 2 * _LEAST:
        raise DataError(
            f"training data must have {2 * _LEAST} identities with two clips each; got {len(several)}. Add some: "
            f"{_LEAST} are held back, to measure how alike samples of one are."
        )
    count = min(max(round(fraction * len(several)), _HELD), len(several) // 2)
    held = np.isin(clips.y, np.random.default_rng(seed).permutation(several)[:count])
    words = f"{count} of {len(identities)} identities, held back in training"
    return np.flatnonzero(~held), np.flatnonzero(held), words


def _some(clips: Clips, rows: np.ndarray) -> Clips:
    x = [clips.x[i] for i in rows]
    names = tuple(clips.names[i] for i in rows)
    return Clips(x, clips.y[rows], clips.classes, names, rate_hz=clips.rate_hz)


def _cuts(recordings: Sequence[np.ndarray], y: np.ndarray, window: int) -> Cuts:
    """A window anywhere in a longer clip; a shorter one in the middle of its window, as it will be embedded."""
    spare = np.array([recording.shape[1] - window for recording in recordings])
    first = np.where(spare < 0, -(-spare // 2), 0)
    return Cuts(recordings, np.arange(len(recordings)), first, np.where(spare < 0, first, spare), y, window)


def _turned(x: np.ndarray | Cuts, y: np.ndarray, window: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Windows turned and mirrored, each way a further set of identities."""
    if isinstance(x, Cuts) or window[0] != window[1]:
        raise ArgumentError(f"symmetries must be of square images; got windows of {window}. Leave them out.")
    ways = [np.rot90(side, turn, (2, 3)) for side in (x, x[..., ::-1]) for turn in range(4)]
    count = int(y.max()) + 1
    return np.concatenate(ways), np.concatenate([y + count * number for number in range(_SYMMETRIES)])


def _augmentation(window: tuple[int, ...], sound: bool) -> Augmentation:
    """Who draws, speaks or stands there is the same if it is a little turned, louder, or elsewhere."""
    if len(window) == 2:
        return warp()
    jitter = shift(window[0] // 20)
    return chain(jitter, gain(10), tilt(0.3), noise(0, 40)) if sound else chain(jitter, noise(20, 60))

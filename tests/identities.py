"""Samples of identities that are easy to tell apart, made by the number: blurred patterns, and voices of two tones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from scipy.ndimage import gaussian_filter

import scanwise as sw
from scanwise.sources import Clips

SIDE = 12
RATE_HZ = 2000
WINDOW = 200
UNSEEN = range(100, 108)  # no verifier was trained with them

SMALL: dict[str, Any] = {"channels": [8, 16], "dimensions": 16, "epochs": 20, "augment": False, "batch": 32}


def patterns(identities: range, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images ``(n, 1, 12, 12)`` of some identities, each a pattern of its own with noise, and whose they are."""
    rng = np.random.default_rng([seed, identities.start])
    y = np.repeat(np.arange(len(identities)), each)
    own = [gaussian_filter(np.random.default_rng(k).normal(size=(SIDE, SIDE)), 1.5) for k in identities]
    clean = np.stack([0.5 + 0.25 * one / one.std() for one in own])
    x = clean[y] + rng.normal(0, 0.1, (len(y), SIDE, SIDE))
    return np.clip(x, 0, 1).astype(np.float32)[:, None], y


def voice(identity: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """``(1, samples)``: two tones of its own at any phase, and noise."""
    t = np.arange(samples) / RATE_HZ
    tones = np.random.default_rng(identity).uniform(50, 500, 2)
    x = sum(np.sin(2 * np.pi * (tone * t + rng.uniform())) for tone in tones)
    return (0.2 * x + rng.normal(0, 0.02, samples)).astype(np.float32)[None]


def voices(identities: range, each: int, seed: int = 0) -> Clips:
    """Clips of voices of 0.08 to 0.3 s, the shorter ones less than a window."""
    rng = np.random.default_rng([seed, identities.start])
    y = np.repeat(np.arange(len(identities)), each)
    x = [voice(identities[k], int(rng.integers(160, 600)), rng) for k in y]
    names = tuple(f"{k}/{number}" for number, k in enumerate(y))
    return Clips(x, y, tuple(str(k) for k in identities), names, rate_hz=RATE_HZ)


@cache
def verifier(*, sound: bool = False) -> sw.Model:
    """A model that tells the identities from 100 on apart; it has learnt from the first 24."""
    if sound:
        usual = SMALL | {"channels": [16, 16], "augment": True}
        return sw.train(voices(range(24), 12), task="verify", window=WINDOW, features="raw", pools=[4, 4], **usual)
    return sw.train(patterns(range(24), 12), task="verify", **SMALL)


def save_patterns(folder: Path, identities: range, each: int, seed: int = 0) -> Path:
    """Write a folder of PNG files per identity, named by its number."""
    x, y = patterns(identities, each, seed)
    for number, (image, who) in enumerate(zip(x, y, strict=True)):
        path = folder / f"{identities[who]}" / f"{number % each}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.round(image[0] * 255).astype(np.uint8)).save(path)
    return folder


def save_voices(folder: Path, clips: Clips) -> Path:
    """Write a folder of WAV files per identity."""
    for x, who, number in zip(clips.x, clips.y, range(len(clips)), strict=True):
        path = folder / (clips.classes or ())[who] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, x[0], RATE_HZ, subtype="FLOAT")
    return folder

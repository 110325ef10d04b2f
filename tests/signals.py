"""Signals that are easy to learn, made by the number: chirps that rise or fall, and bumps up or down."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

import scanwise as sw
from scanwise.model._labelled import Labelled
from scanwise.sources import Clips

RATE_HZ = 8000
SLOW_HZ = 100
LABELS = ("down", "up")

TINY: dict[str, Any] = {"channels": [8], "hidden": [16], "dropout": 0.0}
"""A network that learns them in a second."""


def chirp(label: str, seconds: float) -> np.ndarray:
    """``(samples,)``: a tone that glides between 500 and 2500 Hz."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    low, high = (500, 2500) if label == "up" else (2500, 500)
    return 0.3 * np.hanning(len(t)) ** 0.5 * np.sin(2 * np.pi * (low * t + (high - low) * t**2 / (2 * seconds)))


def bump(label: str) -> np.ndarray:
    """``(30,)``: half a wave, of 0.3 s at `SLOW_HZ`."""
    return (0.5 if label == "up" else -0.5) * np.hanning(30)


def over_noise(parts: Sequence[tuple[int, np.ndarray]], length: int, rng: np.random.Generator) -> np.ndarray:
    """``(1, length)`` float32, as 16-bit files hold it: white noise, and each part from its first sample on."""
    x = rng.normal(0, 0.01, length)
    for start, pattern in parts:
        x[start : start + len(pattern)] += pattern
    return (np.round(x[None] * 2**15) / 2**15).astype(np.float32)


def clip(label: str, rng: np.random.Generator) -> np.ndarray:
    """``(1, samples)``: a chirp of 0.12 to 0.18 s with a little noise around it, as a person would cut it."""
    pattern = chirp(label, rng.uniform(0.12, 0.18))
    return over_noise([(int(rng.integers(200)), pattern)], len(pattern) + 200, rng)


def recording(
    seed: int, *, seconds: float = 20, count: int = 12, slow: bool = False
) -> tuple[np.ndarray, pd.DataFrame]:
    """``(1, samples)`` with patterns here and there, and ``start, end, label`` in samples, in their order."""
    rng = np.random.default_rng(seed)
    length = round(seconds * (SLOW_HZ if slow else RATE_HZ))
    labels = rng.permutation(np.resize(LABELS, count)).tolist()
    patterns = [bump(label) if slow else chirp(label, rng.uniform(0.12, 0.18)) for label in labels]
    room = length // count
    starts = [k * room + int(rng.integers(room - len(pattern))) for k, pattern in enumerate(patterns)]
    ends = [start + len(pattern) for start, pattern in zip(starts, patterns, strict=True)]
    table = pd.DataFrame({"start": starts, "end": ends, "label": labels})
    return over_noise(list(zip(starts, patterns, strict=True)), length, rng), table


def in_seconds(table: pd.DataFrame, rate_hz: float = RATE_HZ) -> pd.DataFrame:
    """The same events with ``start_s, end_s`` in place of samples."""
    times = {"start_s": table["start"] / rate_hz, "end_s": table["end"] / rate_hz}
    return table.drop(columns=["start", "end"]).assign(**times)


def save(path: Path, x: np.ndarray, rate_hz: float = RATE_HZ) -> Path:
    """Write ``(channels, samples)`` in the format that the suffix names; folders that lack are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, x)
    elif path.suffix == ".csv":
        times = {"time_s": np.arange(x.shape[1]) / rate_hz}
        pd.DataFrame(times | {f"c{k}": row.astype(np.float64) for k, row in enumerate(x)}).to_csv(path, index=False)
    else:
        soundfile.write(path, x.T, int(rate_hz))
    return path


def class_folder(folder: Path, *, suffix: str = ".wav", each: int = 10) -> Path:
    """A folder of clips per class; the same clips whatever the suffix."""
    rng = np.random.default_rng(0)
    for label in LABELS:
        for number in range(each):
            save(folder / label / f"{number:02}{suffix}", clip(label, rng))
    return folder


def f1(found: pd.DataFrame, table: pd.DataFrame, tolerance: float) -> float:
    """How well events of one recording were found."""
    return sw.events.match(found.assign(file="a"), table.assign(file="a"), tolerance=tolerance).f1


@cache
def finder(*, slow: bool = False) -> sw.Model:
    """A finder of chirps, or of bumps, that learnt them from recordings with labels."""
    seconds, rate_hz = (60, SLOW_HZ) if slow else (50, RATE_HZ)
    x, table = recording(1, seconds=seconds, count=40, slow=slow)
    return sw.train({"a": x}, labels=table.assign(file="a"), sample_rate_hz=rate_hz, epochs=40, **TINY)


def marked_recording(count: int = 20) -> Labelled:
    """Bumps of 30 samples."""
    x, table = recording(4, seconds=2 * count, count=count, slow=True)
    return Labelled(("a",), [x], table.assign(file="a"), SLOW_HZ)


def of_lengths(*lengths: int, rate_hz: float | None = SLOW_HZ) -> Clips:
    """A bump in the middle of each clip, up and down in turn."""
    rng = np.random.default_rng(0)
    x = [over_noise([((n - 30) // 2, bump(LABELS[k % 2]))], n, rng) for k, n in enumerate(lengths)]
    names = tuple(map(str, range(len(x))))
    return Clips(x, np.arange(len(x)) % 2, LABELS, names, rate_hz=rate_hz)


def tones(length=3000, channels=2, rate_hz=8000):
    """Two tones and noise, `(channels, length)` within [-1, 1]."""
    noise = np.random.default_rng(0).normal(0, 0.05, (channels, length))
    pitch = np.array([[200], [310]])[:channels]
    return (0.6 * np.sin(2 * np.pi * pitch * np.arange(length) / rate_hz) + noise).astype(np.float32)


def encoded(path, x, rate_hz=8000, **how):
    soundfile.write(path, x.T, rate_hz, **how)
    return path

"""Labels of recordings, and what was made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from signals import over_noise

from scanwise.model._labelled import Labelled
from scanwise.sources import Reading

Rows = list[tuple[str, int, int, str]]

ANY = Reading()


def noise(length: int = 8000, channels: int = 1) -> np.ndarray:
    return np.concatenate([over_noise([], length, np.random.default_rng(k)) for k in range(channels)])


def table(*rows: tuple[str, float, float, str], unit: str = "") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["file", f"start{unit}", f"end{unit}", "label"])


def rows(data: Labelled) -> Rows:
    columns = (data.events[name].tolist() for name in ("file", "start", "end", "label"))
    return list(zip(*columns, strict=True))


def text_of(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path

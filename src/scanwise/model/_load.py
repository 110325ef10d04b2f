"""From a model folder to a model."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from scanwise.model._folder import read
from scanwise.model._model import Model

__all__ = ["load"]


def load(folder: str | os.PathLike[str], *, device: torch.device | str = "cpu", precision: str | None = None) -> Model:
    """Load a model folder, to run on `device` and in `precision`, see `Model`. Nothing in it is executed.

    Raises
    ------
    ModelError
        If it is missing, incomplete, damaged, or written by a newer Scanwise.
    """
    return Model(*read(Path(folder)), device=device, precision=precision)

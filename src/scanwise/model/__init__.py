"""A trained model: train it, save and load it, ask it about clips, let it search recordings and images."""

from __future__ import annotations

from scanwise.model._class_windows import ClassWindows, class_windows
from scanwise.model._evaluate import Evaluation
from scanwise.model._evaluate_events import EventEvaluation
from scanwise.model._examples import Data
from scanwise.model._folder import MARKER
from scanwise.model._info import SCHEMA, ModelInfo
from scanwise.model._model import Model, load
from scanwise.model._search import Searched
from scanwise.model._train import train

__all__ = [
    "MARKER",
    "SCHEMA",
    "ClassWindows",
    "Data",
    "Evaluation",
    "EventEvaluation",
    "Model",
    "ModelInfo",
    "Searched",
    "class_windows",
    "load",
    "train",
]

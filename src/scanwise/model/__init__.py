"""A trained model: train it, save and load it, ask it about clips, let it search recordings and images."""

from __future__ import annotations

from scanwise.model._class_windows import ClassWindows, class_windows
from scanwise.model._evaluate import Evaluation
from scanwise.model._evaluate_events import EventEvaluation
from scanwise.model._examples import Data
from scanwise.model._folder import MARKER
from scanwise.model._info import SCHEMA, ModelInfo
from scanwise.model._load import load
from scanwise.model._model import Model
from scanwise.model._search import Searched
from scanwise.model._train import train
from scanwise.model._trial_scores import TrialScores
from scanwise.model._verification import Verification, threshold_rule
from scanwise.model._verify import Enrolment, Verdict

__all__ = [
    "MARKER",
    "SCHEMA",
    "ClassWindows",
    "Data",
    "Enrolment",
    "Evaluation",
    "EventEvaluation",
    "Model",
    "ModelInfo",
    "Searched",
    "TrialScores",
    "Verdict",
    "Verification",
    "class_windows",
    "load",
    "threshold_rule",
    "train",
]

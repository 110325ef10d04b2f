"""Results for people: tables for the terminal (rich) and pictures (matplotlib)."""

from __future__ import annotations

from scanwise.report._canvas import canvas_picture
from scanwise.report._comparison import COMPARISON_MARKER, comparison_picture, write_comparison
from scanwise.report._confusion import confusion_picture, confusion_table
from scanwise.report._det import TRIALS_MARKER, det_picture, write_trials
from scanwise.report._history import training_picture, training_table
from scanwise.report._matches import match_table
from scanwise.report._picture import png

__all__ = [
    "COMPARISON_MARKER",
    "TRIALS_MARKER",
    "canvas_picture",
    "comparison_picture",
    "confusion_picture",
    "confusion_table",
    "det_picture",
    "match_table",
    "png",
    "training_picture",
    "training_table",
    "write_comparison",
    "write_trials",
]

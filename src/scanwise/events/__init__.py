"""From scores to found patterns: peaks, tables, label formats, matching against the truth, thresholds."""

from __future__ import annotations

from scanwise.events._event import Event
from scanwise.events._formats import format_audacity, format_raven
from scanwise.events._labels import parse_labels
from scanwise.events._match import Match, match
from scanwise.events._peaks import find_peaks
from scanwise.events._samples import check_labels, in_samples
from scanwise.events._table import event_columns, events_table
from scanwise.events._thresholds import best_threshold, threshold_table

__all__ = [
    "Event",
    "Match",
    "best_threshold",
    "check_labels",
    "event_columns",
    "events_table",
    "find_peaks",
    "format_audacity",
    "format_raven",
    "in_samples",
    "match",
    "parse_labels",
    "threshold_table",
]

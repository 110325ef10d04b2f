"""From scores to found patterns: peaks, tables, matching against the truth, thresholds."""

from __future__ import annotations

from scanwise.events._event import Event
from scanwise.events._match import Match, match
from scanwise.events._peaks import find_peaks
from scanwise.events._table import event_columns, events_table
from scanwise.events._thresholds import best_threshold, threshold_table

__all__ = [
    "Event",
    "Match",
    "best_threshold",
    "event_columns",
    "events_table",
    "find_peaks",
    "match",
    "threshold_table",
]

"""Few false alarms an hour: the same as filtering, matching and counting at every threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.events import Event, best_threshold, events_table, match, threshold_table

SECONDS = 1800.0


def signals(*rows):
    """Windows of 4 samples: (file, start, label, score)."""
    tables = [events_table([Event((at,), (at + 4,), label, score)], file, axes=1) for file, at, label, score in rows]
    return pd.concat([events_table([], "", axes=1), *tables], ignore_index=True)


@st.composite
def tables(draw):
    scores = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    row = st.tuples(st.sampled_from(["f", "g"]), st.integers(0, 15), st.sampled_from("ab"), scores)
    return signals(*draw(st.lists(row, max_size=10)))


def counted(found, truth, threshold):
    """Hits, and false alarms an hour, at a threshold: filtered, matched anew, counted."""
    left = found[found.score >= threshold].reset_index(drop=True)
    hits = len(match(left, truth, tolerance=2).pairs)
    return hits, (len(left) - hits) * 3600 / SECONDS


@given(tables(), tables())
def test_false_alarms_per_hour_are_those_of_a_match_at_each_threshold(found, truth):
    table = threshold_table(found, truth, tolerance=2, seconds=SECONDS)
    for row in table.itertuples():
        assert (row.true_positives, row.false_alarms_per_hour) == counted(found, truth, row.threshold)
    assert "false_alarms_per_hour" not in threshold_table(found, truth, tolerance=2)


@given(tables(), tables(), st.sampled_from([0, 1, 2, 5, 8, 100]), st.booleans())
def test_no_threshold_within_the_bound_finds_more(found, truth, most, empty):
    truth = truth[:0] if empty else truth
    best = best_threshold(found, truth, tolerance=2, floor=0.05, seconds=SECONDS, false_alarms_per_hour=most)
    hits, rate = counted(found, truth, best)
    assert rate <= most
    candidates = sorted({0.05, *found.score, *(found.score + 0.01)})
    within = [c for c in candidates if counted(found, truth, c)[1] <= most]
    assert hits == max(counted(found, truth, c)[0] for c in within) if within else hits == 0
    lower = found.score[found.score < best]
    if len(lower):
        assert counted(found, truth, lower.max())[1] > most


def test_the_threshold_stands_midway_between_the_last_that_counts_and_the_next():
    truth = signals(("f", 0, "a", 1.0))
    found = signals(("f", 0, "a", 1.0), ("f", 50, "a", 0.75), ("f", 80, "a", 0.5))
    chosen = {
        most: best_threshold(found, truth, tolerance=2, floor=0.25, seconds=SECONDS, false_alarms_per_hour=most)
        for most in (0, 1.99, 2, 4)
    }
    assert chosen == {0: 0.875, 1.99: 0.875, 2: 0.625, 4: 0.375}
    assert best_threshold(found, truth, tolerance=2, seconds=SECONDS, false_alarms_per_hour=9) == 0.5


def test_where_the_highest_score_is_one_too_many_nothing_is_found():
    found = signals(("f", 50, "a", 0.75), ("f", 80, "a", 0.5))
    best = best_threshold(found, found[:0], tolerance=2, seconds=SECONDS, false_alarms_per_hour=1)
    assert best > 0.75
    assert best == pytest.approx(0.75, abs=1e-12)


def test_where_nothing_was_found_the_floor_is_low_enough():
    truth = signals(("f", 0, "a", 1.0))
    for true in (truth, truth[:0]):
        best = best_threshold(truth[:0], true, tolerance=2, floor=0.25, seconds=SECONDS, false_alarms_per_hour=1)
        assert best == 0.25


@pytest.mark.parametrize("bound", [{}, {"seconds": SECONDS, "false_alarms_per_hour": 0}])
def test_between_scores_without_a_number_between_them_the_higher_is_the_threshold(bound):
    higher = 0.5
    for lower in (np.nextafter(higher, 0), np.nextafter(np.nextafter(higher, 0), 0)):
        truth = signals(("f", 0, "a", 1.0))
        found = signals(("f", 0, "a", float(higher)), ("f", 50, "a", float(lower)))
        assert lower < best_threshold(found, truth, tolerance=2, floor=0.25, **bound) <= higher
        higher = lower


TRUTH = signals(("f", 0, "a", 1.0))
ALARMS = {"tolerance": 2, "false_alarms_per_hour": 1}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: best_threshold(TRUTH, TRUTH, **ALARMS), "seconds must be given with false_alarms_per_hour; got None"),
        (lambda: best_threshold(TRUTH, TRUTH, seconds=0, **ALARMS), "seconds must be above 0; got 0"),
        (lambda: threshold_table(TRUTH, TRUTH, tolerance=2, seconds=-1), "seconds must be above 0; got -1"),
        (
            lambda: best_threshold(TRUTH, TRUTH, tolerance=2, seconds=1, false_alarms_per_hour=-1),
            "false_alarms_per_hour must be at least 0; got -1",
        ),
        (
            lambda: best_threshold(TRUTH[:0], TRUTH, seconds=1, **ALARMS),
            "floor must be given if nothing was found; got",
        ),
        (lambda: best_threshold(TRUTH, TRUTH, seconds=1, floor=2, **ALARMS), "floor must be at most the lowest score"),
        (lambda: best_threshold(TRUTH, TRUTH[:0], seconds=1, tolerance=2), "must each hold an event; got 1 and 0"),
    ],
)
def test_wrong_arguments_are_named(call, text):
    with pytest.raises(ArgumentError, match=text):
        call()

"""Found events against true ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.events import Event, best_threshold, event_columns, events_table, match, threshold_table


def boxes(*rows):
    """Windows of 4 x 4 pixels: (file, y, x, label, score)."""
    return pd.concat(
        [events_table([], "", axes=2)]
        + [
            events_table([Event((y, x), (y + 4, x + 4), label, score)], file, axes=2)
            for file, y, x, label, score in rows
        ],
        ignore_index=True,
    )


@st.composite
def tables(draw, *, max_rows=12):
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["one.png", "two.png"]),
                st.integers(0, 9),
                st.integers(0, 9),
                st.sampled_from(["a", "b"]),
                st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]),
            ),
            max_size=max_rows,
        )
    )
    return boxes(*rows)


def slow_pairs(found, truth, tolerance):
    def distance(row, other):
        return max(abs(found.y0[row] - truth.y0[other]), abs(found.x0[row] - truth.x0[other]))

    def fits(row, other):
        same = found.file[row] == truth.file[other] and found.label[row] == truth.label[other]
        return same and distance(row, other) <= tolerance

    free, pairs = set(range(len(truth))), []
    for row in sorted(range(len(found)), key=lambda row: (-found.score[row], row)):
        near = [(distance(row, other), other) for other in free if fits(row, other)]
        if near:
            free.remove(min(near)[1])
            pairs.append((row, min(near)[1]))
    return pairs


@given(tables(), tables(), st.sampled_from([0, 1, 2, 3.5]))
def test_each_found_event_takes_the_nearest_free_truth_best_score_first(found, truth, tolerance):
    result = match(found, truth, tolerance=tolerance)
    assert list(result.pairs) == slow_pairs(found, truth, tolerance)
    assert result.true_positives + result.false_positives == len(found)
    assert result.true_positives + result.false_negatives == len(truth)


@given(tables(), tables())
def test_every_row_of_the_threshold_table_is_a_match_of_its_own(found, truth):
    table = threshold_table(found, truth, tolerance=2)
    assert list(table.threshold) == sorted(set(found.score), reverse=True)
    for row in table.itertuples():
        alone = match(found[found.score >= row.threshold].reset_index(drop=True), truth, tolerance=2)
        counts = (row.true_positives, row.false_positives, row.false_negatives)
        assert counts == (alone.true_positives, alone.false_positives, alone.false_negatives)
        assert (row.precision, row.recall, row.f1) == (alone.precision, alone.recall, alone.f1)


@given(tables(), tables())
def test_no_threshold_beats_the_best_one(found, truth):
    if found.empty or truth.empty:
        return
    best = best_threshold(found, truth, tolerance=2, floor=0.05)
    reached = match(found[found.score >= best].reset_index(drop=True), truth, tolerance=2).f1
    assert reached == threshold_table(found, truth, tolerance=2).f1.max()


def test_the_best_threshold_stands_midway_between_the_last_hit_and_the_first_false_alarm():
    truth = boxes(("f", 0, 0, "a", 1.0), ("f", 20, 20, "a", 1.0))
    found = boxes(("f", 0, 0, "a", 0.9), ("f", 21, 20, "a", 0.75), ("f", 50, 50, "a", 0.25))
    assert best_threshold(found, truth, tolerance=2) == 0.5
    assert best_threshold(found[:2], truth, tolerance=2, floor=0.25) == 0.5
    assert best_threshold(found[:2], truth, tolerance=2) == 0.75


def test_the_wrong_label_the_wrong_file_and_a_second_answer_are_false_alarms():
    truth = boxes(("f", 0, 0, "a", 1.0))
    found = boxes(("f", 0, 0, "b", 0.9), ("g", 0, 0, "a", 0.8), ("f", 2, 2, "a", 0.7), ("f", 0, 0, "a", 0.6))
    result = match(found, truth, tolerance=2)
    assert result.pairs == ((2, 0),)
    assert (result.precision, result.recall, result.f1) == (0.25, 1.0, 0.4)


def test_the_tolerance_holds_per_axis_rows_before_columns_and_includes_its_limit():
    truth = boxes(("f", 0, 0, "a", 1.0))
    found = boxes(("f", 2, 0, "a", 0.9))
    assert match(found, truth, tolerance=2).f1 == 1
    assert match(found, truth, tolerance=(2, 0)).f1 == 1
    assert match(found, truth, tolerance=(1.5, 9)).f1 == 0


def test_signals_are_matched_by_their_centres():
    truth = pd.DataFrame({"file": ["s"], "start": [100], "end": [120], "label": ["beat"]})
    found = events_table([Event((101,), (129,), "beat", 0.9)], "s", axes=1)
    assert match(found, truth, tolerance=5).f1 == 1
    assert match(found, truth, tolerance=4.9).f1 == 0


def test_nothing_found_where_nothing_is_counts_as_right():
    result = match(boxes(), boxes(), tolerance=1)
    assert (result.precision, result.recall, result.f1) == (1, 1, 1)
    missed = match(boxes(), boxes(("f", 0, 0, "a", 1.0)), tolerance=1)
    assert (missed.precision, missed.recall, missed.f1) == (1, 0, 0)


def test_matching_does_not_depend_on_the_index_of_a_table():
    truth = boxes(("f", 0, 0, "a", 1.0), ("f", 9, 9, "b", 1.0))
    found = boxes(("f", 9, 9, "b", 0.9), ("f", 0, 0, "a", 0.8))
    assert match(found[1:], truth[1:], tolerance=1).pairs == ()
    assert match(found[:1], truth[1:], tolerance=1).pairs == ((0, 0),)


def test_tables_have_their_columns_also_when_empty():
    images, signals = events_table([], "f", axes=2), events_table([], "f", axes=1)
    assert list(images) == ["file", "x0", "y0", "x1", "y1", "label", "score"]
    assert list(signals) == ["file", "start", "end", "start_s", "end_s", "label", "score"]
    assert images.dtypes.to_dict() == boxes(("f", 0, 0, "a", 1.0)).dtypes.to_dict()


def test_rows_of_an_array_are_y_and_columns_are_x():
    row = boxes(("f", 3, 5, "a", 0.5)).iloc[0]
    assert (row.x0, row.y0, row.x1, row.y1) == (5, 3, 9, 7)


def test_seconds_are_there_when_the_rate_is_known():
    events = [Event((50,), (150,), "beat", 0.5)]
    known = events_table(events, "f", axes=1, rate_hz=100).iloc[0]
    assert (known.start_s, known.end_s) == (0.5, 1.5)
    assert events_table(events, "f", axes=1)[["start_s", "end_s"]].isna().all(axis=None)


def test_a_truth_table_needs_neither_scores_nor_seconds():
    assert event_columns(1) == {"file": str, "start": int, "end": int, "label": str}


TRUTH = boxes(("f", 0, 0, "a", 1.0))
SIGNAL = pd.DataFrame({"file": ["f"], "start": [0], "end": [4], "label": ["a"], "score": [1.0]})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: event_columns(3), r"axes must be 1 \(signals\) or 2 \(images\); got 3"),
        (lambda: events_table([Event((0,), (4,), "a", 1.0)], "f", axes=2), "events must have 2 axes"),
        (
            lambda: match(TRUTH, TRUTH.drop(columns="y1"), tolerance=1),
            "truth must have the columns file, start",
        ),
        (
            lambda: match(TRUTH.drop(columns="file"), TRUTH, tolerance=1),
            "found must have the columns file, start",
        ),
        (lambda: match(SIGNAL, TRUTH, tolerance=1), "must both be of signals or both of images"),
        (lambda: match(TRUTH, TRUTH, tolerance=-1), "tolerance must be at least 0; got -1"),
        (lambda: match(TRUTH.drop(columns="score"), TRUTH, tolerance=1), "found must have the column score"),
        (
            lambda: match(TRUTH.assign(score=np.nan), TRUTH, tolerance=1),
            "found must have a score in every row; got 1",
        ),
        (lambda: best_threshold(TRUTH[:0], TRUTH, tolerance=1), "must each hold an event; got 0 and 1"),
        (
            lambda: best_threshold(TRUTH, TRUTH, tolerance=1, floor=2),
            "floor must be at most the lowest score, 1.0",
        ),
    ],
)
def test_wrong_arguments_are_named(call, text):
    with pytest.raises(ArgumentError, match=text):
        call()

"""Labels in samples, and which labels cannot be true."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanwise.errors import ArgumentError, DataError
from scanwise.events import check_labels, in_samples, parse_labels


def timed(*rows):
    return pd.DataFrame(rows, columns=["start_s", "end_s"]).assign(file="n.wav", label="call")


def events(*rows):
    return pd.DataFrame(rows, columns=["start", "end", "label"]).assign(file="n.wav")


def bounds(table):
    return list(zip(table.start.tolist(), table.end.tolist(), strict=True))


def test_a_time_becomes_the_nearest_sample():
    table = in_samples(timed((0.04, 0.16), (0.05, 0.15), (1e6, 1e6 + 0.1)), 10)
    assert list(table) == ["file", "start", "end", "label"]
    assert bounds(table) == [(0, 2), (0, 2), (10_000_000, 10_000_001)]  # of two, the even one
    assert table.dtypes["start"] == table.dtypes["end"] == np.int64


@given(st.integers(0, 10**10), st.integers(1, 10**6), st.sampled_from([8000, 44100, 192000]))
def test_seconds_with_six_decimals_give_back_the_sample(start, size, rate):
    table = timed((float(f"{start / rate:.6f}"), float(f"{(start + size) / rate:.6f}")))
    assert bounds(in_samples(table, rate)) == [(start, start + size)]


def test_a_point_label_is_one_sample_long():
    assert bounds(in_samples(timed((0.5, 0.5), (0.51, 0.53)), 10)) == [(5, 6), (5, 6)]
    assert bounds(in_samples(events((7, 7, "a")), None)) == [(7, 8)]


def test_samples_win_over_seconds_and_need_no_rate():
    table = timed((0.5, 1.0)).assign(start=3, end=9)
    assert bounds(in_samples(table, None)) == bounds(in_samples(table, 10)) == [(3, 9)]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: in_samples(timed((0, 1)), None),
            ArgumentError,
            "rate_hz must be given for labels in seconds; got None",
        ),
        (lambda: in_samples(timed((0, 1)), 0), ArgumentError, "rate_hz must be above 0; got 0"),
        (
            lambda: in_samples(timed((0, 1))[["file", "start_s"]], 1),
            ArgumentError,
            "table must have the columns file, ",
        ),
        (
            lambda: in_samples(timed((0, 1), (0, np.nan)), 1),
            DataError,
            "row 2: end_s must be a time of at most .*; got nan",
        ),
        (
            lambda: in_samples(timed((0, 1e308)), 8000),
            DataError,
            r"row 1: end_s must be a time of at most 2\*\*53 samples; got 1e\+308",
        ),
        (
            lambda: in_samples(timed((0, 1e15)), 8000),
            DataError,
            "row 1: end_s must be a time of at most .*; got 10{15}",
        ),
        (
            lambda: in_samples(events((0, 2.5, "a")), 1),
            DataError,
            "row 1: end must be a whole number of samples; got 2.5",
        ),
        (lambda: in_samples(events((0, 2, "a"), (4, 3, "a"))[1:], 1), DataError, "row 2: end must not be before start"),
        (lambda: in_samples(timed((2, 1)), 1), DataError, "row 1: end_s must not be before start_s; got 1, before 2"),
        (lambda: check_labels(timed((2, 1)), 1), ArgumentError, "table must have the columns start, end, label; got "),
        (lambda: check_labels(events(), -1), ArgumentError, "length must be a whole number of at least 0; got -1"),
    ],
)
def test_what_cannot_be_samples_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def contradict(a, b):
    """The definition, with half of the shorter one as it is said."""
    overlap = min(a[1], b[1]) - max(a[0], b[0])
    return a[2] != b[2] and overlap > min(a[1] - a[0], b[1] - b[0]) / 2


INTERVALS = st.tuples(st.integers(0, 30), st.integers(1, 12), st.sampled_from("abc"))


@settings(max_examples=300)
@given(st.lists(INTERVALS, max_size=6))
def test_labels_contradict_each_other_exactly_where_they_overlap_by_more_than_half_of_the_shorter(rows):
    rows = [(start, start + size, label) for start, size, label in rows]
    wrong = [(i, j) for j in range(len(rows)) for i in range(j) if contradict(rows[i], rows[j])]
    table, length = events(*rows), max([1, *(-(-(start + end) // 2) for start, end, _ in rows)])
    if not wrong:
        check_labels(table, length)
        return
    with pytest.raises(DataError, match=r"rows \d+ and \d+ must not both hold") as caught:
        check_labels(table, length)
    words = str(caught.value).split()
    assert (int(words[1]) - 1, int(words[3]) - 1) in wrong


@pytest.mark.parametrize(("half", "more"), [(5, 6), (15, 14)])
def test_an_overlap_of_half_is_fine_and_one_sample_more_is_not(half, more):
    check_labels(events((10, 20, "a"), (half, half + 10, "b")), 40)
    with pytest.raises(DataError, match="rows 1 and 2 must not both hold"):
        check_labels(events((10, 20, "a"), (more, more + 10, "b")), 40)


def test_overlaps_of_one_label_and_small_ones_of_two_are_fine():
    check_labels(events((0, 10, "a"), (0, 10, "a"), (2, 5, "a"), (9, 30, "b"), (20, 40, "c")), 40)


def test_a_contradiction_is_told_with_rows_labels_and_samples():
    table = events((0, 9, "a"), (10, 20, "call"), (12, 40, "song")).set_index(pd.Index([0, 4, 6]))
    with pytest.raises(
        DataError, match=r"^rows 5 and 7 must not both hold; got call from 10 to 20 and song from 12 to 40"
    ):
        check_labels(table, 40)


@pytest.mark.parametrize("row", [(0, 10), (9, 10), (9, 11), (0, 20), (-4, 5), (-6, 6)])
def test_an_event_may_reach_beyond_the_recording_with_less_than_half(row):
    check_labels(events((*row, "a")), 10)


@pytest.mark.parametrize("row", [(-6, 5), (0, 21), (9, 12), (10, 11), (30, 40)])
def test_an_event_outside_of_the_recording_is_told_with_its_row(row):
    table = events((4, 5, "a"), (*row, "call"))
    line = f"^row 2 must lie within the recording, samples 0 to 10; got call from {row[0]} to {row[1]}. Correct it"
    with pytest.raises(DataError, match=line):
        check_labels(table, 10)


def test_a_point_at_the_end_of_an_empty_recording_is_outside():
    check_labels(events().astype({"start": int, "end": int}), 0)
    with pytest.raises(DataError, match="row 1 must lie within the recording, samples 0 to 0"):
        check_labels(events((0, 1, "a")), 0)


@pytest.mark.parametrize("labels", [1, 2, 100_000])
def test_a_hundred_thousand_events_are_checked_however_they_overlap(labels):
    start = np.arange(100_000) if labels == 1 else 10 * np.arange(100_000)
    size = 10**6 if labels == 1 else 15
    table = pd.DataFrame({"start": start, "end": start + size, "label": np.arange(100_000) % labels})
    check_labels(table, 2 * 10**6)
    table.loc[99_999, "start"] -= 4
    if labels > 1:
        with pytest.raises(DataError, match="rows 99999 and 100000 must not both hold"):
            check_labels(table, 2 * 10**6)


def test_the_row_of_the_text_is_named_also_after_rows_that_say_the_same():
    text = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tAnnotation\n1\ta\t1\t2\tx\n1\tb\t1\t2\tx\n2\ta\t1\t2\ty\n"
    table = in_samples(parse_labels(text, file="n.wav"), 10)
    with pytest.raises(DataError, match="rows 1 and 3 must not both hold"):
        check_labels(table, 100)

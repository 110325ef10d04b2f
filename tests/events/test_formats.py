"""What is written for Audacity and Raven reads back as it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.events import Event, events_table, format_audacity, format_raven, parse_labels

LABELS = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r"), min_size=1).filter(str.strip)


@st.composite
def tables(draw):
    times = st.floats(0, 1e6)
    rows = draw(st.lists(st.tuples(times, times, LABELS, st.floats(0, 1)), max_size=8))
    rows = [(min(a, b), max(a, b), label, score) for a, b, label, score in rows]
    table = pd.DataFrame(rows, columns=["start_s", "end_s", "label", "score"]).astype({"label": "str"})
    table.insert(0, "file", pd.Series(["n.wav"] * len(rows), dtype="str"))
    return table.astype({"start_s": float, "end_s": float})


def assert_same(read, table):
    expected = table.sort_values("start_s", kind="stable", ignore_index=True)
    assert list(read.file) == list(expected.file)
    assert list(read.label) == list(expected.label)
    for name in ("start_s", "end_s"):
        np.testing.assert_allclose(read[name], expected[name], rtol=0, atol=0.5001e-6)


@given(tables())
def test_audacity_labels_read_back_to_the_microsecond(table):
    assert_same(parse_labels(format_audacity(table), file="n.wav"), table)


@given(tables(), st.sampled_from(["Annotation", "Species name"]), st.booleans())
def test_raven_selections_read_back_to_the_microsecond(table, label_column, scored):
    table = table if scored else table.drop(columns="score")
    text = format_raven(table, high_hz=4000, label_column=label_column)
    assert ("\tScore\n" in text) == scored
    assert_same(parse_labels(text, file="n.wav", label_column=label_column), table)


EVENTS = [Event((-100,), (4000,), "late", 0.25), Event((-4000,), (4000,), "early", 0.912)]
FOUND = events_table(EVENTS, "n.wav", axes=1, rate_hz=8000)


def test_found_events_are_written_by_their_start_and_none_before_the_recording():
    assert format_audacity(FOUND) == "0.000000\t0.500000\tearly\n0.000000\t0.500000\tlate\n"


def test_raven_gets_a_numbered_box_over_all_frequencies_and_the_score():
    assert format_raven(FOUND, high_hz=11025 / 2).splitlines() == [
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tAnnotation\tScore",
        "1\tSpectrogram 1\t1\t0.000000\t0.500000\t0\t5512.5\tearly\t0.912",
        "2\tSpectrogram 1\t1\t0.000000\t0.500000\t0\t5512.5\tlate\t0.25",
    ]


def test_no_events_are_no_lines_but_the_names():
    assert format_audacity(FOUND[:0]) == ""
    assert format_raven(FOUND[:0], high_hz=1).count("\n") == 1


def test_times_near_zero_have_no_sign():
    table = FOUND.assign(start_s=-0.0, end_s=-1e-9)
    assert "-" not in format_audacity(table)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: format_audacity(FOUND.drop(columns="end_s")),
            "table must have the columns start_s, end_s, label; got ",
        ),
        (lambda: format_audacity(FOUND.assign(file=["a", "b"])), "table must be of one recording; got 2"),
        (lambda: format_audacity(FOUND.assign(end_s=[1, np.nan])), "must have finite times; got 1 rows without. Give "),
        (lambda: format_audacity(FOUND.assign(label="a\tb")), r"label must be text without tabs .*; got 'a\\tb'"),
        (lambda: format_audacity(FOUND.assign(label="a\rb")), r"label must be text without tabs .*; got 'a\\rb'"),
        (lambda: format_raven(FOUND.assign(label="a\nb"), high_hz=1), r"label must be text without .*; got 'a\\nb'"),
        (lambda: format_audacity(FOUND.assign(label=" ")), "label must be text without tabs and line breaks; got ' '"),
        (lambda: format_audacity(FOUND.assign(label=3)), "label must be text without tabs and line breaks; got 3"),
        (lambda: format_raven(FOUND, high_hz=0), "high_hz must be above 0; got 0"),
        (lambda: format_raven(FOUND, high_hz=1, label_column="View"), "label_column must be a name .*; got 'View'"),
        (
            lambda: format_raven(FOUND, high_hz=1, label_column="Begin File"),
            "label_column must be .*; got 'Begin File'",
        ),
        (lambda: format_raven(FOUND, high_hz=1, label_column="Score"), "label_column must be a name .*; got 'Score'"),
        (lambda: format_raven(FOUND, high_hz=1, label_column="a\tb"), r"label_column must be a name .*; got 'a\\tb'"),
    ],
)
def test_what_neither_format_can_hold_is_refused(call, text):
    with pytest.raises(ArgumentError, match=text):
        call()

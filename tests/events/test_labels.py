"""Every format of labels becomes one table, or one line says which row is wrong."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError, DataError
from scanwise.events import Event, events_table, parse_labels


def seconds(*rows):
    """(file, start_s, end_s, label)."""
    return pd.DataFrame(rows, columns=["file", "start_s", "end_s", "label"])


def tabs(*lines):
    return "".join("\t".join(map(str, line)) + "\n" for line in lines)


RAVEN = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")


def raven(*rows, more=("Annotation",)):
    return tabs((*RAVEN, *more), *rows)


AUDACITY = "0.5\t1.25\tcall\n2.000000\t2.000000\ta click\n"
HEARD = seconds(("n.wav", 0.5, 1.25, "call"), ("n.wav", 2.0, 2.0, "a click"))


def test_an_audacity_label_track_has_start_end_and_label():
    pd.testing.assert_frame_equal(parse_labels(AUDACITY, file="n.wav"), HEARD)


def test_frequencies_of_audacity_labels_are_passed_over():
    text = "0.5\t1.25\tcall\n\\\t1000.5\t4000\n2\t2\ta click\n\\\t-1\t2000\n"
    pd.testing.assert_frame_equal(parse_labels(text, file="n.wav"), HEARD)


def test_a_raven_selection_is_one_event_however_many_views_it_has():
    text = raven(
        (1, "Waveform 1", 1, 0.5, 1.25, "", "", "call"),
        (1, "Spectrogram 1", 1, 0.5, 1.25, 0, 4000, "call"),
        (2, "Waveform 1", 1, 2, 2, "", "", "a click"),
        (2, "Spectrogram 1", 1, 2, 2, 0, 4000, "a click"),
    )
    table = parse_labels(text, file="n.wav")
    pd.testing.assert_frame_equal(table.reset_index(drop=True), HEARD)
    assert list(table.index) == [0, 2]  # the rows they stand in, for messages


def test_raven_rows_with_the_same_number_but_another_time_or_label_are_all_kept():
    text = raven(
        (1, "Spectrogram 1", 1, 0.5, 1.25, 0, 4000, "call"),
        (1, "Waveform 1", 1, 0.5, 1.5, 0, 4000, "call"),
        (1, "Waveform 1", 1, 0.5, 1.25, 0, 4000, "song"),
        (2, "Spectrogram 1", 1, 0.5, 1.25, 0, 4000, "call"),
    )
    assert len(parse_labels(text, file="n.wav")) == 4
    without_numbers = tabs((*RAVEN[3:5], "Annotation"), (1, 2, "call"), (1, 2, "call"))
    assert len(parse_labels(without_numbers, file="n.wav")) == 2


def test_the_column_of_labels_in_a_raven_table_can_be_named():
    text = raven((1, "Spectrogram 1", 1, 0.5, 1.25, 0, 4000, "x", "wren"), more=("Annotation", "Species"))
    assert list(parse_labels(text, file="n.wav").label) == ["x"]
    assert list(parse_labels(text, file="n.wav", label_column="Species").label) == ["wren"]


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("Begin File", ("a.wav", "b.wav")),
        ("Begin Path", ("/data/day 1/a.wav", "/data/day 1/b.wav")),
        ("Begin Path", ("C:\\data\\a.wav", "C:\\data\\b.wav")),
    ],
)
def test_times_in_raven_tables_of_several_files_count_from_the_start_of_each(column, cells):
    text = raven(
        (1, "Spectrogram 1", 1, 10, 11.5, 0, 4000, "call", cells[0], 10),
        (2, "Spectrogram 1", 1, 70, 71.5, 0, 4000, "call", cells[1], 10),
        more=("Annotation", column, "File Offset (s)"),
    )
    expected = seconds(("a.wav", 10.0, 11.5, "call"), ("b.wav", 10.0, 11.5, "call"))
    pd.testing.assert_frame_equal(parse_labels(text, file="other.wav"), expected)


def test_a_raven_table_of_one_file_needs_no_offset():
    text = raven((1, "Spectrogram 1", 1, 10, 11.5, 0, 4000, "call", "a.wav"), more=("Annotation", "Begin File"))
    pd.testing.assert_frame_equal(parse_labels(text), seconds(("a.wav", 10.0, 11.5, "call")))


def test_csv_is_in_seconds_or_in_samples_its_columns_in_any_order():
    timed = parse_labels("label,end_s,note,file,start_s\ncall,1.25,loud,n.wav,0.5\na click,2,,n.wav,2\n")
    pd.testing.assert_frame_equal(timed, HEARD)
    counted = parse_labels('start,end,"file",label\n10,20,n.wav,"a, b"\n30,30.0,n.wav,007\n')
    expected = pd.DataFrame({"file": "n.wav", "start": [10, 30], "end": [20, 30], "label": ["a, b", "007"]})
    pd.testing.assert_frame_equal(counted, expected)


@pytest.mark.parametrize("rate_hz", [8000, None])
def test_found_events_can_be_read_as_labels_also_those_at_an_edge(rate_hz):
    events = [Event((-50,), (150,), "call", 0.5), Event((100,), (300,), "song", 0.25)]
    found = events_table(events, "n.wav", axes=1, rate_hz=rate_hz)
    columns = ["file", "start", "end", "start_s", "end_s", "label"]
    expected = found[columns if rate_hz else ["file", "start", "end", "label"]]
    pd.testing.assert_frame_equal(parse_labels(found.to_csv(index=False)), expected)


def test_seconds_that_are_not_all_filled_in_give_way_to_samples():
    table = parse_labels("file,start,end,start_s,end_s,label\na,1,2,0.5,0.6,b\na,3,4,,,b\n")
    assert list(table) == ["file", "start", "end", "label"]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", ["file", "start_s", "end_s", "label"]),
        ("\ufeff \r\n\t\n\n", ["file", "start_s", "end_s", "label"]),
        (raven(), ["file", "start_s", "end_s", "label"]),
        ("file,start_s,end_s,label", ["file", "start_s", "end_s", "label"]),
        ("file,start,end,label\n\n", ["file", "start", "end", "label"]),
    ],
)
def test_a_text_without_events_is_an_empty_table(text, columns):
    table = parse_labels(text)
    assert list(table) == columns
    assert table.empty
    assert {"start": "int64", "start_s": "float64"}[columns[1]] == table.dtypes.iloc[1]


@given(st.sampled_from([AUDACITY, raven((1, "v", 1, 0.5, 1.25, 0, 1, 'a "call'))]), st.sampled_from(["\r\n", "\r"]))
def test_line_ends_blank_lines_and_byte_order_marks_change_nothing(text, end):
    changed = "\ufeff" + end + text.replace("\n", end + " " + end)
    pd.testing.assert_frame_equal(parse_labels(changed, file="n"), parse_labels(text, file="n"))


def test_labels_are_kept_as_they_are_written():
    labels = [" call ", '"call"', "c,all", "NA", "007", "c\u2028all", "\\call", "Ruf ä"]
    text = tabs(*((1, 2, label) for label in labels))
    assert list(parse_labels(text, file="n").label) == labels
    assert parse_labels('file,start,end,label\r\nn,1,2,"two\r\nlines"\r\n').label[0] == "two\r\nlines"


@given(
    st.text(st.sampled_from("\t\t,\n\r\"'\\ 1.5-e;\ufeffxµ\0"), max_size=60),
    st.sampled_from(["", "0\t1\tx\n", "file,start_s,end_s,label\n", "file,start,end,label\n", raven()]),
)
def test_any_text_is_a_table_or_one_line_that_says_why_not(text, first):
    try:
        table = parse_labels(first + text, file="n")
    except DataError as error:
        table, line = None, str(error)
    if table is None:
        assert len(line.splitlines()) == 1
    else:
        assert list(table)[-1] == "label"
        assert not table.isna().any(axis=None)


def test_the_recording_must_be_named_somewhere():
    for text in (AUDACITY, raven((1, "v", 1, 0.5, 1.25, 0, 1, "call"))):
        with pytest.raises(ArgumentError, match="file must name the recording, as the labels themselves do not"):
            parse_labels(text)


def test_a_hundred_thousand_rows_are_read():
    text = "".join(f"{row}.000000\t{row}.500000\tcall {row % 7}\n" for row in range(100_000))
    table = parse_labels(text, file="n.wav")
    assert len(table) == 100_000
    assert table.start_s.iloc[-1] == 99_999

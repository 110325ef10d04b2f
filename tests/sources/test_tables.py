"""Tables of true events."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

from scanwise.errors import DataError
from scanwise.events import Event, event_columns, events_table
from scanwise.sources import read_table, write_table

COLUMNS = event_columns(2)
HEAD = "file,x0,y0,x1,y1,label"


def read(tmp_path, text, encoding="utf-8"):
    (tmp_path / "truth.csv").write_bytes(text.encode(encoding))
    return read_table(tmp_path / "truth.csv", COLUMNS)


def test_labels_stay_text_and_bounds_become_integers(tmp_path):
    table = read(tmp_path, f"{HEAD},note\nNA.png,1,2,3.0,4,007,x\nb.png,-1,0,1,2,null,\n")
    assert table.label.tolist() == ["007", "null"]
    assert table.file.tolist() == ["NA.png", "b.png"]
    assert table[["x0", "y0", "x1", "y1"]].to_numpy().tolist() == [[1, 2, 3, 4], [-1, 0, 1, 2]]
    assert {str(kind) for kind in table[["x0", "y1"]].dtypes} == {"int64"}
    assert table.note.tolist() == ["x", ""]


def test_a_table_without_rows_says_that_there_was_nothing(tmp_path):
    assert read(tmp_path, HEAD).empty


def test_the_mark_that_spreadsheets_put_first_is_passed_over(tmp_path):
    assert len(read(tmp_path, f"{HEAD}\na,1,2,3,4,b\n", encoding="utf-8-sig")) == 1


def test_what_is_written_is_read_back(tmp_path):
    table = events_table([Event((1, 2), (5, 6), 'a "b", c', 0.1 + 0.2)], "f\n.png", axes=2)
    write_table(tmp_path / "events.csv", table)
    pd.testing.assert_frame_equal(read_table(tmp_path / "events.csv", COLUMNS | {"score": float}), table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "not a readable CSV table"),
        (
            "file,x0,y0,x1\na,1,2,3\n",
            r"lacks the column y1, label; has file, x0, y0, x1. The first line must name file",
        ),
        ("file;x0;y0;x1;y1;label\n", "lacks the column"),
        (f"{HEAD}\na,1,2,3,4,b\na,one,2,3,4,b\n", "row 2: x0 must be a whole number; got 'one'"),
        (f"{HEAD}\na,1,2,3,4.5,b\n", r"row 1: y1 must be a whole number; got '4.5'"),
        (f"{HEAD}\na,1,2,3,inf,b\n", "y1 must be a whole number; got 'inf'"),
        (f"{HEAD}\na,1,2,3,1e30,b\n", "y1 must be a whole number; got '1e30'"),
        (f"{HEAD}\na,1,2,3,,b\n", "y1 must be a whole number; got ''"),
        (f"{HEAD}\na,1,2,3,4, \n", "label must be text; got ' '"),
        (f"{HEAD}\na,1,2,3,4,b,c,d\n", "not a readable CSV table"),
        (f'{HEAD}\n"a,1,2,3,4,b\n', "not a readable CSV table"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_the_row(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, text)
    assert "truth.csv: " in str(caught.value)


def test_cells_beyond_the_columns_are_refused_and_not_only_warned_of(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match="not a readable CSV table"):
            read(tmp_path, f"{HEAD}\na,1,2,3,4,b,c,d\n")


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"not a readable CSV table.*UTF-8"):
        read(tmp_path, f"{HEAD}\nä,1,2,3,4,b\n", encoding="latin-1")


def test_numbers_must_be_finite(tmp_path):
    (tmp_path / "a.csv").write_text("score\nnan\n")
    with pytest.raises(DataError, match="row 1: score must be a finite number; got 'nan'"):
        read_table(tmp_path / "a.csv", {"score": float})

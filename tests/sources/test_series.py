"""Recordings as CSV: no line is lost, no cell is guessed, an uneven clock is noticed."""

from __future__ import annotations

import numpy as np
import pytest

from scanwise.errors import DataError
from scanwise.sources import Reading, open_recording, read_recording


def table(tmp_path, text, encoding="utf-8"):
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    return tmp_path / "a.csv"


def samples(path, columns=None):
    with open_recording(path, columns=columns) as recording:
        return recording.read().tolist()


def clocked(tmp_path, times):
    return table(tmp_path, "time_s,a\n" + "".join(f"{time},1\n" for time in times))


def rate_hz(path):
    return read_recording(path).rate_hz


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a,b\n1,2\n3,4\n", [[1, 3], [2, 4]]),
        ("a,b\r\n1,2\r\n3,4", [[1, 3], [2, 4]]),
        ("\ufeffa\n1\n", [[1]]),
        ("time_s,a\n0,5\n1,6\n\n\n", [[5, 6]]),
        (" a , time_s\n 5 ,0\n6, 1 \n", [[5, 6]]),
        ('"a, b",c\n"1",2e1\n', [[1], [20]]),
        ("1,2\n3,4\n", [[1, 3], [2, 4]]),
        ("1\n", [[1]]),
        ("1,b\n3,4\n", [[3], [4]]),
    ],
)
def test_every_column_but_the_time_is_a_channel_and_every_row_a_sample(tmp_path, text, wanted):
    assert samples(table(tmp_path, text)) == wanted


def test_columns_are_chosen_by_name_in_the_order_asked_for_and_others_may_hold_anything(tmp_path):
    path = table(tmp_path, "time_s,left,note,right\n0,1,x,2\n0.5,3,,4\n")
    assert samples(path, ["right", "left"]) == [[2, 4], [1, 3]]
    signal = read_recording(path, Reading(columns=("right",)))
    assert (signal.x.tolist(), signal.rate_hz) == ([[2, 4]], 2.0)
    assert samples(table(tmp_path, "1,2\n3,4\n"), ["2"]) == [[2, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,x\n", "row 2: b must be a finite number; got 'x'. Correct it, or remove the row"),
        ("a,b\n1,\n", "row 1: b must be a finite number; got ''"),
        ("a,b\n1,nan\n", "row 1: b must be a finite number; got 'nan'"),
        ("a,b\n-inf,1\n", "row 1: a must be a finite number; got '-inf'"),
        ("1,2\n1,x\n", "row 2: 2 must be a finite number; got 'x'"),
        ("time_s,a\n0,1\nx,1\n", "row 2: time_s must be a finite number; got 'x'"),
        ("a\n1\n\n2\n", "row 2 has 0 cells; there are 1 columns"),
        ("a,b\n1,2,3\n", "row 1 has 3 cells; there are 2 columns"),
        ("a,b\n1,2\n1\n", "row 2 has 1 cells; there are 2 columns"),
        ("a;b\n1;2\n", "row 1: a;b must be a finite number; got '1;2'"),
        ("a,a\n1,2\n", r"two of its columns have one name \(a, a\). Rename one"),
        ("time_s\n1\n", "has no column that is a channel; has time_s. The first line names the columns"),
        ("\n\n", "has no column that is a channel; has none"),
        ("\na\n1\n", "has no column that is a channel; has none"),
        ("a,b\n", "holds no samples"),
        ("a\n1e300\n", r"1 of 1 values are NaN or infinite \(as float32\), the first at \[0, 0\]"),
        ('a\n"1\n', "not a readable CSV table .* Save it as UTF-8, comma-separated"),
        ("", "the file is empty"),
    ],
)
def test_a_table_that_is_no_recording_is_refused_with_the_row(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        open_recording(table(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'a.csv'}: ")


def test_a_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"lacks the column c; has a, b\. The first line names the columns"):
        open_recording(table(tmp_path, "a,b\n1,2\n"), columns=["a", "c"])


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"not a readable CSV table .*utf-8"):
        open_recording(table(tmp_path, "ä\n1\n", encoding="latin-1"))


@pytest.mark.parametrize("rate", [0.5, 7, 360, 333.25, 8000, 44_100])
@pytest.mark.parametrize("start_s", [0, -3.2, 1e3])
def test_times_tell_the_rate(tmp_path, rate, start_s):
    times = [float(start_s + i / rate) for i in range(500)]
    assert rate_hz(clocked(tmp_path, times)) == pytest.approx(rate, rel=1e-8)


def test_a_whole_rate_is_found_in_times_that_were_rounded(tmp_path):
    assert rate_hz(clocked(tmp_path, [round(i / 360, 3) for i in range(500)])) == 360.0
    assert rate_hz(clocked(tmp_path, [round(i / 3, 6) for i in range(10)])) == 3.0
    assert rate_hz(clocked(tmp_path, [round(i / 33.25, 6) for i in range(2000)])) == pytest.approx(33.25, abs=1e-6)
    assert rate_hz(clocked(tmp_path, [2 * i for i in range(9)])) == 0.5


def test_a_single_time_tells_no_rate(tmp_path):
    assert rate_hz(clocked(tmp_path, [3])) is None


EVEN = [i / 8 for i in range(12)]


@pytest.mark.parametrize(
    ("times", "row"),
    [
        *((EVEN[:gap] + EVEN[gap + 1 :], None) for gap in range(1, 11)),  # a row is missing
        *((EVEN[:twice] + EVEN[twice - 1 :], None) for twice in range(1, 13)),  # or stands twice
        (EVEN[:3] + EVEN[4:8] + [EVEN[7]] + EVEN[8:], None),  # or both
        ([*EVEN[:5], EVEN[5] + 0.04, *EVEN[6:]], 6),
        (EVEN[::-1], 12),
        ([1, 1, 1], 3),
        ([0, 5e-324], 2),
        ([-1e308, 1e308], 2),
        ([-1e308, 1e308, 1e308, 0], None),
    ],
)
def test_an_uneven_clock_is_refused(tmp_path, times, row):
    message = rf"time_s must increase evenly; row {row or '[0-9]+'} is off, at .* s. Resample it, or leave the column"
    with pytest.raises(DataError, match=message):
        read_recording(clocked(tmp_path, times))


def test_a_clock_may_be_off_by_less_than_a_quarter_of_a_step(tmp_path):
    times = [EVEN[0], *(time + 0.03 * (-1) ** i for i, time in enumerate(EVEN[1:-1])), EVEN[-1]]
    assert rate_hz(clocked(tmp_path, times)) == 8.0


def test_many_rows_are_read_as_numpy_reads_them(tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 5000))
    path = tmp_path / "a.csv"
    np.savetxt(path, x.T, delimiter=",", fmt="%.17g")
    np.testing.assert_array_equal(read_recording(path).x, x.astype(np.float32))

"""What is wrong with labels is said in one line, with the row."""

from __future__ import annotations

import pytest

from scanwise.errors import DataError
from scanwise.events import parse_labels

TIMED = "file,start_s,end_s,label\n"
COUNTED = "file,start,end,label\n"
RAVEN = "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n"
FILES = "Begin Time (s)\tEnd Time (s)\tAnnotation\tBegin File\tFile Offset (s)\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "0.5\t1,5\tcall\n",
            "row 1: end must be a number, such as 1.5, at least 0; got '1,5'. Write numbers with a decimal point and "
            "without separators between thousands.",
        ),
        ("0,5\t1,5\tcall\n", "row 1: start must be a number, such as 1.5, at least 0; got '0,5'. Write numbers"),
        ("0\t1\ta\n\\\t1\t2\n\n1\tx\ta\n", "row 2: end must be a number, such as 1.5, at least 0; got 'x'."),
        ("0\t1\ta\n1\tnan\ta\n", "row 2: end must be a number, such as 1.5, at least 0; got 'nan'."),
        ("0\tinf\ta\n", "row 1: end must be a number, such as 1.5, at least 0; got 'inf'."),
        ("0\t1e999\ta\n", "row 1: end must be a number, such as 1.5, at least 0; got '1e999'."),
        ("0\t1_0\ta\n", "row 1: end must be a number, such as 1.5, at least 0; got '1_0'."),
        ("0\t٣\ta\n", "row 1: end must be a number, such as 1.5, at least 0; got '٣'."),
        ("-0.5\t1\ta\n", "row 1: start must be a number, such as 1.5, at least 0; got '-0.5'. Correct it or remove"),
        ("0\t1\ta\n2\t1.5\ta\n", "row 2: end must not be before start; got 1.5, before 2. Correct it or remove"),
        ("0\t1\t\n", "row 1: label must be text; got ''. Fill it in or remove the row."),
        ("0\t1\t  \n", "row 1: label must be text; got '  '."),
        ("0\t1\n", "row 1: label must be text; got ''."),
        ("0.5\tcall\n", "row 1: end must be a number, such as 1.5, at least 0; got 'call'."),
        ("0\t1\ta\n\\\t1\t2\n1\t2\ta\t\n", "row 2 must have at most 3 cells; got 4. Remove what is too much, or quote"),
        ("0\t1\ta\n\t\t\n", "row 2: start must be a number, such as 1.5, at least 0; got ''."),
        (RAVEN + "1\t2\t1\ta\n", r"row 1: End Time (s) must not be before Begin Time (s); got 1, before 2."),
        (RAVEN + "1\t-2\t1\ta\n", "row 1: Begin Time (s) must be a number, such as 1.5, at least 0; got '-2'."),
        (RAVEN + "1\t1\t2\ta\n2\t1\t2\t\n", "row 2: Annotation must be text; got ''."),
        (RAVEN + "1\t1\t2\ta\t\n", "row 1 must have at most 4 cells; got 5."),
        (
            RAVEN.replace("Annotation", "Species"),
            "lacks the column Annotation; has Selection, Begin Time (s), End Time",
        ),
        (RAVEN.replace("Annotation", "Species"), "Species. Say which column holds the labels (label_column)."),
        (RAVEN.replace("End", "Peak"), "lacks the column End Time (s); has Selection, Begin Time (s), Peak Time (s)"),
        (RAVEN.replace("Selection", "Annotation") + "x\t1\t2\ta\n", "has the column Annotation more than once."),
        (FILES + "1\t2\ta\t\t1\n", "row 1: Begin File must be text; got ''."),
        (FILES + "1\t2\ta\tn.wav\t\n", "row 1: File Offset (s) must be a number, such as 1.5, at least 0; got ''."),
        (FILES.replace("Offset", "Name") + "1\t2\ta\tn\t\n1\t2\ta\tm\t\n", "is of 2 files, and its times count from"),
        (TIMED + "n,0,1,a\nn,0.5,x,a\n", "row 2: end_s must be a number, such as 1.5; got 'x'."),
        (
            TIMED + 'n,0,"1,5",a\n',
            "row 1: end_s must be a number, such as 1.5; got '1,5'. Write numbers with a decimal",
        ),
        (TIMED + "n,0,1,5,a\n", "row 1 must have at most 4 cells; got 5."),
        (TIMED + "n,0,1\n", "row 1: label must be text; got ''."),
        (TIMED + " ,0,1,a\n", "row 1: file must be text; got ' '."),
        (TIMED + "n,2,1,a\n", "row 1: end_s must not be before start_s; got 1, before 2."),
        (TIMED + 'n,0,1,"a\nn,1,2,b\n', "not a readable table (unexpected end of data). Export it again."),
        (TIMED + "n,0,1," + "a" * 200_000, "not a readable table (field larger than field limit"),
        (COUNTED + "n,1,2.5,a\n", "row 1: end must be a whole number; got '2.5'."),
        (COUNTED + "n,1,1e300,a\n", "row 1: end must be a whole number; got '1e300'."),
        (COUNTED + "n,,2,a\n", "row 1: start must be a whole number; got ''."),
        (COUNTED + "n,3,2,a\n", "row 1: end must not be before start; got 2, before 3."),
        ("file,start,end,start_s,end_s,label\nn,1,2,x,y,a\n", "row 1: start_s must be a number, such as 1.5; got 'x'."),
        (
            "file,start,end_s,label\n",
            "lacks the column start_s; has file, start, end_s, label. The first line must name",
        ),
        ("start_s,end_s,label\n0,1,a\n", "lacks the column file; has start_s, end_s, label. The first line must name"),
        ("file,start,end,label,label\nn,1,2,a,b\n", "has the column label more than once. Remove or rename all but"),
        ("file;start_s;end_s;label\n", "the first line must be that of an Audacity label track, of a Raven selection"),
        ("file\tstart_s\tend_s\tlabel\n", r"got 'file\tstart_s\tend_s\tlabel'. Export it in one of these."),
        ("0.5,1.5,call\n", "got '0.5,1.5,call'. Export it in one of these."),
        ("0.5 1.5 call\n", "got '0.5 1.5 call'. Export it in one of these."),
        ('""\n', "got '\"\"'. Export it in one of these."),
        ("WEBVTT" + "\0" * 500, r"got 'WEBVTT\x00\x00"),
        ("\\\t1\t2\n", r"got '\\\t1\t2'. Export it in one of these."),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, line):
    with pytest.raises(DataError, match=r"^(row |lacks |has |is |not |the )") as caught:
        parse_labels(text, file="n.wav")
    assert line in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 700
    assert str(caught.value).endswith(".")


def test_a_named_column_of_labels_that_is_missing_is_named():
    with pytest.raises(DataError, match="lacks the column Species; has Selection"):
        parse_labels(RAVEN + "1\t1\t2\ta\n", file="n.wav", label_column="Species")

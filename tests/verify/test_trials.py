"""Lists of trials."""

from __future__ import annotations

import pytest

from scanwise.errors import DataError
from scanwise.verify import parse_trials


@pytest.mark.parametrize(
    "text",
    [
        "1 a b\n0 a c\n1 c d\n",
        "a b target\na c nontarget\nc d target\n",
        "\n1\ta   b\r\n\n0 a c\r\n1 c d",
    ],
)
def test_both_usual_forms_are_read(text: str) -> None:
    trials = parse_trials(text)
    assert trials.samples == ("a", "b", "c", "d")
    assert trials.first.tolist() == [0, 0, 2]
    assert trials.second.tolist() == [1, 2, 3]
    assert trials.same.tolist() == [True, False, True]
    assert len(trials) == 3


def test_lines_are_those_of_the_file() -> None:
    assert parse_trials("\n1 a b\n\n0 a c\n").lines.tolist() == [2, 4]


def test_samples_that_target_trials_join_are_of_one_subject() -> None:
    trials = parse_trials("1 a b\n1 b c\n0 a d\n1 e f\n0 g a\n")
    of = dict(zip(trials.samples, trials.subjects().tolist(), strict=True))
    assert of["a"] == of["b"] == of["c"]
    assert of["e"] == of["f"]
    assert len({of["a"], of["d"], of["e"], of["g"]}) == 4


def test_a_trial_may_stand_there_twice_but_not_contradict_itself() -> None:
    assert len(parse_trials("1 a b\n1 b a\n0 a c\n")) == 3
    with pytest.raises(DataError, match=r"list.txt: line 3 must agree with line 1; got the other label"):
        parse_trials("1 a b\n0 a c\n0 b a\n", "list.txt")
    with pytest.raises(
        DataError, match=r"list.txt: line 4 must agree with the target trials; got nontarget for a and c"
    ):
        parse_trials("1 a b\n0 a d\n1 b c\n0 a c\n", "list.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.txt: must hold a trial at least; got none"),
        ("\n \n", "list.txt: must hold a trial at least; got none"),
        ("1 a b\n1 a\n", "list.txt: line 2 must be 'label a b' or 'a b label'; got '1 a'"),
        ("1 my voice.wav b\n", "list.txt: line 1 must be 'label a b'"),
        ("1 a b\n2 a c\n", "list.txt: line 2: the first word must be 1, 0, target or nontarget; got '2'"),
        ("a b target\na c maybe\n", "list.txt: line 2: the third word must be 1, 0, target or nontarget; got 'maybe'"),
        ("a b c\n", "list.txt: line 1: the first word must be 1, 0, target or nontarget; got 'a'"),
        ("0 a b\n\n1 c c\n", "list.txt: line 3 must compare two samples; got c twice"),
    ],
)
def test_a_line_that_is_no_trial_is_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_trials(text, "list.txt")

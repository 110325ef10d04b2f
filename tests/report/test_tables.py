"""Tables for the terminal say what the numbers say."""

from __future__ import annotations

import re

import numpy as np
import pytest
from rich.console import Console

from scanwise.errors import ArgumentError
from scanwise.events import Event, events_table, match
from scanwise.report import confusion_table, match_table, training_table


def lines(table, width=100):
    """What a plain terminal shows, without decoration."""
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return [line.split() for line in capture.get().splitlines() if re.search(r"\w", line)]


def table_of(*events):
    return events_table([Event((y, x), (y + 4, x + 4), label, 0.5) for y, x, label in events], "f", axes=2)


def test_a_confusion_matrix_has_a_row_for_each_true_class():
    assert lines(confusion_table(np.array([[3, 1], [0, 0]]), ["cat", "dog"])) == [
        ["75.00%", "of", "4", "right"],
        ["true", "\\", "answer", "cat", "dog", "right"],
        ["cat", "3", "1", "75.0%"],
        ["dog", "·", "·", "-"],
    ]


def test_of_many_classes_the_worst_are_shown_with_what_they_were_taken_for():
    counts = 10 * np.eye(13, dtype=int)
    counts[4, 7], counts[4, 8], counts[2, 0] = 3, 2, 1
    assert lines(confusion_table(counts, [f"c{i}" for i in range(13)])) == [
        ["95.59%", "of", "136", "right"],
        ["class", "clips", "right", "most", "often", "taken", "for"],
        ["c4", "15", "66.7%", "c7", "(3)"],
        ["c2", "11", "90.9%", "c0", "(1)"],
        ["11", "classes", "without", "an", "error", "are", "not", "shown"],
    ]


def test_more_than_twenty_bad_classes_are_counted():
    shown = lines(confusion_table(np.ones((25, 25), dtype=int), [f"c{i}" for i in range(25)]))
    assert len(shown) == 2 + 20 + 1
    assert shown[-1] == ["and", "5", "more", "classes", "with", "errors"]


def test_what_was_found_is_counted_by_label_and_in_all():
    truth = table_of((0, 0, "a"), (50, 50, "a"), (90, 90, "b"))
    found = table_of((1, 0, "a"), (90, 90, "c"))
    assert lines(match_table(found, truth, match(found, truth, tolerance=2))) == [
        ["label", "true", "found", "right", "missed", "false", "precision", "recall", "F1"],
        ["a", "2", "1", "1", "1", "0", "1.000", "0.500", "0.667"],
        ["b", "1", "0", "0", "1", "0", "1.000", "0.000", "0.000"],
        ["c", "0", "1", "0", "0", "1", "0.000", "1.000", "0.000"],
        ["all", "3", "2", "1", "2", "1", "0.500", "0.333", "0.400"],
    ]


def test_labels_are_shown_as_they_are_not_as_markup():
    found = table_of((0, 0, "[red]x[/red]"))
    assert lines(match_table(found, found, match(found, found, tolerance=1)))[1][0] == "[red]x[/red]"
    assert lines(confusion_table(np.eye(2), ["[b]", "[/b]"]))[2][0] == "[b]"


def rows(epochs, validated=True):
    return [
        {
            "epoch": i,
            "loss": 1 / (i + 1),
            "val_loss": 2 / (i + 1) if validated else None,
            "metric": i / epochs if validated else None,
            "seconds": 1.25,
        }
        for i in range(epochs)
    ]


def test_a_short_run_is_shown_whole_and_the_kept_epoch_is_marked():
    assert lines(training_table(rows(2), best=1, metric_name="accuracy")) == [
        ["epoch", "loss", "validation", "loss", "accuracy", "seconds"],
        ["1", "1.0000", "2.0000", "0.0000", "1.2"],
        ["2", "0.5000", "1.0000", "0.5000", "1.2", "<-", "kept"],
    ]


def test_a_long_run_is_shown_in_about_ten_rows_and_always_the_kept_one():
    shown = lines(training_table(rows(500), best=321, metric_name="accuracy"))[1:]
    assert len(shown) == 11
    assert (shown[0][0], shown[-1][0]) == ("1", "500")
    assert [row[0] for row in shown if "kept" in row] == ["322"]


def test_without_validation_there_are_no_columns_for_it():
    assert lines(training_table(rows(1, validated=False), best=0, metric_name=""))[0] == [
        "epoch",
        "loss",
        "seconds",
    ]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: confusion_table(np.eye(3), ["a"]), r"confusion must be 1 x 1; got \(3, 3\)"),
        (lambda: confusion_table(np.zeros((0, 0)), []), "confusion must be 0 x 0"),
        (lambda: training_table([], best=0, metric_name=""), "rows must hold an epoch; got none"),
    ],
)
def test_wrong_arguments_are_named(call, text):
    with pytest.raises(ArgumentError, match=text):
        call()

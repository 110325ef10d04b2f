"""Recordings and labels that cannot be learnt from, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from labels import ANY, noise, rows, table, text_of
from signals import save

from scanwise.errors import ArgumentError, DataError, InputFailed
from scanwise.model._labelled import read_labelled


class TestRefused:
    """What cannot be learnt from is one line."""

    @pytest.mark.parametrize(
        ("events", "message"),
        [
            (table(("a.wav", 7999, 9000, "up")), "row 1 must lie within the recording, samples 0 to 8000; got up"),
            (table(("a.wav", -9, 5, "up")), "row 1 must lie within the recording"),
            (table(("a.wav", 1, 2, "x"), ("a.wav", 1, 2, "y")), "rows 1 and 2 must not both hold; got x from 1 to 2"),
            (table(("a.wav", 0.5, 2, "up")), r"row 1: start must be a whole number of samples; got 0\.5"),
            (table(("a.wav", 3, 2, "up")), "row 1: end must not be before start"),
            (table(("a.wav", 3, 2, "up")).drop(columns="end"), "table must have the columns"),
        ],
    )
    def test_labels_that_cannot_be_true_cost_their_recording(
        self, tmp_path: Path, events: pd.DataFrame, message: str
    ) -> None:
        for name in "ab":
            save(tmp_path / f"{name}.wav", noise())
        with pytest.raises(DataError, match=rf"a\.wav: labels, {message}"):
            read_labelled(tmp_path / "a.wav", events, reading=ANY)
        more = pd.concat([events, table(("b.wav", 1, 2, "up"))], ignore_index=True)
        more = more if "end" in events else more.drop(columns="end").assign(end=[None, 2])
        with pytest.warns(InputFailed, match=r"a\.wav: labels, "):
            assert read_labelled(tmp_path, more, reading=ANY).names == ("b.wav",)

    def test_one_of_several_files_fails_alone(self, tmp_path: Path) -> None:
        for name in "abc":
            save(tmp_path / f"{name}.wav", noise())
        (tmp_path / "b.wav").write_bytes((tmp_path / "b.wav").read_bytes()[:-100])
        (tmp_path / "c.wav").write_bytes(b"no audio at all")
        with pytest.warns(InputFailed) as warned:
            assert read_labelled(tmp_path, table(("a.wav", 1, 2, "up")), reading=ANY).names == ("a.wav",)
        assert [str(w.message).split(". ")[0] for w in warned] == [
            f"{tmp_path}/b.wav: truncated: 8,000 samples are promised, 7,950 are there",
            f"{tmp_path}/c.wav: not a WAV file",
        ]

    def test_nothing_is_left_when_all_fail(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / f"{name}.wav").write_bytes(b"no audio at all")
        with (
            pytest.warns(InputFailed, match=r"[ab]\.wav: not a WAV file"),
            pytest.raises(DataError, match=r"recordings must have one that can be learnt from; got none\. See above"),
        ):
            read_labelled(tmp_path, table(("a.wav", 1, 2, "up")), reading=ANY)

    def test_a_single_recording_that_fails_is_one_error(self, tmp_path: Path) -> None:
        path = text_of(tmp_path, "a.wav", "no audio at all")
        with pytest.raises(DataError, match=r"a\.wav: not a WAV file"):
            read_labelled(path, table(("a.wav", 1, 2, "up")), reading=ANY)

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.zeros((1, 2, 3)), r"a: must be finite numbers .* got float64 \(1, 2, 3\)"),
            (np.array([1.0, np.nan]), r"a: must be finite numbers .* or NaN or infinity in it\. Reshape or repair it"),
            (np.array(["x"]), "a: must be finite numbers .* got <U1"),
            (np.zeros(0), r"a: must be finite numbers .* got float64 \(1, 0\)"),
        ],
    )
    def test_an_array_that_is_no_recording(self, array: np.ndarray, message: str) -> None:
        with pytest.raises(DataError, match=message):
            read_labelled({"a": array}, table(("a", 0, 1, "up")), reading=ANY)

    @pytest.mark.parametrize(
        ("data", "labels", "error", "message"),
        [
            ({}, table(), ArgumentError, "data must be a path or arrays by name where there are labels; got none"),
            ((noise(), ["up"]), table(), ArgumentError, "data must be a path .* got tuple"),
            (noise(), table(), ArgumentError, "data must be a path .* got ndarray"),
            ({"a": noise()}, {"a": 1}, ArgumentError, "labels must be a table, a file or a folder; got dict"),
            (
                {"a": noise()},
                pd.DataFrame({"start": [1]}),
                DataError,
                "labels must have the columns file and label; got",
            ),
            (
                {"a": noise()},
                table(("a", 0, 1, "up")).assign(label=None),
                DataError,
                "labels must have a file and a la",
            ),
            ({"a": noise()}, table(), DataError, "labels must hold at least one event to learn from; got none"),
            ({"a": noise()}, "gone.csv", DataError, r"gone\.csv: no such file"),
        ],
    )
    def test_what_is_no_data_or_no_labels(
        self, data: object, labels: object, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            read_labelled(data, labels, reading=ANY)  # type: ignore[arg-type]

    def test_a_file_that_names_no_recording_cannot_be_for_several(self, tmp_path: Path) -> None:
        for name in "ab":
            save(tmp_path / f"{name}.wav", noise())
        path = text_of(tmp_path, "labels.txt", "0.1\t0.2\tup\n")
        with pytest.raises(DataError, match=r"labels\.txt: names no recordings, and there are several\. Give a folder"):
            read_labelled(tmp_path, path, reading=ANY)
        assert rows(read_labelled(tmp_path / "b.wav", path, reading=ANY)) == [("b.wav", 800, 1600, "up")]

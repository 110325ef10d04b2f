"""Recordings and their labels: what belongs to which, in whose samples, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from labels import ANY, noise, rows, table, text_of
from signals import RATE_HZ, in_seconds, recording, save

from scanwise.errors import DataError, InputFailed
from scanwise.events import format_audacity, format_raven
from scanwise.model._labelled import Labelled, read_labelled
from scanwise.sources import Reading


def as_csv(events: pd.DataFrame, folder: Path) -> Path:
    return text_of(folder, "labels.csv", events.to_csv(index=False))


def as_audacity(events: pd.DataFrame, folder: Path) -> Path:
    for file, mine in events.groupby("file"):
        text_of(folder, f"labels/{Path(str(file)).stem}.txt", format_audacity(mine))
    return folder / "labels"


def as_raven(events: pd.DataFrame, folder: Path) -> Path:
    for file, mine in events.groupby("file"):
        text = format_raven(mine, high_hz=RATE_HZ / 2, label_column="Species")
        text_of(folder, f"labels/{Path(str(file)).stem}.Table.1.selections.txt", text)
    return folder / "labels"


FORMS: dict[str, Callable[[pd.DataFrame, Path], Path | pd.DataFrame]] = {
    "CSV in seconds": lambda events, folder: as_csv(in_seconds(events), folder),
    "CSV in samples": as_csv,
    "Audacity": lambda events, folder: as_audacity(in_seconds(events), folder),
    "Raven": lambda events, folder: as_raven(in_seconds(events), folder),
    "table in seconds": lambda events, _: in_seconds(events),
    "table in samples": lambda events, _: events,
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_mean_the_same_in_whatever_form(tmp_path: Path, form: str) -> None:
    parts = []
    for number, name in enumerate(("one.wav", "two.flac")):
        x, events = recording(number, seconds=6, count=4)
        save(tmp_path / "in" / name, x)
        parts.append(events.assign(file=name))
    truth = pd.concat(parts, ignore_index=True)
    data = read_labelled(tmp_path / "in", FORMS[form](truth, tmp_path), reading=ANY, label_column="Species")
    assert data.names == ("one.wav", "two.flac")
    assert rows(data) == list(truth[["file", "start", "end", "label"]].itertuples(index=False, name=None))
    assert data.events[["start", "end"]].dtypes.tolist() == [np.int64, np.int64]
    assert data.rate_hz == RATE_HZ
    np.testing.assert_array_equal(data.recordings[1], recording(1, seconds=6, count=4)[0])


def test_arrays_are_recordings_by_name_whatever_the_name_is() -> None:
    x = noise(50).astype(np.float64)
    data = read_labelled({"a": x, 7: x[0]}, table((7, 10, 20, "up")), reading=Reading(100.0))  # type: ignore[dict-item, arg-type]
    assert (data.names, data.rate_hz) == (("a", "7"), 100)
    assert rows(data) == [("7", 10, 20, "up")]
    assert [(part.dtype, part.shape) for part in data.recordings] == [(np.float32, (1, 50))] * 2


def test_a_label_belongs_to_the_recording_of_its_name_or_of_its_file_name(tmp_path: Path) -> None:
    for name in ("a.wav", "x/a.wav", "x/b.wav"):
        save(tmp_path / name, noise())
    events = table(("b.wav", 1, 2, "up"), ("a.wav", 3, 4, "up"), ("x/a.wav", 5, 6, "up"), ("b.wav", 7, 8, "up"))
    data = read_labelled(tmp_path, events, reading=ANY)
    assert rows(data) == [
        ("a.wav", 3, 4, "up"), ("x/a.wav", 5, 6, "up"), ("x/b.wav", 1, 2, "up"), ("x/b.wav", 7, 8, "up"),
    ]  # fmt: skip


def test_labels_of_two_recordings_are_not_given_to_the_one_that_is_here(tmp_path: Path) -> None:
    for name in ("here/a.wav", "here/b.wav"):
        save(tmp_path / name, noise())
    events = table(("x/a.wav", 1, 2, "up"), ("y/a.wav", 3, 4, "up"), ("x/b.wav", 5, 6, "up"))
    with pytest.warns(InputFailed, match=r"a\.wav: may be meant by [xy]/a\.wav in the labels, and so"):
        data = read_labelled(tmp_path / "here", events, reading=ANY)
    assert rows(data) == [("b.wav", 5, 6, "up")]
    events = table(("a.wav", 1, 2, "up"), ("y/a.wav", 3, 4, "up"))
    with pytest.warns(InputFailed, match=r"y/a\.wav: is named in the labels, but there is no such recording"):
        data = read_labelled(tmp_path / "here", events, reading=ANY)
    assert rows(data) == [("a.wav", 1, 2, "up")]


def test_a_file_of_labels_of_another_recording_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        save(tmp_path / "in" / name, noise())
    raven = "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\tBegin File\n1\t0.1\t0.2\tup\t{}\n"
    text_of(tmp_path, "labels/a.Table.1.selections.txt", raven.format("a.wav"))
    text_of(tmp_path, "labels/b.Table.1.selections.txt", raven.format("old.wav"))
    with pytest.warns(InputFailed, match=r"b\.wav: labels, .*must be of b\.wav; it labels old\.wav\. Rename"):
        data = read_labelled(tmp_path / "in", tmp_path / "labels", reading=ANY)
    assert data.names == ("a.wav",)


def test_recordings_that_a_name_may_mean_alike_are_not_taken_for_empty(tmp_path: Path) -> None:
    for name in ("x/a.wav", "y/a.wav", "y/b.wav"):
        save(tmp_path / name, noise())
    events = table(("a.wav", 1, 2, "up"), ("b.wav", 1, 2, "up"))
    with pytest.warns(InputFailed) as warned:
        data = read_labelled(tmp_path, events, reading=ANY)
    assert [str(warning.message) for warning in warned] == [
        f"{tmp_path}/{name}/a.wav: may be meant by a.wav in the labels, and so may others. Name its folder."
        for name in "xy"
    ]
    assert data.names == ("y/b.wav",)


def test_labels_of_an_unknown_recording_are_named_and_the_others_used(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", noise())
    events = table(("a.wav", 1, 2, "up"), ("gone.wav", 1, 2, "up"), ("gone.wav", 3, 4, "up"))
    with pytest.warns(
        InputFailed, match=r"^gone\.wav: is named in the labels, but there is no such recording\.$"
    ) as all_:
        data = read_labelled(path, events, reading=ANY)
    assert len(all_) == 1
    assert rows(data) == [("a.wav", 1, 2, "up")]
    more = pd.concat([events, table(("lost.wav", 1, 2, "up"), ("none.wav", 1, 2, "up"))])
    with pytest.warns(InputFailed, match=r"^gone\.wav: and 2 others are named in the labels, but") as all_:
        read_labelled(path, more, reading=ANY)
    assert len(all_) == 1


def test_a_recording_that_a_table_does_not_name_was_reviewed_and_is_empty(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / f"{name}.wav", noise())
    data = read_labelled(tmp_path, table(("a.wav", 1, 2, "up")), reading=ANY)
    assert data.names == ("a.wav", "b.wav")
    assert len(rows(data)) == 1


class TestFolders:
    """A file of labels for each recording."""

    @pytest.fixture
    def night(self, tmp_path: Path) -> Path:
        """Three recordings and the labels of the first."""
        for name in "abc":
            save(tmp_path / "in" / f"{name}.wav", noise())
        text_of(tmp_path, "labels/a.txt", "0.5\t0.6\tup\n")
        return tmp_path

    def read(self, night: Path) -> Labelled:
        return read_labelled(night / "in", night / "labels", reading=ANY)

    def test_one_without_a_file_is_named_and_left_out(self, night: Path) -> None:
        text_of(night, "labels/b.txt", "")
        with pytest.warns(InputFailed) as warned:
            data = self.read(night)
        assert [str(warning.message) for warning in warned] == [
            f"{night}/in/c.wav: has no labels. If there is nothing in it, give it an empty file of labels."
        ]
        assert data.names == ("a.wav", "b.wav")
        assert rows(data) == [("a.wav", 4000, 4800, "up")]

    @pytest.mark.parametrize("empty", ["", "\n\n", "file,start_s,end_s,label\n"])
    @pytest.mark.parametrize("suffix", [".txt", ".csv", ".TXT", ".tsv"])
    def test_an_empty_file_means_that_there_is_nothing(self, night: Path, empty: str, suffix: str) -> None:
        for name in "bc":
            text_of(night, f"labels/{name}{suffix}", empty)
        assert self.read(night).names == ("a.wav", "b.wav", "c.wav")

    def test_units_may_differ_from_file_to_file(self, night: Path) -> None:
        text_of(night, "labels/b.csv", "file,start,end,label\nb.wav,10,20,down\n")
        text_of(night, "labels/c.csv", "file,start,end,start_s,end_s,label\nc.wav,30,40,3,4,down\n")
        data = self.read(night)
        assert rows(data) == [("a.wav", 4000, 4800, "up"), ("b.wav", 10, 20, "down"), ("c.wav", 30, 40, "down")]

    def test_a_file_that_cannot_be_read_costs_only_its_recording(self, night: Path) -> None:
        text_of(night, "labels/b.txt", "0.5\t0.4\tup\n")
        (night / "labels" / "c.txt").write_bytes(b"\xff\x00\x01")
        with pytest.warns(InputFailed) as warned:
            assert self.read(night).names == ("a.wav",)
        b, c = (str(warning.message) for warning in warned)
        assert b.startswith(f"{night}/in/b.wav: labels, {night}/labels/b.txt: row 1: end must not be before start")
        assert c.startswith(f"{night}/in/c.wav: labels, {night}/labels/c.txt: is not UTF-8 text")

    def test_two_files_for_one_recording_are_one_too_many(self, night: Path) -> None:
        for name in ("b.txt", "b.Table.1.selections.txt", "c.txt"):
            text_of(night, f"labels/{name}", "")
        with pytest.warns(InputFailed, match=r"in/b\.wav: labels, .*b\.Table\.1\.selections\.txt: must be the only fi"):
            assert self.read(night).names == ("a.wav", "c.wav")

    def test_none_for_any_recording_is_refused(self, night: Path) -> None:
        (night / "other").mkdir()
        with pytest.raises(DataError, match=r"other: holds no file of labels for any recording, such as a\.txt\.$"):
            read_labelled(night / "in", night / "other", reading=ANY)

    def test_files_stand_as_their_recordings_do_or_all_in_one_place(self, tmp_path: Path) -> None:
        for name in ("x/a.wav", "y/a.wav", "y/b.wav"):
            save(tmp_path / "in" / name, noise())
        for name, start in (("x/a", 1), ("y/a", 2), ("b", 3)):
            text_of(tmp_path, f"labels/{name}.txt", f"0.{start}\t0.{start}\tup\n")
        data = read_labelled(tmp_path / "in", tmp_path / "labels", reading=ANY)
        assert [(file, start) for file, start, _, _ in rows(data)] == [
            ("x/a.wav", 800), ("y/a.wav", 1600), ("y/b.wav", 2400),
        ]  # fmt: skip

    def test_a_file_name_that_two_recordings_share_is_not_guessed(self, tmp_path: Path) -> None:
        for name in ("x/a.wav", "y/a.wav", "b.wav"):
            save(tmp_path / "in" / name, noise())
        for name in "ab":
            text_of(tmp_path, f"labels/{name}.txt", "0.1\t0.2\tup\n")
        with pytest.warns(InputFailed, match=r"[xy]/a\.wav: has no labels"):
            assert read_labelled(tmp_path / "in", tmp_path / "labels", reading=ANY).names == ("b.wav",)

    def test_files_beside_recordings_that_are_csv_themselves_are_told_apart(self, tmp_path: Path) -> None:
        for name in "abc":
            save(tmp_path / f"{name}.csv", noise(100), rate_hz=100)
        text_of(tmp_path, "a.txt", "0.5\t0.6\tup\n")
        text_of(tmp_path, "b.Table.1.selections.txt", "")
        with pytest.warns(InputFailed, match=r"c\.csv: has no labels"):
            data = read_labelled(tmp_path, tmp_path, reading=ANY)
        assert data.names == ("a.csv", "b.csv")
        assert rows(data) == [("a.csv", 50, 60, "up")]

    def test_an_empty_table_may_be_called_as_its_recording(self, tmp_path: Path) -> None:
        for name in "ab":
            save(tmp_path / "in" / f"{name}.csv", noise(100), rate_hz=100)
        text_of(tmp_path, "labels/a.csv", "")
        text_of(tmp_path, "labels/b.csv", "file,start,end,label\nb.csv,1,2,up\n")
        data = read_labelled(tmp_path / "in", tmp_path / "labels", reading=ANY)
        assert data.names == ("a.csv", "b.csv")
        assert rows(data) == [("b.csv", 1, 2, "up")]

    @pytest.mark.parametrize("name", ["night[1].wav", "2024.05.01.wav", "a b*.wav"])
    def test_recordings_may_be_called_as_they_like(self, tmp_path: Path, name: str) -> None:
        save(tmp_path / "in" / name, noise())
        text_of(tmp_path, f"labels/{name[:-4]}.Table.1.selections.txt", "")
        text_of(tmp_path, "labels/night1.txt", "0.1\t0.2\tup\n")  # what the name is as a pattern
        with pytest.raises(DataError, match=r"labels must hold at least one event to learn from; got none\. Label"):
            read_labelled(tmp_path / "in", tmp_path / "labels", reading=ANY)

    def test_the_name_of_an_array_has_no_suffix(self, tmp_path: Path) -> None:
        text_of(tmp_path, "2024.05.txt", "0.1\t0.2\tup\n")
        data = read_labelled({"2024.05": noise()}, tmp_path, reading=Reading(100.0))
        assert rows(data) == [("2024.05", 10, 20, "up")]


class TestRates:
    """One rate and one number of channels for all."""

    @pytest.fixture
    def mixed(self, tmp_path: Path) -> Path:
        """Recordings of one second: one at 4000 Hz, two at 8000 Hz."""
        for name, rate in (("a", 4000), ("b", 8000), ("c", 8000)):
            save(tmp_path / f"{name}.wav", noise(rate), rate_hz=rate)
        return tmp_path

    def test_most_recordings_have_it_and_others_fail(self, mixed: Path) -> None:
        with pytest.warns(InputFailed, match=r"a\.wav: has 4000 Hz where 8000 Hz is needed\. Convert it, or allow res"):
            data = read_labelled(mixed, table(("b.wav", 1, 2, "up")), reading=ANY)
        assert (data.names, data.rate_hz) == (("b.wav", "c.wav"), 8000)

    def test_a_rate_that_is_given_is_needed(self, mixed: Path) -> None:
        with pytest.warns(InputFailed, match=r"[bc]\.wav: has 8000 Hz where 4000 Hz is needed"):
            assert read_labelled(mixed, table(("a.wav", 1, 2, "up")), reading=Reading(4000.0)).names == ("a.wav",)

    @pytest.mark.parametrize("unit", ["", "_s"])
    def test_labels_are_in_samples_of_the_file_also_if_it_is_resampled(self, mixed: Path, unit: str) -> None:
        per = {"a.wav": 4000, "b.wav": 8000} if unit else {"a.wav": 1, "b.wav": 1}
        events = table(
            ("a.wav", 1000 / per["a.wav"], 2000 / per["a.wav"], "up"),
            ("b.wav", 1000 / per["b.wav"], 2001 / per["b.wav"], "up"),
            unit=unit,
        )
        data = read_labelled(mixed, events, reading=Reading(None, resample=True))
        assert rows(data) == [("a.wav", 2000, 4000, "up"), ("b.wav", 1000, 2001, "up")]
        assert [x.shape[1] for x in data.recordings] == [8000, 8000, 8000]
        down = read_labelled(mixed, events, reading=Reading(4000.0, resample=True))
        assert rows(down) == [("a.wav", 1000, 2000, "up"), ("b.wav", 500, 1000, "up")]

    def test_an_event_of_a_sample_keeps_one_when_there_are_fewer(self, mixed: Path) -> None:
        data = read_labelled(mixed / "b.wav", table(("b.wav", 10, 11, "up")), reading=Reading(100.0, resample=True))
        assert rows(data) == [("b.wav", 0, 1, "up")]

    def test_labels_of_a_resampled_file_must_lie_within_the_file(self, mixed: Path) -> None:
        with pytest.raises(DataError, match=r"a\.wav: labels, row 1 must lie within the recording, samples 0 to 4000"):
            read_labelled(mixed / "a.wav", table(("a.wav", 4000, 4100, "up")), reading=Reading(8000.0, resample=True))

    def test_most_channels_are_needed(self, tmp_path: Path) -> None:
        for name, channels in (("a", 2), ("b", 1), ("c", 1)):
            save(tmp_path / f"{name}.wav", noise(channels=channels))
        with pytest.warns(InputFailed, match=r"a\.wav: has 2 channels where others have 1\. Convert it"):
            data = read_labelled(tmp_path, table(("b.wav", 1, 2, "up")), reading=ANY)
        assert data.names == ("b.wav", "c.wav")

    def test_files_that_were_not_reviewed_have_no_say(self, tmp_path: Path) -> None:
        for name, rate in (("a", 4000), ("b", 8000), ("c", 8000)):
            save(tmp_path / "in" / f"{name}.wav", noise(rate), rate_hz=rate)
        text_of(tmp_path, "labels/a.txt", "0.1\t0.2\tup\n")
        with pytest.warns(InputFailed, match=r"[bc]\.wav: has no labels"):
            assert read_labelled(tmp_path / "in", tmp_path / "labels", reading=ANY).rate_hz == 4000

    def test_channels_of_csv_are_the_columns_that_are_named(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", noise(50, channels=3), rate_hz=100)
        data = read_labelled(path, table(("a.csv", 1, 2, "up")), reading=Reading(columns=("c2", "c0")))
        np.testing.assert_array_equal(data.recordings[0], noise(50, channels=3)[[2, 0]])
        assert data.rate_hz == 100

    def test_a_file_without_a_rate_is_taken_to_have_the_needed_one(self, tmp_path: Path) -> None:
        save(tmp_path / "a.npy", noise(50))
        events = table(("a.npy", 0.1, 0.2, "up"), unit="_s")
        assert rows(read_labelled(tmp_path, events, reading=Reading(100.0))) == [("a.npy", 10, 20, "up")]
        with pytest.raises(DataError, match=r"a\.npy: labels, rate_hz must be given for labels in seconds; got None"):
            read_labelled(tmp_path, events, reading=ANY)


def test_labels_may_be_numbers_and_names_may_be_paths(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", noise())
    data = read_labelled(path, table((Path("a.wav"), 1, 2, 7)), reading=ANY)  # type: ignore[arg-type]
    assert rows(data) == [("a.wav", 1, 2, "7")]


def test_events_are_numbered_by_recording_and_class() -> None:
    x = noise()
    events = table(("b", 1, 2, "up"), ("a", 3, 4, "down"), ("b", 5, 9, "down"))
    marked = Labelled(("a", "b"), [x, x], events, None).marked(("down", "noise", "up"))
    assert marked.source.tolist() == [1, 0, 1]
    assert marked.y.tolist() == [2, 0, 0]
    assert (marked.start.tolist(), marked.end.tolist()) == ([1, 3, 5], [2, 4, 9])


class TestWithoutShorter:
    """Only recordings that hold a window."""

    data = Labelled(
        ("a", "b", "c"), [noise(9), noise(10), noise(11)], table(("a", 1, 2, "up"), ("c", 1, 2, "up")), RATE_HZ
    )

    def test_a_shorter_one_is_named_and_its_events_go_with_it(self) -> None:
        with pytest.warns(InputFailed, match=r"^a: is shorter \(9 samples\) than the window \(10\)\. Leave it out\.$"):
            kept = self.data.without_shorter(10)
        assert (kept.names, rows(kept)) == (("b", "c"), [("c", 1, 2, "up")])
        assert [x.shape[1] for x in kept.recordings] == [10, 11]

    @pytest.mark.parametrize(("window", "labelled"), [(12, ["a", "c"]), (10, ["a", "a"])])
    def test_events_must_be_left(self, window: int, labelled: list[str]) -> None:
        data = Labelled(self.data.names, self.data.recordings, self.data.events.assign(file=labelled), None)
        with (
            pytest.warns(InputFailed, match=r"is shorter"),
            pytest.raises(
                DataError, match=f"recordings with labels must be at least as long as the window, {window} s"
            ),
        ):
            data.without_shorter(window)

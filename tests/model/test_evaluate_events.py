"""How well a model finds, and what other thresholds would give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from signals import (
    SLOW_HZ,
    in_seconds,
    recording,
    save,
)

import scanwise as sw
from scanwise.errors import DataError, InputFailed
from scanwise.model._evaluate_events import event_evaluation


class TestEvaluation:
    """Found events against true ones."""

    @pytest.fixture
    def nights(self, tmp_path: Path) -> tuple[Path, pd.DataFrame]:
        """Two recordings of 20 s in a folder, and what is where in them."""
        parts = []
        for seed, name in ((5, "a.csv"), (6, "x/b.csv")):
            x, table = recording(seed, slow=True)
            save(tmp_path / "in" / name, x, rate_hz=SLOW_HZ)
            parts.append(table.assign(file=name))
        return tmp_path / "in", pd.concat(parts, ignore_index=True)

    def test_truth_may_be_in_seconds_or_samples_and_names_files_in_the_folder(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        for labels in (truth, in_seconds(truth, SLOW_HZ)):
            result = slow.evaluate_events(folder, labels)
            assert (result.count, result.match.f1) == (24, 1)
            assert (result.seconds, result.false_alarms_per_hour, result.failed) == (40, 0, ())
        manifest = folder.parent / "all.csv"
        manifest.write_text("file\nin/a.csv\nin/x/b.csv\n")
        result = slow.evaluate_events(manifest, truth.assign(file="in/" + truth["file"]))
        assert (result.count, result.match.f1) == (24, 1)
        assert slow.evaluate_events(folder / "a.csv", truth[truth["file"] == "a.csv"]).count == 12
        (folder / "x" / "b.csv").rename(folder / "x" / "a.csv")
        result = slow.evaluate_events(folder, truth.replace("x/b.csv", "x/a.csv"))
        assert (result.count, result.match.f1) == (24, 1)

    def test_false_alarms_are_counted_by_the_hour(self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]) -> None:
        folder, truth = nights
        result = slow.evaluate_events(folder, truth.iloc[2:])
        assert result.match.false_positives == 2
        assert result.false_alarms_per_hour == 180  # 2 in 40 s
        assert result.summary == "F1 0.957, precision 0.917, recall 1.000, 180 false alarms per hour"

    def test_half_a_window_is_near_enough(self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]) -> None:
        folder, _ = nights
        found = slow.find(folder / "a.csv")
        shifted = found[["start", "end", "label"]].assign(file="a.csv")
        for by, right in ((15, len(found)), (16, 0)):
            labels = shifted.assign(start=found["start"] + by, end=found["end"] + by)
            labels = labels[labels["end"] <= 2000]
            result = slow.evaluate_events(folder / "a.csv", labels)
            assert result.match.true_positives == min(right, len(labels))

    @pytest.mark.parametrize("threshold", [0.02, 0.1, 0.45, 0.8])
    def test_the_table_by_threshold_is_what_searches_at_these_thresholds_find(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame], threshold: float
    ) -> None:
        folder, truth = nights
        table = slow.evaluate_events(folder, truth, threshold=min(threshold, 0.05)).by_threshold
        reached = table[table["threshold"] >= threshold].iloc[-1]
        result = slow.evaluate_events(folder, truth, threshold=threshold)
        assert result.match.true_positives == reached["true_positives"]
        assert result.match.false_positives == reached["false_positives"]
        assert result.match.false_negatives == reached["false_negatives"]
        assert result.false_alarms_per_hour == pytest.approx(reached["false_alarms_per_hour"])
        assert result.match.found_count == len(slow.find(folder, threshold=threshold))

    def test_it_prints_a_table_by_class_and_one_by_threshold(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        first, by_label, by_threshold = str(slow.evaluate_events(folder, truth)).split("\n\n")
        assert first == "24 events: F1 1.000, precision 1.000, recall 1.000, 0 false alarms per hour"
        assert [line.split()[0] for line in by_label.splitlines()] == ["label", "down", "up", "(all)"]
        header, *lines = by_threshold.splitlines()
        assert header.split() == ["threshold", "precision", "recall", "f1", "false_alarms_per_hour"]
        assert [line.split()[0] for line in lines] == [f"0.{k}00" for k in range(1, len(lines) + 1)]
        assert len(lines) >= 6
        for line in lines:
            threshold, precision, recall, score, alarms = map(float, line.split())
            match = slow.evaluate_events(folder, truth, threshold=threshold)
            assert (precision, recall, score) == pytest.approx(
                (match.match.precision, match.match.recall, match.match.f1), abs=5e-4
            )
            assert alarms == pytest.approx(match.false_alarms_per_hour, abs=5e-4)

    def test_many_false_alarms_are_printed_as_a_number(self) -> None:
        found = pd.DataFrame({"file": "a", "start": range(2000), "end": range(2000), "label": "up", "score": 0.9})
        result = event_evaluation(found, found.iloc[:0], 1, {"up": 0.9}, seconds=3600)  # a score at it counts
        assert result.summary.endswith(", 2,000 false alarms per hour")

    def test_an_unreadable_recording_misses_its_events_for_its_own_reason(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        (folder / "a.csv").write_text("time_s,c0\n0,1\n0.01,nan\n")
        for labels in (truth, in_seconds(truth, SLOW_HZ)):
            result = slow.evaluate_events(folder, labels)
            assert (result.match.true_positives, result.match.false_negatives) == (12, 12)
            ((file, reason),) = result.failed
            assert file == str(folder / "a.csv")
            assert reason.startswith("row 2: c0 must be a finite number; got 'nan'")
            assert result.seconds == 20

    def test_a_recording_whose_labels_cannot_be_true_is_left_out(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        wrong = pd.concat([truth, truth.iloc[-1:].assign(start=2000, end=2030)], ignore_index=True)
        result = slow.evaluate_events(folder, wrong)
        assert (result.count, result.match.f1, result.seconds) == (12, 1, 20)
        ((file, reason),) = result.failed
        assert file == str(folder / "x" / "b.csv")
        assert reason.startswith("labels, row 25 must lie within the recording, samples 0 to 2000")

    def test_a_recording_that_nobody_reviewed_is_left_out(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        labels = folder.parent / "labels"
        labels.mkdir()
        in_seconds(truth[truth["file"] == "a.csv"], SLOW_HZ).to_csv(labels / "a.csv", index=False)
        result = slow.evaluate_events(folder, labels)
        assert (result.count, result.match.f1, result.seconds) == (12, 1, 20)
        assert result.failed == (
            (str(folder / "x" / "b.csv"), "has no labels. If there is nothing in it, give it an empty file of labels."),
        )
        (labels / "b.txt").write_text("")
        empty = slow.evaluate_events(folder, labels)
        assert (empty.match.false_positives, empty.seconds, empty.failed) == (12, 40, ())

    def test_when_nothing_can_be_compared_each_reason_is_told(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, truth = nights
        with (
            pytest.warns(InputFailed) as warned,
            pytest.raises(DataError, match=r"inputs must have one that can be compared with the truth; got 2 without"),
        ):
            slow.evaluate_events(folder, truth.assign(start=5000, end=6000))
        assert [str(warning.message).split(": ")[0] for warning in warned] == [
            str(folder / "a.csv"), str(folder / "x" / "b.csv"),
        ]  # fmt: skip
        (folder / "a.csv").write_text("")
        with pytest.raises(DataError, match=r"a\.csv: the file is empty"):
            slow.evaluate_events(folder / "a.csv", truth[truth["file"] == "a.csv"])

    def test_a_label_that_the_model_does_not_know_is_said_before_anything_is_searched(
        self, slow: sw.Model, nights: tuple[Path, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, truth = nights
        monkeypatch.setattr(sw.Model, "search", pytest.fail)
        with pytest.raises(
            DataError, match=r"truth must name a label that there is; got 'siren'\. There is down, up\."
        ):
            slow.evaluate_events(folder, truth.assign(label="siren"))
        with pytest.raises(DataError, match=r"gone\.csv: no such file"):
            slow.evaluate_events(folder, folder / "gone.csv")

    def test_background_in_the_truth_is_no_event(self, slow: sw.Model, nights: tuple[Path, pd.DataFrame]) -> None:
        folder, truth = nights
        more = pd.concat([truth, truth.iloc[:1].assign(start=1, end=5, label="background")], ignore_index=True)
        assert slow.evaluate_events(folder, more).count == 24

    def test_without_a_rate_there_is_no_hour(self, slow: sw.Model, tmp_path: Path) -> None:
        x, table = recording(5, slow=True)
        save(tmp_path / "a.npy", x)
        unknown = sw.Model(slow.net, replace(slow.info, sample_rate_hz=None))
        result = unknown.evaluate_events(tmp_path, table.assign(file="a.npy"))
        assert (result.match.f1, result.seconds, result.false_alarms_per_hour) == (1, None, None)
        assert str(result).count("\n\n") == 1
        assert "false alarms" not in str(result)

    def test_labels_are_in_samples_of_a_file_that_is_resampled(self, slow: sw.Model, tmp_path: Path) -> None:
        x, table = recording(5, slow=True)
        save(tmp_path / "a.csv", x.repeat(2, axis=1), rate_hz=200)
        truth = table.assign(file="a.csv", start=2 * table["start"], end=2 * table["end"])
        for labels in (truth, in_seconds(truth, 200)):
            result = slow.evaluate_events(tmp_path, labels, resample=True)
            assert (result.match.f1, result.seconds) == (1, 20)

"""Searching: what is found where, and what happens to inputs that cannot be searched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scanwise as sw
from scanwise.errors import ArgumentError, DataError, OutputExists


@pytest.fixture(scope="module")
def signals() -> sw.Model:
    """A finder of bumps of 16 samples, at 100 samples per second."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.1, (80, 1, 16)).astype(np.float32)
    x[:40, 0] += np.hanning(16)
    x[40:, 0] -= np.hanning(16)
    return sw.train(
        (x, ["up"] * 40 + ["down"] * 40),
        channels=[8],
        kernels=5,
        epochs=20,
        validation=0.2,
        sample_rate_hz=100,
    )


def test_patterns_are_found_where_they_are(model: sw.Model, canvas: np.ndarray) -> None:
    found = model.find(canvas)
    assert list(found.columns) == ["file", "x0", "y0", "x1", "y1", "label", "score"]
    assert list(found["label"]) == ["cross", "ring"]
    np.testing.assert_allclose(found[["x0", "y0"]], [[20, 8], [60, 40]], atol=2)
    assert (found["x1"] - found["x0"] == 12).all()


def test_scores_are_those_of_the_network_on_each_window(model: sw.Model, canvas: np.ndarray) -> None:
    scanner = model.scanner(hop=(5, 7))
    np.testing.assert_allclose(scanner.scan(canvas), scanner.scan_windows(canvas), atol=1e-5)
    assert scanner.scan(canvas).sum(axis=0) == pytest.approx(1)


def test_a_pattern_at_the_edge_is_found_and_its_box_is_not_clipped(
    model: sw.Model, shapes: tuple[np.ndarray, np.ndarray]
) -> None:
    canvas = np.full((1, 40, 40), 0.1, np.float32)
    canvas[:, :, :9] = 0.1
    canvas[:, 10:22, :10] = shapes[0][1][:, :, 2:]
    found = model.find(canvas)
    assert list(found["label"]) == ["ring"]
    assert found["x0"][0] < 0


def test_events_of_recordings_are_in_samples_and_seconds(signals: sw.Model) -> None:
    x = np.random.default_rng(1).normal(0, 0.1, (1, 400)).astype(np.float32)
    x[0, 200:216] += np.hanning(16)
    found = signals.find(x)
    assert list(found.columns) == ["file", "start", "end", "start_s", "end_s", "label", "score"]
    assert list(found["label"]) == ["up"]
    assert found["start"][0] == pytest.approx(200, abs=4)
    assert found["start_s"][0] == found["start"][0] / 100


def test_a_higher_threshold_finds_no_more(model: sw.Model, canvas: np.ndarray) -> None:
    assert model.find(canvas, threshold=1.0).empty
    assert len(model.find(canvas, threshold=0.05)) >= len(model.find(canvas))


def test_inputs_in_which_nothing_is_found_leave_no_rows(
    model: sw.Model, signals: sw.Model, canvas: np.ndarray, tmp_path: Path
) -> None:
    empty = np.full((1, 30, 30), 0.1, np.float32)
    assert len(model.find([empty, canvas, empty])) == 2
    np.save(tmp_path / "empty.npy", empty)
    np.save(tmp_path / "full.npy", canvas)
    model.scan(tmp_path, tmp_path / "out")
    assert set(pd.read_csv(tmp_path / "out" / "events.csv")["file"]) == {str(tmp_path / "full.npy")}
    model.scan(tmp_path, tmp_path / "nothing", threshold=1.0)
    assert (tmp_path / "nothing" / "events.csv").read_text() == "file,x0,y0,x1,y1,label,score\n"
    assert signals.find([np.zeros((1, 50))] * 2).empty


def test_without_a_rate_the_seconds_stay_empty(signals: sw.Model) -> None:
    unknown = sw.Model(signals.net, replace(signals.info, sample_rate_hz=None))
    x = np.zeros((1, 100), np.float32)
    x[0, 40:56] += np.hanning(16)
    found = unknown.find([x, x])
    assert len(found) == 2
    assert found["start_s"].isna().all()


def test_several_inputs_are_searched_in_order_and_named(model: sw.Model, canvas: np.ndarray, tmp_path: Path) -> None:
    for name in "ba":
        np.save(tmp_path / f"{name}.npy", canvas)
    expected = [str(tmp_path / "a.npy")] * 2 + [str(tmp_path / "b.npy")] * 2
    assert list(model.find(tmp_path)["file"]) == expected
    assert list(model.find(str(tmp_path / "*.npy"))["file"]) == expected
    assert list(model.find([canvas, canvas])["file"]) == ["array[0]"] * 2 + ["array[1]"] * 2


def test_one_bad_file_among_many_is_warned_of_and_the_rest_searched(
    model: sw.Model, canvas: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "good.npy", canvas)
    (tmp_path / "bad.npy").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"bad\.npy: the file is empty"):
        found = model.find(tmp_path)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 40, 40)), r"array: must have as many channels as in training, 1; got 3\. Convert it"),
        (
            np.zeros((1, 11, 40)),
            r"array: must be at least as large as the window, \(12, 12\); got \(11, 40\)",
        ),
        (np.full((1, 40, 40), np.nan), "array: must hold finite numbers; got none, NaN or infinity"),
        (np.full((1, 40, 40), np.inf), "array: must hold finite numbers"),
        (np.zeros((1, 0, 40)), "array: must hold finite numbers"),
        (
            np.zeros(40),
            r"array: must be numbers \(channels, \*space\) with 2 axes of space; got float64 \(40,\)",
        ),
        (np.full((40, 40), "x"), r"array: must be numbers .* got <U1 \(1, 40, 40\)"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(model: sw.Model, x: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        model.find(x)


def test_nothing_to_search_is_refused(model: sw.Model, tmp_path: Path) -> None:
    for nothing in (tmp_path, str(tmp_path / "*.png")):
        with pytest.raises(ArgumentError, match=r"inputs must exist; got none for .* Check the path"):
            model.find(nothing)
    with pytest.raises(ArgumentError, match="inputs must name at least one file or array; got none"):
        model.find([])


def test_a_regression_finds_nothing_and_says_so() -> None:
    x = np.random.default_rng(0).normal(size=(20, 8))
    regression = sw.train((x, x.sum(axis=1)), "mlp", epochs=1)
    with pytest.raises(ArgumentError, match=r"task must be classify to find patterns; got regress\. Scan for"):
        regression.find(np.zeros((1, 50)))
    assert regression.scanner(hop=1).scan(np.zeros((1, 50))).shape == (1, 43)


class TestScanFolder:
    """``Model.scan``: the same into a folder."""

    def test_it_holds_the_table_and_what_it_was_made_with(
        self, model: sw.Model, canvas: np.ndarray, tmp_path: Path
    ) -> None:
        np.save(tmp_path / "a.npy", canvas)
        found = model.scan(tmp_path / "a.npy", tmp_path / "out")
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "events.csv"), found)
        settings = json.loads((tmp_path / "out" / "scan.json").read_text())
        assert settings["origin"] == [-6, -6]
        assert settings["inputs"] == [{"file": str(tmp_path / "a.npy"), "error": None}]

    def test_dense_scores_are_kept_on_request(self, model: sw.Model, canvas: np.ndarray, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", canvas)
        found = model.scan(tmp_path / "a.npy", tmp_path / "out", scores=True)
        record = json.loads((tmp_path / "out" / "scan.json").read_text())["inputs"][0]
        scores = np.load(tmp_path / "out" / record["scores"])
        row, column = found["y0"][0] + 6, found["x0"][0] + 6  # positions count from the origin, (-6, -6)
        assert scores.shape == (3, 61, 81)
        assert scores[0, row, column] == pytest.approx(found["score"][0])

    def test_an_input_that_fails_is_named_and_the_rest_finished(
        self, model: sw.Model, canvas: np.ndarray, tmp_path: Path
    ) -> None:
        np.save(tmp_path / "a.npy", canvas)
        told = []
        files = [str(tmp_path / "gone.npy"), str(tmp_path / "a.npy")]
        found = model.scan(files, tmp_path / "out", on_result=told.append)
        assert len(found) == 2
        assert [(result.number, result.total, result.error is None) for result in told] == [
            (1, 2, False), (2, 2, True),
        ]  # fmt: skip
        inputs = json.loads((tmp_path / "out" / "scan.json").read_text())["inputs"]
        assert "no such file" in inputs[0]["error"]

    def test_nothing_is_written_when_every_input_fails(self, model: sw.Model, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="inputs must have one that can be scanned; got 2 that cannot"):
            model.scan([str(tmp_path / "gone.npy"), str(tmp_path / "lost.npy")], tmp_path / "out")
        with pytest.raises(DataError, match=r"gone\.npy: no such file"):
            model.scan(tmp_path / "gone.npy", tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_an_existing_folder_is_refused_before_anything_is_scanned(
        self, model: sw.Model, canvas: np.ndarray, tmp_path: Path
    ) -> None:
        np.save(tmp_path / "a.npy", canvas)
        (tmp_path / "out").mkdir()
        told = []
        with pytest.raises(OutputExists, match="exists already"):
            model.scan(tmp_path / "a.npy", tmp_path / "out", on_result=told.append)
        assert told == []

    def test_a_regression_must_keep_its_scores(self, tmp_path: Path) -> None:
        x = np.random.default_rng(0).normal(size=(20, 8))
        regression = sw.train((x, x.sum(axis=1)), "mlp", epochs=1)
        np.save(tmp_path / "a.npy", np.zeros((1, 50)))
        with pytest.raises(ArgumentError, match="scores must be kept without classes"):
            regression.scan(tmp_path / "a.npy", tmp_path / "out")
        assert regression.scan(tmp_path / "a.npy", tmp_path / "out", scores=True).empty
        assert (tmp_path / "out" / "scores" / "000000.npy").exists()
        with pytest.raises(ArgumentError, match="task must be classify to find events; got regress"):
            regression.evaluate_events(tmp_path, pd.DataFrame())

    def test_a_file_named_twice_is_searched_once(self, model: sw.Model, canvas: np.ndarray, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", canvas)
        found = model.scan([tmp_path, tmp_path / "a.npy"], tmp_path / "out")
        assert len(found) == 2

    def test_names_that_are_no_unicode_lose_nothing(self, model: sw.Model, canvas: np.ndarray, tmp_path: Path) -> None:
        file = str(tmp_path / "odd\udcff.npy")
        try:
            np.save(file, canvas)
        except OSError:
            pytest.skip("no such names here")
        assert len(model.scan(file, tmp_path / "out")) == 2
        assert "odd\\udcff.npy" in (tmp_path / "out" / "events.csv").read_text()
        assert json.loads((tmp_path / "out" / "scan.json").read_text())["inputs"][0]["file"] == file

    def test_hidden_files_and_folders_are_passed_over(
        self, model: sw.Model, canvas: np.ndarray, tmp_path: Path
    ) -> None:
        for name in ("a.npy", ".b.npy", ".c/d.npy", "e/f.npy"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            np.save(tmp_path / name, canvas)
        files = [result.file for result in model.search(tmp_path)]
        assert files == [str(tmp_path / "a.npy"), str(tmp_path / "e" / "f.npy")]

    def test_a_folder_that_cannot_be_read_is_refused(
        self, model: sw.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def scandir(path: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("os.scandir", scandir)
        with pytest.raises(DataError, match=r"cannot be read \(Permission denied\). Check its permissions"):
            model.find(tmp_path)

    def test_values_that_overflow_fail_alone(self, model: sw.Model, canvas: np.ndarray, tmp_path: Path) -> None:
        large = canvas.copy()
        large[0, 30, 30] = 3e38
        np.save(tmp_path / "a.npy", large)
        np.save(tmp_path / "b.npy", canvas)
        told = []
        assert len(model.scan(tmp_path, tmp_path / "out", on_result=told.append)) == 2
        assert "a.npy: its values are too large for the network" in told[0].error

    def test_an_input_beyond_the_memory_fails_alone(
        self, model: sw.Model, canvas: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def read(path: str, **_: object) -> sw.sources.Signal:
            if path.endswith("a.npy"):
                raise MemoryError
            return sw.sources.Signal(canvas)

        monkeypatch.setattr("scanwise.model._search.read_input", read)
        told = []
        assert len(model.scan(["a.npy", "b.npy"], tmp_path / "out", on_result=told.append)) == 2
        assert told[0].error == "a.npy: does not fit in memory. Cut it into parts, or search at a larger hop."


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_no_score_can_have_is_refused(model: sw.Model, canvas: np.ndarray, threshold: float) -> None:
    with pytest.raises(ArgumentError, match="threshold must be from 0 to 1, as scores are; got"):
        model.find(canvas, threshold=threshold)


def test_true_boxes_must_not_be_empty(model: sw.Model, canvas: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", canvas)
    truth = pd.DataFrame({"file": "a.npy", "x0": [1, 9], "y0": 1, "x1": [9, 9], "y1": 9, "label": "ring"})
    with pytest.raises(DataError, match="truth must have x0 below x1; got 9 and 9 in row 2"):
        model.evaluate_events(tmp_path, truth)

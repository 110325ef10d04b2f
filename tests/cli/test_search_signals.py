"""Searching recordings at the command line: what it writes, prints, and says of bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from signals import (
    SLOW_HZ,
    bump,
    f1,
    in_seconds,
    recording,
    save,
)

import scanwise as sw

Run = Callable[..., tuple[int, str, list[str]]]
TINY = ("--set", "channels=[8]", "--set", "hidden=[16]", "--set", "dropout=0.0")
QUICK = (*TINY, "--epochs", "2")


def written(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "events.csv")


class TestScan:
    """``scanwise scan``."""

    def test_events_are_written_in_samples_and_seconds(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, truth = nights
        status, out, complaints = run_well("scan", slow, folder, "-o", tmp_path / "out")
        assert (status, complaints) == (0, [])
        assert out.splitlines() == ["down  12", "up  12", f"found 24, wrote {tmp_path / 'out'}"]
        events = written(tmp_path / "out")
        assert list(events.columns) == ["file", "start", "end", "start_s", "end_s", "label", "score"]
        np.testing.assert_array_equal(events["start_s"], events["start"] / SLOW_HZ)
        for name, mine in truth.groupby("file"):
            assert f1(events[events["file"] == str(folder / str(name))], mine, 15) == 1

    def test_folders_files_manifests_and_patterns_are_inputs(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, _ = nights
        (folder / "all.csv").write_text("file\nx/b.csv\n")
        for number, (inputs, files) in enumerate(
            [
                ([folder / "a.csv"], ["a.csv"]),
                ([folder / "all.csv"], ["x/b.csv"]),
                ([str(folder / "**" / "?.csv")], ["a.csv", "x/b.csv"]),
                ([folder / "x", folder / "a.csv", folder], ["x/b.csv", "a.csv"]),
            ]
        ):
            assert run_well("scan", slow, *inputs, "-o", tmp_path / str(number))[::2] == (0, [])
            inputs_done = json.loads((tmp_path / str(number) / "scan.json").read_text())["inputs"]
            assert [record["file"] for record in inputs_done] == [str(folder / file) for file in files]

    @pytest.mark.parametrize(("program", "ending"), [("audacity", ".txt"), ("raven", ".Table.1.selections.txt")])
    def test_labels_for_a_program_read_back_as_the_events(
        self, run_well: Run, slow: Path, tmp_path: Path, program: str, ending: str
    ) -> None:
        """One file a recording, and none lost where two have one name. At the edges events are cut to the recording."""
        x, _ = recording(5, slow=True)
        x[:, :20], x[:, -20:] = bump("up")[10:], bump("down")[:20]
        for name in ("a", "x/a", "x/quiet"):
            save(tmp_path / "in" / f"{name}.csv", x if name[-1] == "a" else np.zeros((1, 100)), rate_hz=SLOW_HZ)
        status, _, complaints = run_well("scan", slow, tmp_path / "in", "-o", tmp_path / "out", "--labels", program)
        assert (status, complaints) == (0, [])
        records = json.loads((tmp_path / "out" / "scan.json").read_text())["inputs"]
        assert [record["labels"] for record in records] == [f"labels/{name}{ending}" for name in ("a", "a_2", "quiet")]
        events = written(tmp_path / "out")
        assert events["start"].min() < 0
        assert events["end_s"].max() > 20
        for record in records:
            text = (tmp_path / "out" / record["labels"]).read_text()
            back = sw.events.parse_labels(text, file="a")
            mine = events[events["file"] == record["file"]]
            assert back["label"].tolist() == mine["label"].tolist()
            np.testing.assert_allclose(back["start_s"], mine["start_s"].clip(lower=0), atol=1e-6)
            np.testing.assert_allclose(back["end_s"], mine["end_s"].clip(upper=20), atol=1e-6)
            sw.events.check_labels(sw.events.in_samples(back, SLOW_HZ), 2000)
        assert records[2]["file"].endswith("quiet.csv")
        assert back.empty

    def test_what_was_written_can_be_learnt_from_and_judged_by(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        """A label folder is found flat, as `scan` writes it, though the recordings are in folders."""
        folder, _ = nights
        run_well("scan", slow, folder, "-o", tmp_path / "out", "--labels", "raven")
        status, out, complaints = run_well("eval", slow, folder, "--truth", tmp_path / "out" / "labels")
        assert (status, complaints) == (0, [])
        assert out.startswith("24 events: F1 1.000")
        assert run_well("train", folder, "--labels", tmp_path / "out" / "labels", "-o", tmp_path / "m", *QUICK)[0] == 0

    def test_a_hop_may_be_in_seconds_and_scores_are_kept(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, _ = nights
        asked = ("--hop", "0.05", "--scores", "--merge-gap", 100, "--threshold", 0.4)
        status, _, complaints = run_well("scan", slow, folder / "a.csv", "-o", tmp_path / "out", *asked)
        assert (status, complaints) == (0, [])
        settings = json.loads((tmp_path / "out" / "scan.json").read_text())
        assert (settings["hop"], settings["origin"], settings["threshold"]) == ([5], [-15], 0.4)
        scores = np.load(tmp_path / "out" / "scores" / "000000.npy")
        assert scores.shape == (3, 401)
        starts = written(tmp_path / "out").groupby("label")["start"]
        assert all(np.diff(start).min() >= 100 for _, start in starts)

    def test_another_rate_fails_or_is_resampled(self, run_well: Run, slow: Path, tmp_path: Path) -> None:
        x, table = recording(5, slow=True)
        path = save(tmp_path / "a.csv", x.repeat(2, axis=1), rate_hz=200)
        status, _, complaints = run_well("scan", slow, path, "-o", tmp_path / "out")
        assert (status, len(complaints)) == (2, 1)
        assert (
            complaints[0] == f"{path}: has 200 Hz where 100 Hz is needed. Convert it, or allow resampling (--resample)."
        )
        assert run_well("scan", slow, path, "-o", tmp_path / "out", "--resample", "--labels", "audacity")[::2] == (
            0,
            [],
        )
        events = written(tmp_path / "out")
        assert f1(events, table.assign(start=2 * table["start"], end=2 * table["end"]), 30) == 1
        np.testing.assert_array_equal(events["start_s"], events["start"] / 200)

    def test_bad_inputs_are_named_and_the_others_finished(self, run_well: Run, sound: Path, tmp_path: Path) -> None:
        x, table = recording(5)
        folder = tmp_path / "in"
        save(folder / "good.wav", x)
        whole = save(folder / "cut.flac", x).read_bytes()
        (folder / "cut.flac").write_bytes(whole[: len(whole) // 2])
        vorbis = save(folder / "cut.ogg", x).read_bytes()
        (folder / "cut.ogg").write_bytes(vorbis[: len(vorbis) // 2])
        (folder / "text.wav").write_text("no audio")
        save(folder / "fast.wav", x, rate_hz=16000)
        save(folder / "stereo.wav", x.repeat(2, axis=0))
        save(folder / "short.wav", x[:, :100])
        save(folder / "silence.wav", np.zeros_like(x))
        (folder / "nan.csv").write_text("c0\n1\n2\nnan\n")
        np.save(folder / "huge.npy", np.full((1, 9000), 3e38))
        np.save(folder / "inf.npy", np.full((1, 9000), np.inf))
        np.save(folder / "none.npy", np.zeros((1, 0)))
        np.save(folder / "cube.npy", np.zeros((1, 2, 3)))
        status, out, complaints = run_well("scan", sound, folder, "-o", tmp_path / "out", "--labels", "raven")
        assert status == 1
        told = {line.removeprefix(f"{folder}/").split(":")[0]: line for line in complaints}
        for name, what in {
            "cube.npy": "a recording must be (samples,) or (channels, samples); has shape (1, 2, 3)",
            "cut.flac": "truncated, damaged or no audio",
            "cut.ogg": "truncated: it ends within the page at byte",
            "fast.wav": "has 16000 Hz where 8000 Hz is needed",
            "huge.npy": "its values are too large for the network, scores overflow",
            "inf.npy": "9,000 of 9,000 values are NaN or infinite (as float32), the first at [0, 0]",
            "nan.csv": "row 3: c0 must be a finite number; got 'nan'",
            "none.npy": "holds no samples",
            "short.wav": "must be at least as large as the window",
            "stereo.wav": "must have as many channels as in training, 1; got 2",
            "text.wav": "not a WAV file",
        }.items():
            assert what in told.pop(name)
        assert not told
        events = written(tmp_path / "out")
        assert set(events["file"]) == {str(folder / "good.wav")}
        assert f1(events, table, 600) >= 0.9
        inputs = json.loads((tmp_path / "out" / "scan.json").read_text())["inputs"]
        assert sum(record["error"] is None for record in inputs) == 2
        assert sorted(path.name for path in (tmp_path / "out" / "labels").iterdir()) == [
            "good.Table.1.selections.txt", "silence.Table.1.selections.txt",
        ]  # fmt: skip
        assert f"found {len(events)}, wrote" in out

    def test_recordings_of_which_nobody_knows_the_rate_have_no_labels_in_seconds(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        x, table = recording(3, seconds=20, count=12, slow=True)
        save(tmp_path / "a.npy", x)
        table.assign(file="a.npy").to_csv(tmp_path / "labels.csv", index=False)
        model = tmp_path / "m"
        assert run_well("train", tmp_path / "a.npy", "--labels", tmp_path / "labels.csv", "-o", model, *QUICK)[0] == 0
        asked = ("scan", model, "-o", tmp_path / "out", "--labels", "audacity", "--threshold", "0.1")
        problem = f"{tmp_path}/a.npy: must have a known rate to write labels; got none. Leave --labels out."
        assert run_well(*asked, tmp_path / "a.npy") == (2, "", [problem])
        status, _, complaints = run_well(*asked, tmp_path / "a.npy", nights[0])
        assert (status, complaints) == (1, [problem])
        assert set(written(tmp_path / "out")["file"]) == {str(nights[0] / name) for name in ("a.csv", "x/b.csv")}

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ("{in} --labels excel", "labels must be one of audacity, raven; got 'excel'"),
            ("{in} --hop 0.0", "hop must be above 0; got 0.0"),
            ("{in} --hop 3,4", "hop must be a whole number of at least 1, or one per axis (1); got (3, 4)"),
            ("{in} --merge-gap 0", "merge_gap must be a whole number of at least 1"),
            ("{tmp}/nothing", "nothing: holds no recordings"),
            ("{tmp}/nothing/*.wav", "inputs must exist; got none for"),
            ("{tmp}/gone.wav", "gone.wav: no such file"),
            ("{tmp}/picture.png", "picture.png: is an image where a recording is needed"),
            ("{tmp}/prose.txt", "prose.txt: files of kind '.txt' are not read"),
        ],
    )
    def test_wrong_requests_are_one_line_and_status_2(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path, asked: str, message: str
    ) -> None:
        (tmp_path / "nothing").mkdir()
        (tmp_path / "picture.png").write_bytes(b"\x89PNG")
        (tmp_path / "prose.txt").write_text("hello")
        arguments = asked.format_map({"in": nights[0], "tmp": tmp_path}).split()
        status, out, complaints = run_well("scan", slow, *arguments, "-o", tmp_path / "out")
        assert (status, out, len(complaints)) == (2, "", 1)
        assert message in complaints[0]
        assert not (tmp_path / "out").exists()


class TestEval:
    """``scanwise eval`` of recordings."""

    @pytest.mark.parametrize("form", ["seconds.csv", "samples.csv", "audacity", "raven"])
    def test_truth_is_taken_in_every_form_and_gives_figures_and_thresholds(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path, form: str
    ) -> None:
        folder, truth = nights
        timed, path = in_seconds(truth, SLOW_HZ), tmp_path / form
        if form.endswith(".csv"):
            (truth if "samples" in form else timed).to_csv(path, index=False)
        for file, mine in timed.groupby("file") if not form.endswith(".csv") else ():
            path.mkdir(exist_ok=True)
            as_raven = sw.events.format_raven(mine, high_hz=50, label_column="Call")
            text = sw.events.format_audacity(mine) if form == "audacity" else as_raven
            (path / f"{Path(str(file)).stem}.txt").write_text(text)
        status, out, complaints = run_well("eval", slow, folder, "--truth", path, "--label-column", "Call")
        assert (status, complaints) == (0, [])
        lines = out.splitlines()
        assert lines[0] == "24 events: F1 1.000, precision 1.000, recall 1.000, 0 false alarms per hour"
        assert lines[2].split() == ["label", "truth", "found", "right", "precision", "recall", "f1"]
        assert lines[5].split() == ["(all)", "24", "24", "24", "1.000", "1.000", "1.000"]
        assert lines[7].split() == ["threshold", "precision", "recall", "f1", "false_alarms_per_hour"]
        assert lines[8].split()[0] == "0.100"

    def test_the_printed_thresholds_are_what_scans_at_them_find(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, truth = nights
        truth.to_csv(tmp_path / "truth.csv", index=False)
        out = run_well("eval", slow, folder, "--truth", tmp_path / "truth.csv")[1]
        tenths = [line.split() for line in out.split("false_alarms_per_hour")[1].splitlines() if line]
        names = {str(folder / name): name for name in set(truth["file"])}
        for threshold, precision, recall, score, alarms in tenths:
            run_well("scan", slow, folder, "-o", tmp_path / "out", "--overwrite", "--threshold", threshold)
            events = written(tmp_path / "out")
            match = sw.events.match(events.assign(file=events["file"].map(names)), truth, tolerance=15)
            numbers = (match.precision, match.recall, match.f1, match.false_positives * 3600 / 40)
            assert [f"{number:.3f}" for number in numbers] == [precision, recall, score, alarms]

    def test_bad_recordings_are_named_and_the_others_judged(
        self, run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, truth = nights
        (folder / "c.csv").write_text("c0\nx\n")
        more = truth.iloc[:1].assign(file="c.csv")
        late = truth.iloc[-1:].assign(start=5000, end=5030)
        pd.concat([truth, more, late]).to_csv(tmp_path / "truth.csv", index=False)
        status, out, complaints = run_well("eval", slow, folder, "--truth", tmp_path / "truth.csv")
        assert status == 1
        assert out.startswith("13 events: F1 0.960, precision 1.000, recall 0.923")
        assert [line.removeprefix(f"{folder}/").split(";")[0] for line in complaints] == [
            "c.csv: row 1: c0 must be a finite number",
            "x/b.csv: labels, row 26 must lie within the recording, samples 0 to 2000",
        ]

    @pytest.mark.parametrize(
        ("asked", "messages"),
        [
            ("{in} --truth {tmp}/siren.csv", ["truth must name a label that there is; got 'siren'. There is down"]),
            ("{in} --truth {tmp}/gone.csv", ["gone.csv: no such file"]),
            ("{in}/a.csv --truth {tmp}/late.csv", ["in/a.csv: labels, row 1 must lie within the recording"]),
            ("{tmp}/bad.csv --truth {tmp}/none.csv", ["bad.csv: row 1: c0 must be a finite number; got 'x'"]),
            ("{in} --truth {tmp}/all.csv", ["a.csv: labels, row 1", "x/b.csv: labels, row 2", "inputs must have one"]),
            ("{in}/x", ["x: holds no class folders"]),
        ],
    )  # fmt: skip
    def test_what_cannot_be_judged_is_said_and_status_2(
        self,
        run_well: Run,
        slow: Path,
        nights: tuple[Path, pd.DataFrame],
        tmp_path: Path,
        asked: str,
        messages: list[str],
    ) -> None:
        head = "file,start,end,label\n"
        (tmp_path / "siren.csv").write_text(f"{head}a.csv,1,31,siren\n")
        (tmp_path / "late.csv").write_text(f"{head}a.csv,5000,5030,up\n")
        (tmp_path / "all.csv").write_text(f"{head}a.csv,5000,5030,up\nx/b.csv,5000,5030,up\n")
        (tmp_path / "none.csv").write_text(head)
        (tmp_path / "bad.csv").write_text("c0\nx\n")
        arguments = asked.format_map({"in": nights[0], "tmp": tmp_path}).split()
        status, out, complaints = run_well("eval", slow, *arguments)
        assert (status, out) == (2, "")
        assert len(complaints) == len(messages)
        assert all(message in line for message, line in zip(messages, complaints, strict=True))

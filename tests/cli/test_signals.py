"""The command line with recordings: what it writes, what it prints, and what it says of bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from signals import (
    LABELS,
    RATE_HZ,
    SLOW_HZ,
    bump,
    class_folder,
    f1,
    finder,
    in_seconds,
    over_noise,
    recording,
    save,
)

import scanwise as sw
from scanwise.cli import main

Run = Callable[..., tuple[int, str, list[str]]]
TINY = ("--set", "channels=[8]", "--set", "hidden=[16]", "--set", "dropout=0.0")
QUICK = (*TINY, "--epochs", "2")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: exit status, stdout, and the complaints on stderr."""

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        complaints = [line for line in err.splitlines() if not re.match(r"(training|scanning) \d+/\d+ ", line)]
        assert all(line.startswith("scanwise: ") for line in complaints), complaints
        return status, out, [line.removeprefix("scanwise: ") for line in complaints]

    return run


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds chirps."""
    folder = tmp_path_factory.mktemp("models") / "sound"
    finder().save(folder)
    return folder


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds bumps."""
    folder = tmp_path_factory.mktemp("models") / "slow"
    finder(slow=True).save(folder)
    return folder


@pytest.fixture
def nights(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """Two recordings of bumps, of 20 s each, and what is where in them."""
    parts = []
    for seed, name in ((5, "a.csv"), (6, "x/b.csv")):
        x, table = recording(seed, slow=True)
        save(tmp_path / "in" / name, x, rate_hz=SLOW_HZ)
        parts.append(table.assign(file=name))
    return tmp_path / "in", pd.concat(parts, ignore_index=True)


def written(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "events.csv")


class TestTrain:
    """``scanwise train``."""

    def test_a_folder_of_clips_makes_a_model_that_finds_them_in_recordings(self, run: Run, tmp_path: Path) -> None:
        status, out, complaints = run(
            "train", class_folder(tmp_path / "in"), "-o", tmp_path / "m", *TINY, "--epochs", 20
        )
        assert (status, complaints) == (0, [])
        assert out.startswith("held out: 2 clips: accuracy 100.00%")
        model = sw.load(tmp_path / "m")
        x, table = recording(5)
        assert f1(model.find(x), table, model.info.window[0] / 2) >= 0.9
        status, out, complaints = run("eval", tmp_path / "m", tmp_path / "in")
        assert (status, complaints) == (0, [])
        assert out.startswith("20 clips: accuracy 100.00%")
        assert "confusion matrix" in out

    @pytest.mark.parametrize("form", ["seconds.csv", "samples.csv", "audacity", "raven"])
    def test_recordings_with_labels_make_a_model_that_finds_them_in_others(
        self, run: Run, nights: tuple[Path, pd.DataFrame], tmp_path: Path, form: str
    ) -> None:
        folder, truth = nights
        timed = in_seconds(truth, SLOW_HZ)
        labels = tmp_path / form
        if form.endswith(".csv"):
            (truth if "samples" in form else timed).to_csv(labels, index=False)
        for file, mine in timed.groupby("file") if not form.endswith(".csv") else ():
            ending = ".txt" if form == "audacity" else ".Table.1.selections.txt"
            path = (labels / str(file)).with_suffix(ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            as_raven = sw.events.format_raven(mine, high_hz=50, label_column="Call")
            path.write_text(sw.events.format_audacity(mine) if form == "audacity" else as_raven)
        status, out, complaints = run(
            "train", folder, "-o", tmp_path / "m", "--labels", labels, "--label-column", "Call", *TINY, "--epochs", 60
        )
        assert (status, complaints) == (0, [])
        assert re.match(
            r"held out: \d+ events: F1 \d\.\d+, precision \S+, recall \S+, \S+ false alarms per hour\n", out
        )
        assert "false_alarms_per_hour" in out
        model = sw.load(tmp_path / "m")
        assert (model.info.sample_rate_hz, model.info.classes) == (SLOW_HZ, (*LABELS, "background"))
        x, table = recording(7, slow=True)
        assert f1(model.find(x), table, model.info.window[0] / 2) >= 0.9

    def test_a_manifest_names_clips_or_recordings(
        self, run: Run, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        clips = class_folder(tmp_path / "clips", each=3)
        rows = [f"{file.relative_to(clips)},{file.parent.name}" for file in clips.rglob("*.wav")]
        (clips / "all.csv").write_text("\n".join(["file,label", *rows]))
        assert run("train", clips / "all.csv", "-o", tmp_path / "m1", *QUICK)[::2] == (0, [])
        folder, truth = nights
        (folder / "some.csv").write_text("file\nx/b.csv\n")
        truth[truth["file"] == "x/b.csv"].to_csv(tmp_path / "labels.csv", index=False)
        status, _, complaints = run(
            "train", folder / "some.csv", "--labels", tmp_path / "labels.csv", "-o", tmp_path / "m2", *QUICK
        )
        assert (status, complaints) == (0, [])

    def test_options_for_recordings_arrive(self, run: Run, tmp_path: Path) -> None:
        x, table = recording(3, seconds=12, count=8)
        save(tmp_path / "a.csv", np.concatenate([np.zeros_like(x), x]), rate_hz=RATE_HZ)
        table.assign(file="a.csv").to_csv(tmp_path / "labels.csv", index=False)
        status, _, complaints = run(
            "train", tmp_path / "a.csv", "--labels", tmp_path / "labels.csv", "-o", tmp_path / "m", *QUICK,
            "--columns", "c1", "--window", "0.1", "--hop", "0.005", "--unlabelled", "ignore",
            "--features", '{"name": "logmel", "n_fft": 128, "step": 80, "bands": 16}',
        )  # fmt: skip
        assert (status, complaints) == (0, [])
        info = sw.load(tmp_path / "m").info
        assert (info.columns, info.channels) == (("c1",), 1)
        assert (info.window, info.hop) == ((768,), (40,))  # 0.1 s are 800 samples; 128 + 8 * 80
        out = run("explain", tmp_path / "m")[1]
        assert "logmel: 9 frames of 16 values in a window, a frame spans 128 samples (16 ms), one every 80" in out
        assert "whole window  4 frames = 320 samples (40 ms)  4 frames = 448 samples (56 ms)" in out
        status, _, complaints = run("scan", tmp_path / "m", tmp_path / "a.csv", "-o", tmp_path / "out")
        assert (status, complaints) == (0, [])

    def test_fewer_false_alarms_an_hour_take_a_higher_threshold(self, run: Run, tmp_path: Path) -> None:
        x, table = recording(3, seconds=60, count=40, slow=True)
        save(tmp_path / "a.csv", x, rate_hz=SLOW_HZ)
        table.assign(file="a.csv").to_csv(tmp_path / "labels.csv", index=False)
        thresholds = []
        for alarms in (0, 2000):
            out = tmp_path / str(alarms)
            asked = ("--labels", tmp_path / "labels.csv", "--false-alarms-per-hour", alarms)
            assert run("train", tmp_path / "a.csv", *asked, "-o", out, *TINY, "--epochs", 8)[::2] == (0, [])
            thresholds.append((sw.load(out).info.thresholds or ())[0])
        assert thresholds[0] > thresholds[1]

    def test_recordings_of_another_rate_are_left_out_or_resampled(self, run: Run, tmp_path: Path) -> None:
        parts = []
        for number, rate in enumerate((SLOW_HZ, SLOW_HZ, 2 * SLOW_HZ)):
            x, table = recording(number, slow=True)
            times = rate // SLOW_HZ
            save(tmp_path / "in" / f"{number}.csv", x.repeat(times, axis=1), rate_hz=rate)
            parts.append(table.assign(file=f"{number}.csv", start=times * table["start"], end=times * table["end"]))
        pd.concat(parts).to_csv(tmp_path / "labels.csv", index=False)
        asked = ("train", tmp_path / "in", "--labels", tmp_path / "labels.csv", *TINY)
        status, _, complaints = run(*asked, "-o", tmp_path / "m1", "--epochs", 1)
        assert (status, complaints) == (
            1,
            [f"{tmp_path}/in/2.csv: has 200 Hz where 100 Hz is needed. Convert it, or allow resampling (--resample)."],
        )
        status, _, complaints = run(*asked, "-o", tmp_path / "m2", "--resample", "--epochs", 30)
        assert (status, complaints) == (0, [])
        info = sw.load(tmp_path / "m2").info
        assert (info.sample_rate_hz, info.window) == (SLOW_HZ, (30,))
        x, table = recording(7, slow=True)
        assert f1(sw.load(tmp_path / "m2").find(x), table, 15) >= 0.9
        assert run(*asked, "-o", tmp_path / "m3", "--resample", "--sample-rate", 200, "--epochs", 1)[::2] == (0, [])
        assert sw.load(tmp_path / "m3").info.window == (60,)

    def test_bad_clips_are_named_and_the_others_used(self, run: Run, tmp_path: Path) -> None:
        folder = class_folder(tmp_path / "in", each=5)
        save(folder / "up" / "rate.wav", np.zeros((1, 900)), rate_hz=16000)
        save(folder / "up" / "stereo.wav", np.zeros((2, 900)))
        save(folder / "up" / "zero.wav", np.zeros((1, 900)))
        whole = (folder / "up" / "00.wav").read_bytes()
        (folder / "up" / "cut.wav").write_bytes(whole[:700])
        (folder / "up" / "text.wav").write_text("no audio")
        (folder / "up" / "nothing.flac").write_bytes(b"")
        (folder / "up" / "nan.csv").write_text("a\n1\nnan\n")
        (folder / "stray.wav").write_bytes(whole)
        (folder / "up" / "notes.md").write_text("passed over")
        status, out, complaints = run("train", folder, "-o", tmp_path / "m", *QUICK)
        assert status == 1
        assert [complaint.split(". ")[0] for complaint in complaints] == [
            "stray.wav: stands outside the class folders",
            f"up/cut.wav: truncated: {(len(whole) - 44) // 2:,} samples are promised, 328 are there",
            "up/nan.csv: row 2: a must be a finite number; got 'nan'",
            "up/nothing.flac: the file is empty",
            "up/rate.wav: has 16000 Hz where 8000 Hz is needed",
            "up/stereo.wav: has 2 channels where most have 1",
            "up/text.wav: not a WAV file",
        ]
        assert "accuracy" in out
        assert sw.load(tmp_path / "m").info.classes == ("down", "up", "background")

    def test_bad_recordings_and_labels_are_named_and_the_others_used(
        self, run: Run, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, truth = nights
        quiet = over_noise([], 2000, np.random.default_rng(0))
        for name in ("outside", "twice", "empty", "x/same", "y/same"):
            save(folder / f"{name}.csv", quiet, rate_hz=SLOW_HZ)
        save(folder / "short.csv", quiet[:, :20], rate_hz=SLOW_HZ)
        save(folder / "wide.csv", quiet.repeat(2, axis=0), rate_hz=SLOW_HZ)
        (folder / "uneven.csv").write_text("time_s,c0\n0,1\n1,1\n3,1\n4,1\n")
        more = [("outside.csv", 1999, 2100, "up"), ("twice.csv", 5, 35, "up"), ("twice.csv", 10, 40, "down")]
        more += [("same.csv", 1, 31, "up"), ("gone.csv", 1, 31, "up")]
        rows = pd.DataFrame(more, columns=["file", "start", "end", "label"])
        pd.concat([truth, rows]).to_csv(tmp_path / "labels.csv", index=False)
        status, _, complaints = run(
            "train", folder, "--labels", tmp_path / "labels.csv", "-o", tmp_path / "m", *TINY, "--epochs", 60
        )
        assert status == 1
        assert [complaint.removeprefix(f"{folder}/").split(". ")[0] for complaint in complaints] == [
            "gone.csv: is named in the labels, but there is no such recording.",
            "outside.csv: labels, row 25 must lie within the recording, samples 0 to 2000; got up from 1999 to 2100",
            "twice.csv: labels, rows 26 and 27 must not both hold; got up from 5 to 35 and down from 10 to 40, which "
            "overlap by more than half of the shorter one",
            "uneven.csv: time_s must increase evenly; row 3 is off, at 3 s",
            "wide.csv: has 2 channels where others have 1",
            "x/same.csv: may be meant by same.csv in the labels, and so may others",
            "y/same.csv: may be meant by same.csv in the labels, and so may others",
            "short.csv: is shorter (20 samples) than the window (30)",
        ]
        model = sw.load(tmp_path / "m")
        x, table = recording(7, slow=True)
        assert f1(model.find(x), table, 15) >= 0.9

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ("{in} --labels {tmp}/empty.csv", "labels must hold at least one event to learn from; got none"),
            ("{in} --labels {tmp}/empty.csv --window 30", "labels must hold at least one event to learn from"),
            ("{in} --labels {tmp}/nothing", "nothing: holds no file of labels for any recording, such as a.txt."),
            ("{in} --labels {tmp}/gone.csv", "gone.csv: no such file. Check the path."),
            ("{in} --labels {tmp}/binary.csv", "binary.csv: is not UTF-8 text (invalid start byte at byte 0)."),
            ("{in} --labels {tmp}/prose.txt", "prose.txt: the first line must be that of an Audacity label track, of"),
            ("{in} --labels {tmp}/track.txt", "track.txt: names no recordings, and there are several. Give"),
            ("{in} --labels {tmp}/raven.txt", "raven.txt: lacks the column Annotation; has Begin Time (s), End Time"),
            ("{in} --labels {tmp}/labels.csv --unlabelled no", "unlabelled must be one of background, ignore; got"),
            ("{in} --labels {tmp}/labels.csv --task regress", "task must suit the data, which is to classify"),
            ("{in} --labels {tmp}/labels.csv --columns left", "recordings must have one that can be learnt from"),
            ("{in} --labels {tmp}/labels.csv --columns c0,c0", "columns must be different names"),
            ("{in} --labels {tmp}/labels.csv --sample-rate 0", "sample_rate_hz must be above 0 and finite; got 0.0"),
            ("{in} --labels {tmp}/labels.csv --window 0.0", "window must be above 0; got 0.0"),
            ("{in} --labels {tmp}/labels.csv --features fft", "features must be one of raw, logmel; got 'fft'"),
            ("{in} --labels {tmp}/labels.csv --features logmel --window 9", "window must hold a frame of logmel"),
            ("{in} --labels {tmp}/one.csv", "class 'up' must have two events that can be separated"),
            ("{in} --labels {tmp}/points.csv", "window must be given, as the labels are points in time; got none."),
            ("{in}/a.csv --labels {tmp}/far.csv", "in/a.csv: labels, row 1 must lie within the recording, samples"),
            ("{tmp}/gone --labels {tmp}/track.txt", "gone: no such file. Check the path."),
            ("{tmp}/gone.wav --labels {tmp}/track.txt", "gone.wav: no such file"),
            ("{tmp}/nothing --labels {tmp}/labels.csv", "nothing: holds no recordings (.wav .flac .ogg .csv .npy"),
            ("{in}/x", "x: holds no class folders. Put the files of each class into a folder of its own, or"),
            ("{tmp}/clips --window 0.5", "window must be a whole number of samples or pixels where no rate is known"),
            ("{tmp}/clips --false-alarms-per-hour 1", "false_alarms_per_hour must be for patterns in recordings of"),
            ("{tmp}/lone", "class 'up' must have at least two examples; got one"),
            ("{tmp}/broken", "broken: no file of the class up can be used (the first: up/a.wav: not a WAV file."),
            ("{tmp}/clips --columns a,b", "columns must be left out for recordings that are no CSV, which have 1 chan"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_learnt_from_is_one_line_and_status_2(
        self, run: Run, nights: tuple[Path, pd.DataFrame], tmp_path: Path, asked: str, message: str
    ) -> None:
        folder, truth = nights
        for name, text in {
            "empty.csv": "file,start,end,label\n",
            "prose.txt": "nothing here\n",
            "track.txt": "0.1\t0.2\tup\n",
            "raven.txt": "Begin Time (s)\tEnd Time (s)\tCall\n0.1\t0.2\tup\n",
            "one.csv": "file,start,end,label\na.csv,10,40,up\n",
            "points.csv": "file,start_s,end_s,label\na.csv,1,1,up\na.csv,9,9,up\n",
            "far.csv": "file,start,end,label\na.csv,2000,2030,up\n",
        }.items():
            (tmp_path / name).write_text(text)
        (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
        (tmp_path / "nothing").mkdir()
        truth.to_csv(tmp_path / "labels.csv", index=False)
        for number in range(4):
            save(tmp_path / "clips" / LABELS[number % 2] / f"{number}.npy", bump("up")[None])
        for number in range(3):
            save(tmp_path / "lone" / LABELS[number // 2] / f"{number}.npy", bump("up")[None])
            save(tmp_path / "broken" / "down" / f"{number}.npy", bump("up")[None])
        (tmp_path / "broken" / "up").mkdir()
        (tmp_path / "broken" / "up" / "a.wav").write_text("no audio")
        arguments = asked.format_map({"in": folder, "tmp": tmp_path}).split()
        status, out, complaints = run("train", *arguments, "-o", tmp_path / "m", *QUICK)
        assert (status, out) == (2, "")
        assert message in complaints[-1]
        assert len(complaints) == (3 if "left" in asked else 1)
        assert not (tmp_path / "m").exists()


class TestScan:
    """``scanwise scan``."""

    def test_events_are_written_in_samples_and_seconds(
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, truth = nights
        status, out, complaints = run("scan", slow, folder, "-o", tmp_path / "out")
        assert (status, complaints) == (0, [])
        assert out.splitlines() == ["down  12", "up  12", f"found 24, wrote {tmp_path / 'out'}"]
        events = written(tmp_path / "out")
        assert list(events.columns) == ["file", "start", "end", "start_s", "end_s", "label", "score"]
        np.testing.assert_array_equal(events["start_s"], events["start"] / SLOW_HZ)
        for name, mine in truth.groupby("file"):
            assert f1(events[events["file"] == str(folder / str(name))], mine, 15) == 1

    def test_folders_files_manifests_and_patterns_are_inputs(
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
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
            assert run("scan", slow, *inputs, "-o", tmp_path / str(number))[::2] == (0, [])
            inputs_done = json.loads((tmp_path / str(number) / "scan.json").read_text())["inputs"]
            assert [record["file"] for record in inputs_done] == [str(folder / file) for file in files]

    @pytest.mark.parametrize(("program", "ending"), [("audacity", ".txt"), ("raven", ".Table.1.selections.txt")])
    def test_labels_for_a_program_read_back_as_the_events(
        self, run: Run, slow: Path, tmp_path: Path, program: str, ending: str
    ) -> None:
        """One file a recording, and none lost where two have one name. At the edges events are cut to the recording."""
        x, _ = recording(5, slow=True)
        x[:, :20], x[:, -20:] = bump("up")[10:], bump("down")[:20]
        for name in ("a", "x/a", "x/quiet"):
            save(tmp_path / "in" / f"{name}.csv", x if name[-1] == "a" else np.zeros((1, 100)), rate_hz=SLOW_HZ)
        status, _, complaints = run("scan", slow, tmp_path / "in", "-o", tmp_path / "out", "--labels", program)
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
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        """A label folder is found flat, as `scan` writes it, though the recordings are in folders."""
        folder, _ = nights
        run("scan", slow, folder, "-o", tmp_path / "out", "--labels", "raven")
        status, out, complaints = run("eval", slow, folder, "--truth", tmp_path / "out" / "labels")
        assert (status, complaints) == (0, [])
        assert out.startswith("24 events: F1 1.000")
        assert run("train", folder, "--labels", tmp_path / "out" / "labels", "-o", tmp_path / "m", *QUICK)[0] == 0

    def test_a_hop_may_be_in_seconds_and_scores_are_kept(
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, _ = nights
        asked = ("--hop", "0.05", "--scores", "--merge-gap", 100, "--threshold", 0.4)
        status, _, complaints = run("scan", slow, folder / "a.csv", "-o", tmp_path / "out", *asked)
        assert (status, complaints) == (0, [])
        settings = json.loads((tmp_path / "out" / "scan.json").read_text())
        assert (settings["hop"], settings["origin"], settings["threshold"]) == ([5], [-15], 0.4)
        scores = np.load(tmp_path / "out" / "scores" / "000000.npy")
        assert scores.shape == (3, 401)
        starts = written(tmp_path / "out").groupby("label")["start"]
        assert all(np.diff(start).min() >= 100 for _, start in starts)

    def test_another_rate_fails_or_is_resampled(self, run: Run, slow: Path, tmp_path: Path) -> None:
        x, table = recording(5, slow=True)
        path = save(tmp_path / "a.csv", x.repeat(2, axis=1), rate_hz=200)
        status, _, complaints = run("scan", slow, path, "-o", tmp_path / "out")
        assert (status, len(complaints)) == (2, 1)
        assert (
            complaints[0] == f"{path}: has 200 Hz where 100 Hz is needed. Convert it, or allow resampling (--resample)."
        )
        assert run("scan", slow, path, "-o", tmp_path / "out", "--resample", "--labels", "audacity")[::2] == (0, [])
        events = written(tmp_path / "out")
        assert f1(events, table.assign(start=2 * table["start"], end=2 * table["end"]), 30) == 1
        np.testing.assert_array_equal(events["start_s"], events["start"] / 200)

    def test_bad_inputs_are_named_and_the_others_finished(self, run: Run, sound: Path, tmp_path: Path) -> None:
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
        status, out, complaints = run("scan", sound, folder, "-o", tmp_path / "out", "--labels", "raven")
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
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        x, table = recording(3, seconds=20, count=12, slow=True)
        save(tmp_path / "a.npy", x)
        table.assign(file="a.npy").to_csv(tmp_path / "labels.csv", index=False)
        model = tmp_path / "m"
        assert run("train", tmp_path / "a.npy", "--labels", tmp_path / "labels.csv", "-o", model, *QUICK)[0] == 0
        asked = ("scan", model, "-o", tmp_path / "out", "--labels", "audacity", "--threshold", "0.1")
        problem = f"{tmp_path}/a.npy: must have a known rate to write labels; got none. Leave --labels out."
        assert run(*asked, tmp_path / "a.npy") == (2, "", [problem])
        status, _, complaints = run(*asked, tmp_path / "a.npy", nights[0])
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
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path, asked: str, message: str
    ) -> None:
        (tmp_path / "nothing").mkdir()
        (tmp_path / "picture.png").write_bytes(b"\x89PNG")
        (tmp_path / "prose.txt").write_text("hello")
        arguments = asked.format_map({"in": nights[0], "tmp": tmp_path}).split()
        status, out, complaints = run("scan", slow, *arguments, "-o", tmp_path / "out")
        assert (status, out, len(complaints)) == (2, "", 1)
        assert message in complaints[0]
        assert not (tmp_path / "out").exists()


class TestEval:
    """``scanwise eval`` of recordings."""

    @pytest.mark.parametrize("form", ["seconds.csv", "samples.csv", "audacity", "raven"])
    def test_truth_is_taken_in_every_form_and_gives_figures_and_thresholds(
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path, form: str
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
        status, out, complaints = run("eval", slow, folder, "--truth", path, "--label-column", "Call")
        assert (status, complaints) == (0, [])
        lines = out.splitlines()
        assert lines[0] == "24 events: F1 1.000, precision 1.000, recall 1.000, 0 false alarms per hour"
        assert lines[2].split() == ["label", "truth", "found", "right", "precision", "recall", "f1"]
        assert lines[5].split() == ["(all)", "24", "24", "24", "1.000", "1.000", "1.000"]
        assert lines[7].split() == ["threshold", "precision", "recall", "f1", "false_alarms_per_hour"]
        assert lines[8].split()[0] == "0.100"

    def test_the_printed_thresholds_are_what_scans_at_them_find(
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, truth = nights
        truth.to_csv(tmp_path / "truth.csv", index=False)
        out = run("eval", slow, folder, "--truth", tmp_path / "truth.csv")[1]
        tenths = [line.split() for line in out.split("false_alarms_per_hour")[1].splitlines() if line]
        names = {str(folder / name): name for name in set(truth["file"])}
        for threshold, precision, recall, score, alarms in tenths:
            run("scan", slow, folder, "-o", tmp_path / "out", "--overwrite", "--threshold", threshold)
            events = written(tmp_path / "out")
            match = sw.events.match(events.assign(file=events["file"].map(names)), truth, tolerance=15)
            numbers = (match.precision, match.recall, match.f1, match.false_positives * 3600 / 40)
            assert [f"{number:.3f}" for number in numbers] == [precision, recall, score, alarms]

    def test_bad_recordings_are_named_and_the_others_judged(
        self, run: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        folder, truth = nights
        (folder / "c.csv").write_text("c0\nx\n")
        more = truth.iloc[:1].assign(file="c.csv")
        late = truth.iloc[-1:].assign(start=5000, end=5030)
        pd.concat([truth, more, late]).to_csv(tmp_path / "truth.csv", index=False)
        status, out, complaints = run("eval", slow, folder, "--truth", tmp_path / "truth.csv")
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
        run: Run,
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
        status, out, complaints = run("eval", slow, *arguments)
        assert (status, out) == (2, "")
        assert len(complaints) == len(messages)
        assert all(message in line for message, line in zip(messages, complaints, strict=True))


def test_explain_tells_what_a_finder_of_sound_looks_at(run: Run, sound: Path) -> None:
    status, out, complaints = run("explain", sound, "--hop", "0.01")
    assert (status, complaints) == (0, [])
    for words in (
        "convnet, to classify",
        "(152 ms), channels 1",
        "logmel: 13 frames of 40 values in a window, a frame spans 256 samples (32 ms), one every 80 samples (10 ms)",
        "8000 Hz",
        "whole window  6 frames = 480 samples (60 ms)  6 frames = 736 samples (92 ms)",
        "reuse factor",
    ):
        assert words in out

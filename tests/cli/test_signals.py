"""Training on recordings at the command line: what it writes, prints, and says of bad input."""

from __future__ import annotations

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
    in_seconds,
    over_noise,
    recording,
    save,
)

import scanwise as sw

Run = Callable[..., tuple[int, str, list[str]]]
TINY = ("--set", "channels=[8]", "--set", "hidden=[16]", "--set", "dropout=0.0")
QUICK = (*TINY, "--epochs", "2")


class TestTrain:
    """``scanwise train``."""

    def test_a_folder_of_clips_makes_a_model_that_finds_them_in_recordings(self, run_well: Run, tmp_path: Path) -> None:
        status, out, complaints = run_well(
            "train", class_folder(tmp_path / "in"), "-o", tmp_path / "m", *TINY, "--epochs", 20
        )
        assert (status, complaints) == (0, [])
        assert out.startswith("held out: 2 clips: accuracy 100.00%")
        model = sw.load(tmp_path / "m")
        x, table = recording(5)
        assert f1(model.find(x), table, model.info.window[0] / 2) >= 0.9
        status, out, complaints = run_well("eval", tmp_path / "m", tmp_path / "in")
        assert (status, complaints) == (0, [])
        assert out.startswith("20 clips: accuracy 100.00%")
        assert "confusion matrix" in out

    @pytest.mark.parametrize("form", ["seconds.csv", "samples.csv", "audacity", "raven"])
    def test_recordings_with_labels_make_a_model_that_finds_them_in_others(
        self, run_well: Run, nights: tuple[Path, pd.DataFrame], tmp_path: Path, form: str
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
        status, out, complaints = run_well(
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
        self, run_well: Run, nights: tuple[Path, pd.DataFrame], tmp_path: Path
    ) -> None:
        clips = class_folder(tmp_path / "clips", each=3)
        rows = [f"{file.relative_to(clips)},{file.parent.name}" for file in clips.rglob("*.wav")]
        (clips / "all.csv").write_text("\n".join(["file,label", *rows]))
        assert run_well("train", clips / "all.csv", "-o", tmp_path / "m1", *QUICK)[::2] == (0, [])
        folder, truth = nights
        (folder / "some.csv").write_text("file\nx/b.csv\n")
        truth[truth["file"] == "x/b.csv"].to_csv(tmp_path / "labels.csv", index=False)
        status, _, complaints = run_well(
            "train", folder / "some.csv", "--labels", tmp_path / "labels.csv", "-o", tmp_path / "m2", *QUICK
        )
        assert (status, complaints) == (0, [])

    def test_options_for_recordings_arrive(self, run_well: Run, tmp_path: Path) -> None:
        x, table = recording(3, seconds=12, count=8)
        save(tmp_path / "a.csv", np.concatenate([np.zeros_like(x), x]), rate_hz=RATE_HZ)
        table.assign(file="a.csv").to_csv(tmp_path / "labels.csv", index=False)
        status, _, complaints = run_well(
            "train", tmp_path / "a.csv", "--labels", tmp_path / "labels.csv", "-o", tmp_path / "m", *QUICK,
            "--columns", "c1", "--window", "0.1", "--hop", "0.005", "--unlabelled", "ignore",
            "--features", '{"name": "logmel", "n_fft": 128, "step": 80, "bands": 16}',
        )  # fmt: skip
        assert (status, complaints) == (0, [])
        info = sw.load(tmp_path / "m").info
        assert (info.columns, info.channels) == (("c1",), 1)
        assert (info.window, info.hop) == ((768,), (40,))  # 0.1 s are 800 samples; 128 + 8 * 80
        out = run_well("explain", tmp_path / "m")[1]
        assert "logmel: 9 frames of 16 values in a window, a frame spans 128 samples (16 ms), one every 80" in out
        assert "whole window  4 frames = 320 samples (40 ms)  4 frames = 448 samples (56 ms)" in out
        status, _, complaints = run_well("scan", tmp_path / "m", tmp_path / "a.csv", "-o", tmp_path / "out")
        assert (status, complaints) == (0, [])

    def test_fewer_false_alarms_an_hour_take_a_higher_threshold(self, run_well: Run, tmp_path: Path) -> None:
        x, table = recording(3, seconds=60, count=40, slow=True)
        save(tmp_path / "a.csv", x, rate_hz=SLOW_HZ)
        table.assign(file="a.csv").to_csv(tmp_path / "labels.csv", index=False)
        thresholds = []
        for alarms in (0, 2000):
            out = tmp_path / str(alarms)
            asked = ("--labels", tmp_path / "labels.csv", "--false-alarms-per-hour", alarms)
            assert run_well("train", tmp_path / "a.csv", *asked, "-o", out, *TINY, "--epochs", 8)[::2] == (0, [])
            thresholds.append((sw.load(out).info.thresholds or ())[0])
        assert thresholds[0] > thresholds[1]

    def test_recordings_of_another_rate_are_left_out_or_resampled(self, run_well: Run, tmp_path: Path) -> None:
        parts = []
        for number, rate in enumerate((SLOW_HZ, SLOW_HZ, 2 * SLOW_HZ)):
            x, table = recording(number, slow=True)
            times = rate // SLOW_HZ
            save(tmp_path / "in" / f"{number}.csv", x.repeat(times, axis=1), rate_hz=rate)
            parts.append(table.assign(file=f"{number}.csv", start=times * table["start"], end=times * table["end"]))
        pd.concat(parts).to_csv(tmp_path / "labels.csv", index=False)
        asked = ("train", tmp_path / "in", "--labels", tmp_path / "labels.csv", *TINY)
        status, _, complaints = run_well(*asked, "-o", tmp_path / "m1", "--epochs", 1)
        assert (status, complaints) == (
            1,
            [f"{tmp_path}/in/2.csv: has 200 Hz where 100 Hz is needed. Convert it, or allow resampling (--resample)."],
        )
        status, _, complaints = run_well(*asked, "-o", tmp_path / "m2", "--resample", "--epochs", 30)
        assert (status, complaints) == (0, [])
        info = sw.load(tmp_path / "m2").info
        assert (info.sample_rate_hz, info.window) == (SLOW_HZ, (30,))
        x, table = recording(7, slow=True)
        assert f1(sw.load(tmp_path / "m2").find(x), table, 15) >= 0.9
        assert run_well(*asked, "-o", tmp_path / "m3", "--resample", "--sample-rate", 200, "--epochs", 1)[::2] == (
            0,
            [],
        )
        assert sw.load(tmp_path / "m3").info.window == (60,)

    def test_bad_clips_are_named_and_the_others_used(self, run_well: Run, tmp_path: Path) -> None:
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
        status, out, complaints = run_well("train", folder, "-o", tmp_path / "m", *QUICK)
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
        self, run_well: Run, nights: tuple[Path, pd.DataFrame], tmp_path: Path
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
        status, _, complaints = run_well(
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
        self, run_well: Run, nights: tuple[Path, pd.DataFrame], tmp_path: Path, asked: str, message: str
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
        status, out, complaints = run_well("train", *arguments, "-o", tmp_path / "m", *QUICK)
        assert (status, out) == (2, "")
        assert message in complaints[-1]
        assert len(complaints) == (3 if "left" in asked else 1)
        assert not (tmp_path / "m").exists()


def test_explain_tells_what_a_finder_of_sound_looks_at(run_well: Run, sound: Path) -> None:
    status, out, complaints = run_well("explain", sound, "--hop", "0.01")
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

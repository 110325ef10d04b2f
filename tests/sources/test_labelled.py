"""Labelled recordings: a folder per class or a manifest; images are in test_folder.py."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from PIL import Image

from scanwise.errors import ArgumentError, DataError
from scanwise.sources import Clips, Reading, read_clips


def tone(path, rate_hz=8000, length=80, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full((length, channels), length / 2**10, np.float32), rate_hz)
    return path


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (3, 4), 51).save(path)
    return path


@pytest.fixture
def root(tmp_path):
    for name, length in {"no/2.wav": 80, "no/10.flac": 60, "yes/a.WAV": 40}.items():
        tone(tmp_path / "data" / name, length=length)
    return tmp_path / "data"


def test_a_folder_per_class_holds_recordings_as_they_are(root):
    (root / "yes/notes.txt").write_text("x")
    (root / "yes/.hidden.wav").write_text("x")
    (root / "labels.csv").write_text("file,label\n")
    (root / "yes/truth.csv").write_text("file,start\n")
    clips = read_clips(root)
    assert clips.classes == ("no", "yes")
    assert clips.names == ("no/10.flac", "no/2.wav", "yes/a.WAV")
    assert clips.y.tolist() == [0, 0, 1]
    assert clips.rate_hz == 8000.0
    assert clips.failed == ()
    assert isinstance(clips.x, list)
    for x, length in zip(clips.x, (60, 80, 40), strict=True):
        np.testing.assert_array_equal(x, np.full((1, length), length / 2**10, np.float32))


def test_recordings_of_one_length_come_as_one_array(tmp_path):
    for name in ("a/1.wav", "b/1.wav"):
        tone(tmp_path / name)
    assert read_clips(tmp_path).x.shape == (2, 1, 80)


def test_arrays_and_tables_are_recordings_too(tmp_path):
    tone(tmp_path / "a/1.ogg", length=5)
    np.save(tmp_path / "a/2.npy", np.arange(5))
    np.savez(tmp_path / "a/3.npz", np.arange(4))
    (tmp_path / "a/4.csv").write_text("time_s,left,right\n0,1,2\n0.000125,3,4\n")
    clips = read_clips(tmp_path, Reading(columns=("right",)))
    assert clips.names == ("a/1.ogg", "a/2.npy", "a/3.npz", "a/4.csv")
    assert clips.x[3].tolist() == [[2.0, 4.0]]
    assert clips.rate_hz == 8000.0


def test_the_rate_of_most_is_needed_and_others_fail_alone(root):
    tone(root / "yes/0.wav", 16_000)
    tone(root / "yes/1.wav", 11_025)
    clips = read_clips(root)
    assert (len(clips), clips.rate_hz) == (3, 8000.0)
    assert clips.failed == (
        ("yes/0.wav", "has 16000 Hz where 8000 Hz is needed. Convert it, or allow resampling (--resample)."),
        ("yes/1.wav", "has 11025 Hz where 8000 Hz is needed. Convert it, or allow resampling (--resample)."),
    )


def test_the_rate_that_is_asked_for_is_needed(root):
    for name in ("no/0.wav", "yes/0.wav"):
        tone(root / name, 16_000)
    clips = read_clips(root, Reading(16_000))
    assert (clips.names, clips.rate_hz) == (("no/0.wav", "yes/0.wav"), 16_000.0)
    assert [name for name, _ in clips.failed] == ["no/10.flac", "no/2.wav", "yes/a.WAV"]


@pytest.mark.parametrize(("rate_hz", "lengths"), [(None, [60, 80, 40, 40]), (4000, [30, 40, 20, 20])])
def test_others_are_resampled_if_that_is_allowed(root, rate_hz, lengths):
    tone(root / "yes/b.wav", 16_000, length=80)
    clips = read_clips(root, Reading(rate_hz, resample=True))
    assert [x.shape[1] for x in clips.x] == lengths
    assert (clips.rate_hz, clips.failed) == (rate_hz or 8000.0, ())


def test_files_without_a_rate_are_taken_to_have_the_one_of_the_others(root):
    np.save(root / "yes/b.npy", np.ones(10))
    assert len(read_clips(root)) == 4
    for path in root.glob("*/*.[fwW]*"):
        path.unlink()
    np.save(root / "no/b.npy", np.ones(10))
    assert read_clips(root).rate_hz is None
    assert read_clips(root, Reading(360)).rate_hz == 360.0


def test_bad_recordings_are_collected_and_the_others_are_read(root):
    (root / "no/bad.wav").write_bytes(b"RIFF")
    tone(root / "no/stereo.wav", channels=2)
    tone(root / "stray.wav")
    image(root / "stray.png")
    clips = read_clips(root)
    assert len(clips) == 3
    assert dict(clips.failed) == {
        "no/bad.wav": "not a WAV file. Convert it, or give it the suffix of what it is.",
        "no/stereo.wav": "has 2 channels where most have 1. Convert it.",
        "stray.wav": "stands outside the class folders. Move it into one.",
    }


def test_a_class_of_which_nothing_is_left_is_an_error(root):
    (root / "yes/a.WAV").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"no file of the class yes can be used \(the first: yes/a.WAV: the file is empty"
    ):
        read_clips(root)


def test_images_and_recordings_are_not_mixed(root):
    image(root / "no/b.png")
    image(root / "no/a.png")
    with pytest.raises(DataError, match=r"data: holds both images and recordings \(no/a.png, no/10.flac\). Give each"):
        read_clips(root)


@pytest.mark.parametrize("kind", ["recordings", "images"])
def test_a_manifest_gives_the_class_of_each_file(tmp_path, kind):
    make, suffix = (tone, "wav") if kind == "recordings" else (image, "png")
    for name in ("c", "deep/a", "b"):
        make(tmp_path / f"{name}.{suffix}")
    text = f"file,label\nc.{suffix},yes\ndeep/a.{suffix},no\nb.{suffix},yes\ngone.{suffix},no\nreadme.txt,no\n"
    (tmp_path / "clips.csv").write_text(text)
    clips = read_clips(tmp_path / "clips.csv")
    assert clips.names == (f"c.{suffix}", f"deep/a.{suffix}", f"b.{suffix}")
    assert (clips.classes, clips.y.tolist()) == (("no", "yes"), [1, 0, 1])
    assert clips.x.shape == ((3, 1, 80) if kind == "recordings" else (3, 1, 4, 3))
    assert clips.rate_hz == (8000.0 if kind == "recordings" else None)
    assert clips.failed == (
        (f"gone.{suffix}", "no such file. Check the path."),
        ("readme.txt", "files of kind '.txt' are not read. Convert it."),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.wav\n", "clips.csv: has no column label. Add one with the class of each file"),
        ("left,right\n1,2\n", "lacks the column file; has left, right"),
        ("file,label\na.txt,yes\n", "no file of the class yes can be used .the first: a.txt: files of kind '.txt'"),
        ("file,label\na.wav,yes\nb.png,no\n", r"holds both images and recordings \(b.png, a.wav\)"),
    ],
)
def test_a_manifest_that_holds_no_clips_is_refused(tmp_path, text, message):
    (tmp_path / "clips.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_clips(tmp_path / "clips.csv")


def test_arrays_of_signals_are_taken_to_have_the_rate(tmp_path):
    np.savez(tmp_path / "signals.npz", x=np.ones((3, 2, 8)), y=np.arange(3))
    np.savez(tmp_path / "images.npz", x=np.ones((3, 2, 8, 8)), y=np.arange(3))
    assert read_clips(tmp_path / "signals.npz", Reading(360)).rate_hz == 360.0
    assert read_clips(tmp_path / "signals.npz").rate_hz is None
    assert read_clips(tmp_path / "images.npz", Reading(360)).rate_hz is None


def test_the_rate_of_clips_is_checked():
    with pytest.raises(ArgumentError, match="rate_hz must be above 0; got -1"):
        Clips(np.ones((1, 1, 3)), np.zeros(1), None, ("a",), rate_hz=-1)


@pytest.mark.realdata
def test_spoken_digits_are_a_folder_per_class(realdata):
    clips = read_clips(realdata / "fsdd")
    assert (len(clips), clips.channels, clips.rate_hz, clips.failed) == (800, 1, 8000.0, ())
    assert clips.classes == tuple("0123456789")

"""Recordings: any interval is a slice of the whole, and what is damaged is noticed."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError, DataError
from scanwise.sources import AUDIO_SUFFIXES, RECORDING_SUFFIXES, Reading, open_recording, read_input, read_recording
from scanwise.sources._recordings import _openers


def tones(length=3000, channels=2, rate_hz=8000):
    """Two tones and noise, `(channels, length)` within [-1, 1]."""
    noise = np.random.default_rng(0).normal(0, 0.05, (channels, length))
    pitch = np.array([[200], [310]])[:channels]
    return (0.6 * np.sin(2 * np.pi * pitch * np.arange(length) / rate_hz) + noise).astype(np.float32)


def encoded(path, x, rate_hz=8000, **how):
    soundfile.write(path, x.T, rate_hz, **how)
    return path


WAV = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
CODED = {
    **{f"{kind}.wav": {"subtype": kind} for kind in WAV},
    "extensible.wav": {"format": "WAVEX", "subtype": "PCM_24"},
    "rf64.wav": {"format": "RF64", "subtype": "PCM_16"},
    "16.flac": {"subtype": "PCM_16"},
    "24.flac": {"subtype": "PCM_24"},
    "vorbis.ogg": {"subtype": "VORBIS"},
}
ARRAYS = {
    "c.npy": np.ascontiguousarray,
    "fortran.npy": np.asfortranarray,
    "big.npy": lambda x: x.astype(">f8"),
    "integers.npy": lambda x: (x * 1000).astype(np.int16),
    "mono.npy": lambda x: x[0],
    "packed.npz": lambda x: x,
    "mono.npz": lambda x: x[:1],
}


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """By name: a recording's path and its samples as another reader gives them, or as they were written."""
    root = tmp_path_factory.mktemp("recordings")
    found = {}
    for name, how in CODED.items():
        # So long that an OGG file has many pages.
        path = encoded(root / name, tones(40_000, 1 + ("16" in name)), **how)
        found[name] = path, soundfile.read(path, dtype="float32", always_2d=True)[0].T
    for name, change in ARRAYS.items():
        x = change(tones())
        np.savez_compressed(root / name, x) if name.endswith("npz") else np.save(root / name, x)
        found[name] = root / name, np.atleast_2d(x).astype(np.float32)
    x = tones(500)
    (root / "table.csv").write_text("\n".join(["left,right", *(f"{a!s},{b!s}" for a, b in x.T)]))
    found["table.csv"] = root / "table.csv", x
    return found


NAMES = [*CODED, *ARRAYS, "table.csv"]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_an_interval_is_a_slice_of_the_whole_wherever_the_last_one_was(wholes, name, data):
    path, whole = wholes[name]
    places = st.integers(0, whole.shape[1])
    with open_recording(path) as recording:
        assert (recording.channels, recording.length) == whole.shape
        for _ in range(3):
            start, stop = sorted([data.draw(places), data.draw(places)])
            part = recording.read(start, stop)
            assert (part.dtype, part.flags.c_contiguous) == (np.float32, True)
            np.testing.assert_array_equal(part, whole[:, start:stop])
            part[:] = 7  # the caller's own: the next interval does not show it
    np.testing.assert_array_equal(read_recording(path).x, whole)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_states_its_rate_if_the_file_does(wholes, name):
    with open_recording(wholes[name][0]) as recording:
        assert recording.rate_hz == (8000.0 if name in CODED else None)
        assert recording.path == str(wholes[name][0])


def test_every_suffix_has_a_reader():
    assert tuple(_openers(None)) == RECORDING_SUFFIXES
    assert RECORDING_SUFFIXES[:3] == AUDIO_SUFFIXES


def test_the_suffix_may_be_in_capitals(tmp_path):
    assert read_recording(encoded(tmp_path / "a.WAV", tones(9))).x.shape == (2, 9)


@pytest.mark.parametrize(
    ("start", "stop", "text"),
    [
        (5, 3, "start and stop must be in order and at most 9, the recording's length; got 5 and 3. Count in samples"),
        (0, 10, "got 0 and 10"),
        (10, None, "got 10 and 9"),
        (-1, 3, "start must be a whole number of at least 0; got -1"),
        (0, -1, "stop must be a whole number of at least 0; got -1"),
        (0.5, 3, "start must be a whole number"),
    ],
)
def test_an_interval_must_lie_within_the_recording(tmp_path, start, stop, text):
    with (
        open_recording(encoded(tmp_path / "a.wav", tones(9))) as recording,
        pytest.raises(ArgumentError, match=text),
    ):
        recording.read(start, stop)


def test_an_empty_interval_may_lie_anywhere(tmp_path):
    for suffix in AUDIO_SUFFIXES:
        with open_recording(encoded(tmp_path / f"a{suffix}", tones(9))) as recording:
            assert [recording.read(place, place).shape for place in (0, 4, 9)] == [(2, 0)] * 3


@pytest.mark.parametrize("name", ["PCM_16.wav", "16.flac", "vorbis.ogg", "c.npy", "table.csv"])
def test_a_closed_recording_is_not_read(wholes, name):
    with open_recording(wholes[name][0]) as recording:
        pass
    recording.close()
    with pytest.raises(ArgumentError, match=r"path must be open to be read; got .*, closed. Open it again"):
        recording.read()


def test_only_what_is_asked_for_is_loaded(tmp_path):
    size = 2**27
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 8, 16, 2, 16, b"data", size
    )
    (tmp_path / "a.wav").write_bytes(header)
    np.save(tmp_path / "a.npy", np.zeros(0))
    text = (tmp_path / "a.npy").read_bytes().replace(b"(0,), }" + b" " * 8, b"(16777216,), }"[:15].ljust(15))
    (tmp_path / "a.npy").write_bytes(text)
    for name, more in (("a.wav", size), ("a.npy", size)):
        with (tmp_path / name).open("r+b") as stream:
            stream.truncate((tmp_path / name).stat().st_size + more)
        tracemalloc.start()
        with open_recording(tmp_path / name) as recording:
            assert recording.length * (2 if name == "a.wav" else 8) == size
            assert recording.read(recording.length - 10).tolist() == [[0.0] * 10]
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()


# WAV headers


def chunk(name, data, size=None):
    return struct.pack("<4sI", name, len(data) if size is None else size) + data + b"\0" * (len(data) % 2)


def fmt(kind=1, channels=1, rate_hz=8000, bits=16, frame=None):
    frame = channels * bits // 8 if frame is None else frame
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * frame, frame, bits))


def riff(*chunks, size=None, magic=b"RIFF"):
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", magic, len(body) if size is None else size) + body


SAMPLES = np.array([1, -2, 3, 32767, -32768], "<i2")
DATA = SAMPLES.tobytes()
UNKNOWN = 2**32 - 1


@pytest.mark.parametrize(
    "content",
    [
        riff(fmt(), chunk(b"data", DATA)),
        riff(chunk(b"LIST", b"odd"), fmt(), chunk(b"fact", b"1234"), chunk(b"data", DATA), chunk(b"LIST", b"later")),
        riff(fmt(), chunk(b"data", DATA + b"\1", size=11)),
        riff(fmt(), chunk(b"data", DATA, size=0), size=0),
        riff(fmt(), chunk(b"data", DATA, size=0), size=36),
        riff(fmt(), chunk(b"data", DATA, size=UNKNOWN), size=UNKNOWN),
        riff(fmt(), chunk(b"data", DATA, size=0x7FFF_FFFF), size=0x7FFF_FFFF),
        riff(fmt(), chunk(b"data", DATA, size=0x7FFF_F000), size=0x7FFF_F024),
        riff(fmt(), chunk(b"data", DATA, size=0x8000_0000), size=0x8000_0024),
        riff(fmt(), chunk(b"data", DATA, size=UNKNOWN), size=UNKNOWN, magic=b"RF64"),
        riff(
            chunk(b"ds64", struct.pack("<QQQI", 99, 10, 5, 0)),
            fmt(),
            chunk(b"data", DATA, size=UNKNOWN),
            chunk(b"LIST", b"later"),
            size=UNKNOWN,
            magic=b"RF64",
        ),
    ],
)
def test_wav_samples_are_those_of_its_data_chunk_or_all_that_follow_if_that_has_no_size(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    signal = read_recording(tmp_path / "a.wav")
    np.testing.assert_array_equal(signal.x, SAMPLES[None] / np.float32(32768))
    assert (signal.rate_hz, signal.file_rate_hz) == (8000.0, 8000.0)


BAD_WAV = [
    (b"hello, I am a text, and long enough", "not a WAV file. Convert it, or give it the suffix of what it is"),
    (b"RIFF", "not a WAV file"),
    (b"RIFX" + riff(fmt(), chunk(b"data", DATA))[4:], "not a WAV file"),
    (riff(), "truncated or damaged: no samples follow its header"),
    (riff(fmt()), "truncated or damaged: no samples follow its header"),
    (riff(chunk(b"data", DATA)), "truncated or damaged: no format is told before the samples"),
    (riff(chunk(b"data", DATA), fmt()), "no format is told before the samples"),
    (riff(chunk(b"fmt ", b"short"), chunk(b"data", DATA)), "no format is told before the samples"),
    (riff(fmt(channels=0), chunk(b"data", DATA)), "damaged: its header tells of 0 channels at 8000 Hz"),
    (riff(fmt(rate_hz=0), chunk(b"data", DATA)), "damaged: its header tells of 1 channels at 0 Hz"),
    (
        riff(fmt(kind=7, bits=8), chunk(b"data", DATA)),
        r"a kind that is not read \(code 7, 8 bits\). Convert it to 16-bit",
    ),
    (riff(fmt(bits=48), chunk(b"data", DATA)), r"a kind that is not read \(code 1, 48 bits\)"),
    (riff(fmt(bits=0), chunk(b"data", DATA)), r"a kind that is not read \(code 1, 0 bits\)"),
    (riff(fmt(frame=3), chunk(b"data", DATA)), "damaged: 1 samples of 16 bits are said to fill 3 bytes"),
    (riff(fmt(), chunk(b"data", DATA, size=12)), "truncated: 6 samples are promised, 5 are there. Copy or record"),
    (riff(fmt(), chunk(b"data", DATA, size=3_000_000_000)), "truncated: 1,500,000,000 samples are promised, 5 are"),
    (riff(fmt(), chunk(b"data", b"")), "holds no samples. Record it again, or remove it"),
    (riff(fmt(), chunk(b"data", b""), chunk(b"LIST", b"more")), "holds no samples"),
    (riff(fmt(), chunk(b"data", b"\1")), "holds no samples"),
]


@pytest.mark.parametrize(("content", "text"), BAD_WAV)
def test_a_wav_file_that_lies_is_refused(tmp_path, content, text):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError, match=text) as caught:
        open_recording(tmp_path / "a.wav")
    assert str(caught.value).startswith(f"{tmp_path / 'a.wav'}: ")


def test_values_that_are_not_finite_are_named_by_their_place_in_the_file(tmp_path):
    x = tones(50)
    x[1, 33] = np.nan
    path = encoded(tmp_path / "a.wav", x, subtype="FLOAT")
    with open_recording(path) as recording:
        assert recording.read(34).shape == (2, 16)
        with pytest.raises(DataError, match=r"a.wav: 1 of 40 values are NaN or infinite .*, the first at \[1, 33\]"):
            recording.read(20, 40)


def test_a_file_that_is_cut_while_it_is_read_is_noticed(tmp_path):
    path = encoded(tmp_path / "a.wav", tones(20_000))
    with open_recording(path) as recording, path.open("r+b") as stream:
        stream.truncate(50_000)
        with pytest.raises(DataError, match=r"a.wav: became shorter while it was read. Read it when it is complete"):
            recording.read()


def test_a_disk_that_fails_is_one_line(tmp_path, monkeypatch):
    with open_recording(encoded(tmp_path / "a.wav", tones(20))) as recording:

        def fail(*_):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(recording._reader, "read", fail)
        with pytest.raises(DataError, match=r"a.wav: cannot be read \(Input/output error\)"):
            recording.read()


# Damage of every kind


def content_of(name, length):
    """The bytes of a small recording of each format."""
    return {
        "wav": lambda path: encoded(path, tones(length)),
        "flac": lambda path: encoded(path, tones(length)),
        "ogg": lambda path: encoded(path, tones(length)),
        "npy": lambda path: np.save(path, tones(length)),
        "npz": lambda path: np.savez(path, tones(length)),
        "csv": lambda path: path.write_text("time_s,a\n" + "".join(f"{i / 8},{i % 7}\n" for i in range(length))),
    }[name]


FORMATS = ("wav", "flac", "ogg", "npy", "npz", "csv")


@pytest.mark.parametrize("suffix", FORMATS[:5])
def test_a_file_that_is_cut_anywhere_is_refused_when_it_is_opened(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    content_of(suffix, 9000)(path)
    data = path.read_bytes()
    cuts = {*np.linspace(0, len(data) - 1, 60).astype(int).tolist(), *range(1, 60), len(data) - 2}
    for cut in cuts:
        path.write_bytes(data[:cut])
        with pytest.raises(DataError, match=f"{path}: ") as caught:
            open_recording(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_are_one_line_or_a_valid_recording(tmp_path, suffix, seed):
    generator = np.random.default_rng(seed)
    path = tmp_path / f"a.{suffix}"
    content_of(suffix, 1500)(path)
    data = bytearray(path.read_bytes())
    reach = len(data) if seed % 2 else min(len(data), 150)  # headers are small, and matter most
    for place in generator.integers(0, reach, 1 + seed // 6):
        data[place] = generator.integers(0, 256)
    path.write_bytes(data)
    try:
        with open_recording(path) as recording:
            x = recording.read(recording.length // 3, recording.length)
            assert x.shape == (recording.channels, recording.length - recording.length // 3)
            assert np.isfinite(x).all()
    except DataError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either outcome is right
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.flac", b"hello, I am a text", "is no FLAC file. Convert it, or give it the suffix"),
        ("a.flac", b"fLaC and a text", r"truncated, damaged or no audio \(.*\). Export it again"),
        ("a.ogg", b"\x89PNG\r\n\x1a\n", "is no OGG file"),
        ("a.ogg", b"OggS and a text", "truncated: it ends within the page at byte 0"),
        ("a.ogg", b"OggS\0\4" + bytes(21), r"truncated, damaged or no audio \(.*\)"),
        ("a.ogg", b"", "the file is empty"),
        ("a.mp3", b"ID3", "files of kind '.mp3' are not read as recordings. Convert it to one of .wav .flac .ogg .csv"),
        ("a", b"x", r"files of kind '\(no suffix\)'"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, name, content, text):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=text):
        open_recording(tmp_path / name)


@pytest.mark.parametrize("suffix", RECORDING_SUFFIXES)
def test_missing_files_and_folders_are_named(tmp_path, suffix):
    with pytest.raises(DataError, match=f"a{suffix}: no such file. Check the path"):
        open_recording(tmp_path / f"a{suffix}")
    (tmp_path / f"a{suffix}").mkdir()
    with pytest.raises(DataError, match="is a folder, not a file"):
        open_recording(tmp_path / f"a{suffix}")
    with pytest.raises(DataError, match="no such file"):
        open_recording(tmp_path / "a.mp3")


def pages(path):
    """Where each page of an OGG file begins, and the file's bytes."""
    data = path.read_bytes()
    places = [0]
    while places[-1] < len(data):
        table = data[places[-1] + 27 : places[-1] + 27 + data[places[-1] + 26]]
        places.append(places[-1] + 27 + len(table) + sum(table))
    return places[:-1], bytearray(data)


def test_an_ogg_file_with_a_hole_or_a_second_stream_is_refused(tmp_path):
    path = encoded(tmp_path / "a.ogg", tones(40_000))
    places, data = pages(path)
    assert len(places) > 4
    for content, text in [
        (data[: places[3]] + data[places[4] :], "damaged: a page is missing before byte"),
        (data[: places[4]], "truncated: its last page is missing. Copy or export it again"),
        (data[: places[3]] + b"xxxx" + data[places[3] + 4 :], "damaged: no page begins at byte"),
        (data + data[: places[1]].replace(data[14:18], b"abcd"), "holds several streams. Separate them"),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=text):
            open_recording(path)


def test_a_page_of_ogg_that_the_decoder_passes_over_is_noticed_at_the_end_and_read_again_after(tmp_path):
    path = encoded(tmp_path / "a.ogg", tones(40_000, 1))
    whole = read_recording(path).x
    places, data = pages(path)
    data[places[3] + 100] ^= 1  # its checksum fails
    path.write_bytes(data)
    with open_recording(path) as recording:
        for _ in range(2):
            with pytest.raises(DataError, match="truncated or damaged: it holds fewer samples than it promises"):
                recording.read()
            np.testing.assert_array_equal(recording.read(0, 1000), whole[:, :1000])


def test_other_codecs_in_ogg_are_refused(tmp_path):
    path = encoded(tmp_path / "a.ogg", tones(4800), 48_000, subtype="OPUS")
    with pytest.raises(DataError, match=r"holds OGG of kind OPUS, which is not read. Convert it to WAV"):
        open_recording(path)


def test_flac_of_unknown_length_is_refused(tmp_path):
    path = encoded(tmp_path / "a.flac", tones(4800))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"does not say how long it is. Convert it to WAV"):
        open_recording(path)


def test_a_compressed_recording_that_would_fill_the_memory_is_read_only_in_parts(tmp_path, monkeypatch):
    path = encoded(tmp_path / "a.flac", np.zeros((1, 200_000), np.float32))
    monkeypatch.setattr("scanwise.sources._files.FREE_BYTES", 10_000)
    with open_recording(path) as recording:
        assert recording.read(100_000, 100_010).shape == (1, 10)
        with pytest.raises(DataError, match="would unpack to 800,000, more than 100 times as many"):
            recording.read()


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros(()), r"a recording must be \(samples,\) or \(channels, samples\); has shape \(\). Reshape it"),
        (np.zeros((2, 3, 4)), r"has shape \(2, 3, 4\)"),
        (np.array(["a"]), "holds <U1, not numbers"),
        (np.zeros(0), "holds no samples"),
        (np.zeros((0, 5)), "holds no samples"),
        (np.zeros(3, complex), "holds complex128, neither real numbers nor strings"),
    ],
)
@pytest.mark.parametrize("save", [np.save, np.savez])
def test_an_array_that_is_no_recording_is_refused(tmp_path, save, array, text):
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, array)
    with pytest.raises(DataError, match=text):
        open_recording(path)


def test_the_first_bytes_tell_an_archive_from_an_array(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    assert read_recording(tmp_path / "a.npy").x.tolist() == [[0.0, 1.0, 2.0]]


def test_a_name_need_not_be_unicode(tmp_path):
    try:
        path = encoded(tmp_path / "a.flac", tones(90)).rename(tmp_path / "\udcff.flac")
    except OSError:
        pytest.skip("names must be Unicode here")
    assert read_recording(path).x.shape == (2, 90)


# Rates


def test_a_recording_of_another_rate_is_refused(tmp_path):
    path = encoded(tmp_path / "a.wav", tones(90), 16_000)
    with pytest.raises(
        DataError, match=r"a.wav: has 16000 Hz where 8000 Hz is needed. Convert it, or allow resampling"
    ):
        read_recording(path, Reading(8000))
    assert read_recording(path, Reading(16_000)).rate_hz == 16_000
    assert read_recording(path, Reading(16_000.001)).rate_hz == 16_000.001
    assert read_recording(path).rate_hz == 16_000
    with pytest.raises(DataError, match=r"has 16000 Hz where 16000\.1 Hz is needed"):
        read_recording(path, Reading(16_000.1))


def test_a_recording_of_another_rate_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = encoded(tmp_path / "a.wav", tones(90), 16_000)
    monkeypatch.setattr("scanwise.sources._recordings.Recording.read", lambda _: pytest.fail("was read"))
    with pytest.raises(DataError, match="has 16000 Hz"):
        read_recording(path, Reading(8000))


def test_a_file_that_states_no_rate_is_taken_to_have_the_one_needed(tmp_path):
    np.save(tmp_path / "a.npy", tones(9))
    signal = read_recording(tmp_path / "a.npy", Reading(360, resample=True))
    assert (signal.x.shape, signal.rate_hz, signal.file_rate_hz) == ((2, 9), 360.0, None)
    assert read_recording(tmp_path / "a.npy").rate_hz is None


@pytest.mark.parametrize(("rate_hz", "needed"), [(16_000, 8000), (8000, 16_000), (44_100, 8000), (360, 250.0)])
def test_resampling_keeps_a_slow_tone(tmp_path, rate_hz, needed):
    time = np.arange(2 * rate_hz) / rate_hz
    pitch = min(rate_hz, needed) / 40
    x = (0.3 + 0.5 * np.sin(2 * np.pi * pitch * time))[None].astype(np.float32)
    path = encoded(tmp_path / "a.wav", x, rate_hz, subtype="FLOAT")
    signal = read_recording(path, Reading(needed, resample=True))
    wanted = 0.3 + 0.5 * np.sin(2 * np.pi * pitch * np.arange(int(2 * needed)) / needed)
    assert signal.x.shape == (1, int(2 * needed))
    assert (signal.x.dtype, signal.rate_hz, signal.file_rate_hz) == (np.float32, needed, rate_hz)
    np.testing.assert_allclose(signal.x[0, 40:-40], wanted[40:-40], atol=2e-3)


@pytest.mark.parametrize("length", [1, 2, 1001])
def test_resampling_keeps_a_level_up_to_the_ends(tmp_path, length):
    path = encoded(tmp_path / "a.wav", np.full((1, length), 0.75, np.float32), 1000, subtype="FLOAT")
    np.testing.assert_allclose(read_recording(path, Reading(800, resample=True)).x, 0.75, atol=1e-5)


def test_resampling_keeps_a_drift_up_to_the_ends(tmp_path):
    path = encoded(tmp_path / "a.wav", np.linspace(0, 1, 1000, dtype=np.float32)[None], 1000, subtype="FLOAT")
    x = read_recording(path, Reading(800, resample=True)).x[0]
    np.testing.assert_allclose(x, np.arange(800) * 1.25 / 999, atol=5e-3)


@pytest.mark.parametrize("needed", [1e9, 1e-3])
def test_rates_that_are_worlds_apart_are_refused(tmp_path, needed):
    path = encoded(tmp_path / "a.wav", tones(90), 44_100)
    with pytest.raises(DataError, match=r"cannot be resampled from 44100 Hz to .* Hz: no ratio of numbers to 10,000"):
        read_recording(path, Reading(needed, resample=True))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rate_hz": 0}, "rate_hz must be above 0; got 0"),
        ({"rate_hz": float("inf")}, "rate_hz must be a finite number"),
        ({"resample": 1}, "resample must be true or false; got 1"),
        ({"columns": "left"}, r"columns must be different names, at least one; got 'left'. Give a tuple of names"),
        ({"columns": ()}, "columns must be different names"),
        ({"columns": ("a", "a")}, "columns must be different names"),
        ({"columns": (1,)}, "columns must be different names"),
        ({"columns": 1}, "columns must be different names"),
    ],
)
def test_a_reading_is_checked(options, text):
    with pytest.raises(ArgumentError, match=text):
        Reading(**options)


def test_equal_readings_are_one():
    assert {Reading(8000, columns=["a"])} == {Reading(8000.0, columns=("a",))}


# Inputs of either kind


def test_an_input_is_a_recording_or_an_image_as_its_axes_say(tmp_path):
    wav = encoded(tmp_path / "a.wav", tones(9))
    (tmp_path / "a.csv").write_text("left,right\n1,2\n")
    np.save(tmp_path / "a.npy", np.ones((2, 9)))
    assert read_input(wav, axes=1).rate_hz == read_input(wav).rate_hz == 8000
    assert read_input(tmp_path / "a.csv", axes=1, reading=Reading(columns=("right",))).x.tolist() == [[2.0]]
    assert read_input(tmp_path / "a.npy", axes=1, reading=Reading(360)).rate_hz == 360
    assert read_input(tmp_path / "a.npy", axes=2, reading=Reading(360)).rate_hz is None
    for path in (wav, tmp_path / "a.csv"):
        with pytest.raises(DataError, match=r"is a recording where an image is needed. Name an image"):
            read_input(path, axes=2)
    with pytest.raises(DataError, match=r"a.png: is an image where a recording is needed. Name a recording"):
        read_input(tmp_path / "a.png", axes=1)


@pytest.mark.realdata
def test_spoken_digits_are_read_as_soundfile_reads_them(realdata: Path):
    for path in sorted(realdata.glob("fsdd/*/*_0.wav")):
        signal = read_recording(path, Reading(8000))
        np.testing.assert_array_equal(signal.x[0], soundfile.read(path, dtype="float32")[0])

"""Recordings: any interval is a slice of the whole, and what is damaged is noticed."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from signals import encoded, tones

from scanwise.errors import ArgumentError, DataError
from scanwise.sources import AUDIO_SUFFIXES, RECORDING_SUFFIXES, open_recording, read_recording
from scanwise.sources._recordings import _openers

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

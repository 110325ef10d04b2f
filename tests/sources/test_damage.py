"""Recordings that are cut, damaged, or none at all."""

from __future__ import annotations

import numpy as np
import pytest
from signals import encoded, tones

from scanwise.errors import DataError
from scanwise.sources import RECORDING_SUFFIXES, open_recording, read_recording


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

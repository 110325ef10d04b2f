"""Tables that name files, and the recordings that one path means."""

from __future__ import annotations

import numpy as np
import pytest

from scanwise.errors import DataError
from scanwise.sources import is_manifest, list_recordings, open_recording, read_manifest


def written(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_are_relative_to_the_manifest_or_absolute(tmp_path):
    elsewhere = tmp_path / "elsewhere.wav"
    path = written(tmp_path / "data/list.csv", f"label,file,note\nyes,a/1.wav,x\n007,{elsewhere},\nNA,../b.wav,\n")
    manifest = read_manifest(path)
    assert manifest.names == ("a/1.wav", str(elsewhere), "../b.wav")
    assert manifest.files == (str(tmp_path / "data/a/1.wav"), str(elsewhere), str(tmp_path / "data/../b.wav"))
    assert manifest.labels == ("yes", "007", "NA")


def test_a_manifest_in_the_working_folder_names_files_that_can_be_opened(tmp_path, monkeypatch):
    written(tmp_path / "list.csv", "file\na.wav\n")
    monkeypatch.chdir(tmp_path)
    assert read_manifest("list.csv").files == ("a.wav",)


def test_labels_are_optional(tmp_path):
    assert read_manifest(written(tmp_path / "a.csv", "file\na.wav\n")).labels is None


@pytest.mark.parametrize("name", ["a\0b.wav", "long" * 1000 + ".wav"])
def test_a_name_that_no_file_can_have_is_one_line(tmp_path, name):
    manifest = read_manifest(written(tmp_path / "a.csv", f"file\n{name}\n"))
    with pytest.raises(DataError, match=r"cannot be opened \(.*\). Check its name"):
        open_recording(manifest.files[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na.wav\n", "lacks the column file; has name"),
        ("file,label\n", "names no files. Add a row a file"),
        ("file\na.wav\nb.wav\n./a.wav\n", r"row 3 names the file of row 1 again, ./a.wav. Remove one"),
        ("file,label\na.wav,\n", "row 1: label must be text; got ''"),
        ("file,label\n,yes\n", "row 1: file must be text; got ''"),
        ("", "the file is empty"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_manifest(written(tmp_path / "a.csv", text))


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.csv", b"file\n", True),
        ("a.CSV", b'\xef\xbb\xbflabel,"file"\r\na,b', True),
        ("a.csv", b"\n \nfile,label\n", True),
        ("a.csv", b"time_s,a\n0,1\n", False),
        ("a.csv", b"files\n", False),
        ("a.csv", b"a\nfile\n", False),
        ("a.csv", b"", False),
        ("a.csv", b"\n\n", False),
        ("a.csv", b"\xff\xfe\0file", False),
        ("a.csv", b"x\rfile\n", False),
        ("a.csv", b'"' * 99_999, False),
        ("a.txt", b"file\n", False),
    ],
)
def test_a_manifest_is_a_csv_whose_first_line_names_a_column_file(tmp_path, name, content, wanted):
    (tmp_path / name).write_bytes(content)
    assert is_manifest(tmp_path / name) is wanted


def test_what_cannot_be_read_is_no_manifest(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    assert not is_manifest(tmp_path / "folder.csv")
    assert not is_manifest(tmp_path / "none.csv")


def test_a_file_stands_for_itself(tmp_path):
    path = written(tmp_path / "a.csv", "left\n1\n")
    assert list_recordings(path) == [("a.csv", str(path))]
    with pytest.raises(DataError, match=r"none\.wav: no such file\. Check the path"):
        list_recordings(tmp_path / "none.wav")
    with pytest.raises(DataError, match=r"File name too long"):
        list_recordings(tmp_path / ("a" * 300))


def test_an_empty_table_beside_a_recording_is_of_labels(tmp_path):
    written(tmp_path / "a.wav", "RIFF")
    for name in ("a.csv", "b.csv"):
        written(tmp_path / name, "")
    written(tmp_path / "b.wav", "")  # empty recordings are for their reader to complain of
    assert [name for name, _ in list_recordings(tmp_path)] == ["a.wav", "b.wav"]


def test_a_manifest_stands_for_its_files_in_its_order(tmp_path):
    path = written(tmp_path / "a.csv", "file\nb.wav\na/c.flac\n")
    assert list_recordings(path) == [
        ("b.wav", str(tmp_path / "b.wav")),
        ("a/c.flac", str(tmp_path / "a/c.flac")),
    ]


def test_a_folder_stands_for_the_recordings_at_any_depth_in_the_order_of_their_names(tmp_path):
    names = ["b.wav", "a/z.FLAC", "a/deep/er/1.ogg", "a/m.npy", "c.csv", "a.npz"]
    for name in [*names, ".hidden.wav", ".git/a.wav", "a/.tmp/a.wav", "notes.txt", "a/image.png"]:
        written(tmp_path / name, "left\n1\n")
    written(tmp_path / "truth.csv", "file,start,end,label\nb.wav,0,9,yes\n")
    found = list_recordings(tmp_path)
    assert [name for name, _ in found] == sorted(names)
    assert [path for _, path in found] == [str(tmp_path / name) for name in sorted(names)]


def test_a_folder_without_recordings_is_refused(tmp_path):
    written(tmp_path / "deep/notes.txt")
    with pytest.raises(
        DataError, match=r"holds no recordings \(.wav .flac .ogg .csv .npy .npz\). Put recordings there"
    ):
        list_recordings(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.ones(3))

    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\). Check its permissions"):
        list_recordings(tmp_path)

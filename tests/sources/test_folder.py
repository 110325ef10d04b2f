"""A folder of images per class; recordings are in test_labelled.py."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from scanwise.errors import ArgumentError, DataError
from scanwise.sources import Clips, Reading, read_clips


def write(root, name, value=0, size=(3, 4), mode="L"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value,) * 3).save(path)
    return path


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    for value, name in enumerate(["b/2.png", "b/10.png", "a/z.PNG", "a/y.bmp"]):
        write(root, name.replace("PNG", "png"), value)
    (root / "a/z.png").rename(root / "a/z.PNG")
    return root


def test_classes_and_images_come_in_the_order_of_their_names(root):
    clips = read_clips(root)
    assert clips.classes == ("a", "b")
    assert clips.names == ("a/y.bmp", "a/z.PNG", "b/10.png", "b/2.png")
    assert clips.y.tolist() == [0, 0, 1, 1]
    assert clips.x.shape == (4, 1, 4, 3)
    np.testing.assert_array_equal(clips.x[:, 0, 0, 0], np.float32([3, 2, 1, 0]) / np.float32(255))
    assert clips.failed == ()
    assert read_clips(root, Reading(8000)).rate_hz is None


def test_images_of_several_sizes_come_as_a_list(root):
    write(root, "a/big.png", size=(9, 9))
    clips = read_clips(root)
    assert [x.shape for x in clips.x][:2] == [(1, 9, 9), (1, 4, 3)]


def test_hidden_files_and_files_that_are_no_images_are_passed_over(root):
    for name in (".DS_Store", "a/.hidden.png", "a/notes.txt", ".git/x.png", "a/deeper/x.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    assert read_clips(root).names == ("a/y.bmp", "a/z.PNG", "b/10.png", "b/2.png")
    assert read_clips(root).failed == ()


def test_bad_images_are_collected_and_the_others_are_read(root):
    (root / "a/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (root / "b/empty.png").write_bytes(b"")
    write(root, "b/colour.png", mode="RGB")
    write(root, "stray.png")
    clips = read_clips(root)
    assert len(clips) == 4
    reasons = dict(clips.failed)
    assert sorted(reasons) == ["a/broken.png", "b/colour.png", "b/empty.png", "stray.png"]
    assert reasons["a/broken.png"].startswith("damaged or truncated image")
    assert reasons["b/empty.png"] == "the file is empty. Write it again or remove it."
    assert reasons["b/colour.png"] == "has 3 channels where most have 1. Convert it."
    assert reasons["stray.png"] == "stands outside the class folders. Move it into one."


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda root: root.mkdir(), "holds no class folders. Put the files of each class into a folder"),
        (lambda root: write(root, "x.png"), "holds no class folders"),
        (
            lambda root: (write(root, "a/x.png"), (root / "b").mkdir()),
            r"b: the class has no files that are read \(.png",
        ),
        (lambda root: write(root, "a/deep/x.png"), "Point to the folder just above the classes"),
        (
            lambda root: (write(root, "a/x.png"), (root / "b").mkdir(), (root / "b/y.png").write_bytes(b"")),
            r"data: no file of the class b can be used \(the first: b/y.png: the file is empty",
        ),
        (
            lambda root: ((root / "b").mkdir(parents=True), (root / "b/y.png").write_bytes(b"")),
            "no file of the class b can be used",
        ),
    ],
)
def test_a_folder_that_holds_no_classes_is_refused(tmp_path, make, text):
    make(tmp_path / "data")
    with pytest.raises(DataError, match=text):
        read_clips(tmp_path / "data")


def test_clips_of_unequal_numbers_are_refused():
    with pytest.raises(ArgumentError, match=r"x, y and names must have one length; got \(2, 1, 2\)"):
        Clips(np.ones((2, 1, 3)), np.zeros(1), None, ("a", "b"))


def test_a_folder_that_cannot_be_read_is_named(root, monkeypatch):
    def iterdir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.iterdir", iterdir)
    with pytest.raises(DataError, match=r"data: cannot be read \(Permission denied\). Check its permissions"):
        read_clips(root)

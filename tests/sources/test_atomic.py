"""Either the old or the new, whatever fails on the way."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from scanwise.errors import DataError, OutputExists
from scanwise.sources import atomic_file, atomic_folder, atomic_write

CALLS = [(os, "fsync"), (Path, "open"), (Path, "rename"), (Path, "replace"), (Path, "mkdir")]


def tree(root):
    """Every file below a folder, hidden ones too, with its contents; folders have None."""
    return {path.relative_to(root).as_posix(): path.read_text() if path.is_file() else None for path in root.rglob("*")}


@pytest.fixture
def failing(monkeypatch):
    """Make the n-th call to the system fail, as a full disk does; count the calls."""

    def arm(nth):
        calls = [0]

        def failing_call(original):
            def call(*args, **options):
                calls[0] += 1
                if calls[0] == nth:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return original(*args, **options)

            return call

        for owner, name in CALLS:
            monkeypatch.setattr(owner, name, failing_call(getattr(owner, name)))
        return calls

    return arm


def write_folder(path, text, **options):
    with atomic_folder(path, **options) as folder:
        (folder / "deep").mkdir()
        (folder / "deep/a.txt").write_text(text)
        (folder / "b.txt").write_text(text)


def test_a_file_is_written_and_replaced(tmp_path):
    atomic_write(tmp_path / "new/a.txt", "one")
    atomic_write(tmp_path / "new/a.txt", b"two")
    assert tree(tmp_path) == {"new": None, "new/a.txt": "two"}


def test_a_folder_is_written_whole(tmp_path):
    write_folder(tmp_path / "runs/out", "x")
    assert tree(tmp_path / "runs") == {"out": None, "out/deep": None, "out/deep/a.txt": "x", "out/b.txt": "x"}


def test_nothing_stands_at_the_place_before_the_end(tmp_path):
    with atomic_folder(tmp_path / "out") as folder:
        assert folder.parent == tmp_path
        assert not (tmp_path / "out").exists()
    with atomic_file(tmp_path / "a") as stream:
        stream.write(b"x")
        assert not (tmp_path / "a").exists()


def test_an_existing_folder_is_kept_unless_overwriting_is_asked_for(tmp_path):
    write_folder(tmp_path / "out", "old")
    before = tree(tmp_path)
    with pytest.raises(OutputExists, match=r"out: exists already. Choose another folder, or allow overwriting"):
        write_folder(tmp_path / "out", "new")
    assert tree(tmp_path) == before
    write_folder(tmp_path / "out", "new", overwrite=True)
    assert tree(tmp_path) == {name: text and "new" for name, text in before.items()}


def test_the_old_folder_stays_until_the_new_one_is_complete(tmp_path):
    write_folder(tmp_path / "out", "old")
    with atomic_folder(tmp_path / "out", overwrite=True) as folder:
        (folder / "b.txt").write_text("new")
        assert (tmp_path / "out/b.txt").read_text() == "old"
    assert tree(tmp_path) == {"out": None, "out/b.txt": "new"}


def test_only_a_folder_with_the_marker_is_replaced(tmp_path):
    write_folder(tmp_path / "home", "precious")
    before = tree(tmp_path)
    with pytest.raises(OutputExists, match=r"exists and holds no model\.json: not replaced"):
        write_folder(tmp_path / "home", "new", overwrite=True, marker="model.json")
    assert tree(tmp_path) == before
    write_folder(tmp_path / "home", "new", overwrite=True, marker="b.txt")
    assert (tmp_path / "home/b.txt").read_text() == "new"
    (tmp_path / "void").mkdir()
    write_folder(tmp_path / "void", "new", overwrite=True, marker="model.json")


def test_a_file_or_a_link_is_never_replaced_by_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("file", "link"):
        with pytest.raises(OutputExists, match="exists and is not a folder"):
            write_folder(tmp_path / name, "new", overwrite=True)


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path):
    def race():
        with atomic_folder(tmp_path / "out"):
            (tmp_path / "out").mkdir()

    with pytest.raises(OutputExists, match="exists already"):
        race()
    assert tree(tmp_path) == {"out": None}


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_and_no_litter(tmp_path, interruption):
    write_folder(tmp_path / "out", "old")
    atomic_write(tmp_path / "file", "old")
    before = tree(tmp_path)

    def interrupted_folder():
        with atomic_folder(tmp_path / "out", overwrite=True) as folder:
            (folder / "b.txt").write_text("new")
            raise interruption

    def interrupted_file():
        with atomic_file(tmp_path / "file") as stream:
            stream.write(b"new")
            raise interruption

    for write in (interrupted_folder, interrupted_file):
        with pytest.raises(interruption):
            write()
        assert tree(tmp_path) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_whichever_call_to_the_system_fails_a_folder_is_old_or_new(tmp_path, monkeypatch, failing, overwrite):
    failures = 0
    for nth in range(1, 60):
        place = tmp_path / str(nth)
        place.mkdir()
        if overwrite:
            write_folder(place / "out", "old")
        before = tree(place)
        with monkeypatch.context():
            calls = failing(nth)
            try:
                write_folder(place / "out", "new", overwrite=overwrite)
            except DataError as error:
                assert "cannot be written (No space left on device)" in str(error)  # noqa: PT017
                failures += 1
            monkeypatch.undo()
        new = {"out": None, "out/deep": None, "out/deep/a.txt": "new", "out/b.txt": "new"}
        if calls[0] < nth:
            assert tree(place) == new
            break
        assert tree(place) in (before, new)
    assert calls[0] < nth
    assert failures >= 10


def test_whichever_call_to_the_system_fails_a_file_is_old_or_new(tmp_path, monkeypatch, failing):
    atomic_write(tmp_path / "a", "old")
    for nth in range(1, 20):
        calls = failing(nth)
        try:
            atomic_write(tmp_path / "a", "new")
        except DataError as error:
            assert "a: cannot be written (No space left on device)" in str(error)  # noqa: PT017
        monkeypatch.undo()
        if calls[0] < nth:
            break
        assert tree(tmp_path) in ({"a": "old"}, {"a": "new"})
        atomic_write(tmp_path / "a", "old")
    assert nth >= 5
    assert tree(tmp_path) == {"a": "new"}


def test_every_byte_is_flushed_before_the_folder_is_renamed(tmp_path, monkeypatch):
    log = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor):
        log.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def noted_rename(self, target):
        log.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    write_folder(tmp_path / "out", "x")
    assert set(log[: log.index("rename")]) > {"a.txt", "b.txt", "deep"}
    assert log[log.index("rename") + 1 :] == [tmp_path.name]

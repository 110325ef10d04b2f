"""A folder of files per class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from scanwise.errors import DataError
from scanwise.sources._clips import Clips
from scanwise.sources._files import problem
from scanwise.sources._images import IMAGE_SUFFIXES, read_image

__all__ = ["read_image_folder"]


def read_image_folder(path: str | os.PathLike[str]) -> Clips:
    """Read a folder of images per class: ``path/<class>/<image>``.

    Classes and images come in the order of their names. Hidden files and files that are no images by their
    suffix are passed over. An image that cannot be read, stands outside a class folder, or has another number
    of channels than most is put into `failed`, and the others are read.

    Raises
    ------
    DataError
        When `path` is no folder, it or a folder in it cannot be read, it has no class folders, or
        a class has no image that can be used.
    """
    try:
        return _read_class_folder(Path(path), read_image, IMAGE_SUFFIXES)
    except OSError as error:
        raise problem(error.filename or path, f"cannot be read ({error.strerror})", "Check its permissions") from error


def _read_class_folder(root: Path, read: Callable[[Path], np.ndarray], suffixes: Sequence[str]) -> Clips:
    if not root.is_dir():
        raise problem(root, "no such folder", "Give a folder that holds one folder of files per class")
    folders = [entry for entry in _visible(root) if entry.is_dir()]
    if not folders:
        raise problem(root, "holds no class folders", "Put the files of each class into a folder of its own")
    failed = [
        (p.name, "stands outside the class folders. Move it into one.")
        for p in _visible(root)
        if _is_one_of(p, suffixes)
    ]
    arrays: list[np.ndarray] = []
    names: list[str] = []
    for folder in folders:
        files = [entry for entry in _visible(folder) if _is_one_of(entry, suffixes)]
        if not files:
            deeper = any(entry.is_dir() for entry in _visible(folder))
            remedy = "Point to the folder just above the classes" if deeper else "Fill or remove it"
            raise problem(folder, f"the class has no files that are read ({' '.join(suffixes)})", remedy)
        for file in files:
            name = file.relative_to(root).as_posix()
            try:
                arrays.append(read(file))
                names.append(name)
            except DataError as error:
                failed.append((name, str(error).removeprefix(f"{file}: ")))
    return _same_channels(root, [folder.name for folder in folders], arrays, names, failed)


def _same_channels(
    root: Path, classes: list[str], arrays: list[np.ndarray], names: list[str], failed: list[tuple[str, str]]
) -> Clips:
    """Keep the clips that have as many channels as most; sort the others into `failed`."""
    usual = Counter(array.shape[0] for array in arrays).most_common(1)[0][0] if arrays else 0
    kept: list[np.ndarray] = []
    kept_names: list[str] = []
    for array, name in zip(arrays, names, strict=True):
        if array.shape[0] == usual:
            kept.append(array)
            kept_names.append(name)
        else:
            failed.append((name, f"has {array.shape[0]} channels where most have {usual}. Convert it."))
    labels = [classes.index(name.split("/")[0]) for name in kept_names]
    for missing in sorted(set(range(len(classes))) - set(labels)):
        first = next(f"{name}: {why}" for name, why in failed if name.startswith(f"{classes[missing]}/"))
        raise problem(
            root / classes[missing],
            f"no file of the class can be used (the first: {first.rstrip('.')})",
            "Replace them",
        )
    one_size = len({array.shape for array in kept}) == 1
    x = np.stack(kept) if one_size else kept
    return Clips(x, np.array(labels, dtype=np.int64), tuple(classes), tuple(kept_names), tuple(sorted(failed)))


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _is_one_of(path: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix.lower() in suffixes and path.is_file()

"""Clips from files that have a class each: a folder per class, or a manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from scanwise.errors import DataError
from scanwise.sources._clips import Clips
from scanwise.sources._files import problem
from scanwise.sources._images import IMAGE_SUFFIXES, read_image
from scanwise.sources._listing import kind_of
from scanwise.sources._manifest import read_manifest
from scanwise.sources._recordings import RECORDING_SUFFIXES
from scanwise.sources._signals import Reading, Signal, at_rate, read_recording

__all__ = ["read_class_folder", "read_labelled_manifest"]

_READERS: Mapping[str, Callable[[str, Reading], Signal]] = {
    "image": lambda path, _: Signal(read_image(path)),
    "recording": read_recording,
}
_Number = TypeVar("_Number", int, float)
_PER_CLASS = "Give a folder that holds one folder of files per class"


@dataclass(frozen=True)
class _Example:
    name: str
    path: str
    label: str
    kind: str | None


def read_class_folder(path: str | os.PathLike[str], reading: Reading) -> Clips:
    """Read a folder of images or recordings per class: ``path/<class>/<file>``.

    Classes and files come in the order of their names. Hidden files, and files that are neither by their
    suffix, are passed over; those that stand outside the class folders are put into `failed`.
    """
    root = Path(path)
    try:
        if not root.is_dir():
            raise problem(root, "no such folder", _PER_CLASS)
        folders = [entry for entry in _visible(root) if entry.is_dir()]
        if not folders:
            remedy = "Put the files of each class into a folder of its own, or give labels (--labels)"
            raise problem(root, "holds no class folders", remedy)
        examples = [example for folder in folders for example in _in_class(folder)]
        kinds = {example.kind for example in examples}
        strays = [entry.name for entry in _visible(root) if entry.is_file() and kind_of(entry) in kinds]
    except OSError as error:
        raise problem(error.filename or path, f"cannot be read ({error.strerror})", "Check its permissions") from error
    failed = [(name, "stands outside the class folders. Move it into one.") for name in strays]
    return _clips(root, [folder.name for folder in folders], examples, failed, reading)


def _in_class(folder: Path) -> list[_Example]:
    entries = _visible(folder)
    kinds = [(file, kind_of(file)) for file in entries if file.is_file()]
    examples = [
        _Example(f"{folder.name}/{file.name}", str(file), folder.name, kind) for file, kind in kinds if kind is not None
    ]
    if not examples:
        deeper = any(entry.is_dir() for entry in entries)
        remedy = "Point to the folder just above the classes" if deeper else "Fill or remove it"
        suffixes = " ".join(IMAGE_SUFFIXES + RECORDING_SUFFIXES)
        raise problem(folder, f"the class has no files that are read ({suffixes})", remedy)
    return examples


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def read_labelled_manifest(path: str | os.PathLike[str], reading: Reading) -> Clips:
    """Read the images or recordings of a manifest, in its order; the classes come in the order of their names."""
    manifest = read_manifest(path)
    if manifest.labels is None:
        raise problem(path, "has no column label", "Add one with the class of each file")
    rows = zip(manifest.names, manifest.files, manifest.labels, strict=True)
    examples = [_Example(name, file, label, kind_of(file)) for name, file, label in rows]
    return _clips(Path(path), sorted(set(manifest.labels)), examples, [], reading)


def _clips(
    source: Path, classes: Sequence[str], examples: Sequence[_Example], failed: list[tuple[str, str]], reading: Reading
) -> Clips:
    """Read the examples; what fails, or differs from most in rate or channels, goes to `failed`."""
    kinds = {example.kind: example.name for example in reversed(examples) if example.kind is not None}
    if len(kinds) > 1:
        what = f"holds both images and recordings ({kinds['image']}, {kinds['recording']})"
        raise problem(source, what, "Give each kind a place of its own")
    read = _each(examples, lambda example: _read(example, reading), failed)
    rates = [signal.rate_hz for signal in read.values() if signal.rate_hz is not None]
    needed = replace(reading, rate_hz=reading.rate_hz or _most_common(rates))
    channels = _most_common([len(signal.x) for signal in read.values()])
    kept = _each(read, lambda example: _fitted(example, read[example], needed, channels), failed)
    _check_classes(source, classes, examples, {example.label for example in kept}, dict(failed))
    arrays = [signal.x for signal in kept.values()]
    return Clips(
        x=np.stack(arrays) if len({array.shape for array in arrays}) == 1 else arrays,
        y=np.array([classes.index(example.label) for example in kept], dtype=np.int64),
        classes=tuple(classes),
        names=tuple(example.name for example in kept),
        failed=tuple(sorted(failed)),
        rate_hz=needed.rate_hz if "recording" in kinds else None,
    )


def _each(
    examples: Iterable[_Example], step: Callable[[_Example], Signal], failed: list[tuple[str, str]]
) -> dict[_Example, Signal]:
    """What a step gives for each example; an error puts the example into `failed`."""
    done = {}
    for example in examples:
        try:
            done[example] = step(example)
        except DataError as error:
            failed.append((example.name, str(error).removeprefix(f"{example.path}: ")))
    return done


def _read(example: _Example, reading: Reading) -> Signal:
    reader = _READERS.get(example.kind or "")
    if reader is None:
        what = f"files of kind {Path(example.path).suffix or '(no suffix)'!r} are not read"
        raise problem(example.path, what, "Convert it")
    return reader(example.path, reading)


def _fitted(example: _Example, signal: Signal, reading: Reading, channels: int | None) -> Signal:
    if len(signal.x) != channels:
        raise problem(example.path, f"has {len(signal.x)} channels where most have {channels}", "Convert it")
    return at_rate(signal, reading, example.path)


def _most_common(values: Sequence[_Number]) -> _Number | None:
    return Counter(values).most_common(1)[0][0] if values else None


def _check_classes(
    source: Path, classes: Sequence[str], examples: Sequence[_Example], found: set[str], reasons: Mapping[str, str]
) -> None:
    for label in classes:
        if label not in found:
            name = next(example.name for example in examples if example.label == label)
            what = f"no file of the class {label} can be used (the first: {name}: {reasons[name].rstrip('.')})"
            raise problem(source, what, "Replace them")

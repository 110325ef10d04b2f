"""What people say is where in recordings: tables, files and folders of labels."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from scanwise.errors import ArgumentError, DataError, InputFailed
from scanwise.events import parse_labels
from scanwise.sources import RECORDING_SUFFIXES, is_folder, is_manifest, read_text

__all__ = ["Labels", "failed", "labels_of"]

Labels: TypeAlias = "str | os.PathLike[str] | pd.DataFrame"
"""A table of events, a file of them, or a folder with a file for each recording."""

_UNREVIEWED = "has no labels. If there is nothing in it, give it an empty file of labels."

_ENDING = re.compile(r"(\.Table\.[^/]+\.selections\.txt|\.(txt|tsv|csv))$", re.IGNORECASE)
"""What a file of labels in a folder has behind its recording's name."""


def labels_of(
    labels: Labels, names: tuple[str, ...], *, label_column: str | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The labels of the recordings `names`, as `scanwise.events.parse_labels` gives them.

    Parameters
    ----------
    labels
        A table; or a file of one (`parse_labels`), which is reviewed for all of them; or a folder with a file for each
        recording, such as ``night1.txt`` or ``night1.Table.1.selections.txt`` for ``night1.wav``.
    names
        Of the recordings. Rows of others are an `InputFailed` warning.
    label_column
        As `parse_labels` takes it.

    Returns
    -------
    table : DataFrame
        The labels.
    refused : dict
        Recordings of which nobody knows what is in them, each with the reason: without a file in a folder, or with one
        that cannot be read; or called by a name in the table that is that of others, too.

    Raises
    ------
    ArgumentError
        If `labels` are of another kind.
    DataError
        If the table or the one file cannot be read, or a folder has no file for any recording.
    """
    if isinstance(labels, pd.DataFrame):
        table, refused = labels, dict[str, str]()
    elif not isinstance(labels, str | os.PathLike):
        raise ArgumentError(f"labels must be a table, a file or a folder; got {type(labels).__name__}. Give such.")
    elif is_folder(labels):
        table, refused = _of_folder(Path(labels), names, label_column)
    else:
        table, refused = _parsed(Path(labels), names[0] if len(names) == 1 else None, label_column), {}
    if not {"file", "label"} <= set(table.columns):
        raise DataError(f"labels must have the columns file and label; got {', '.join(map(str, table.columns))}.")
    if table[["file", "label"]].isna().any(axis=None):
        raise DataError("labels must have a file and a label in every row; got none in some. Fill them in.")
    table = table.assign(file=table["file"].astype(str), label=table["label"].astype(str))
    known, shared = _by_file_name(names)
    meant = _meant(set(table["file"]), names, known, shared)
    files = table["file"].map(lambda file: meant.get(file, file))
    table = table.assign(file=files)
    strangers = sorted(set(files) - set(names))
    for stranger in strangers:
        reason = f"may be meant by {stranger} in the labels, and so may others. Name its folder."
        refused |= dict.fromkeys(shared.get(Path(stranger).name, []), reason)
    if unknown := [stranger for stranger in strangers if Path(stranger).name not in shared]:
        one = "is named in the labels, but there is no such recording"
        all_ = f"and {len(unknown) - 1:,} others are named in the labels, but there are no such recordings"
        failed(f"{unknown[0]}: {one if len(unknown) == 1 else all_}.")
    return table, refused


def _by_file_name(names: Sequence[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The only recording that has a file name in whatever folder; and those that share one."""
    called: dict[str, list[str]] = {}
    for name in names:
        called.setdefault(Path(name).name, []).append(name)
    return (
        {file: found[0] for file, found in called.items() if len(found) == 1},
        {file: found for file, found in called.items() if len(found) > 1},
    )


def _meant(
    files: set[str], names: Sequence[str], known: Mapping[str, str], shared: dict[str, list[str]]
) -> dict[str, str]:
    """The recordings that are meant by files of other folders: those of that file name, if only one is called so.

    A recording that several may mean joins `shared`; one that is named as it is is meant by no other.
    """
    callers: dict[str, list[str]] = {}
    for file in sorted(files - set(names)):
        if (name := known.get(Path(file).name)) is not None and name not in files:
            callers.setdefault(name, []).append(file)
    shared |= {Path(name).name: [name] for name, others in callers.items() if len(others) > 1}
    return {others[0]: name for name, others in callers.items() if len(others) == 1}


def _of_folder(folder: Path, names: Sequence[str], label_column: str | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """The labels of a folder's files, and the recordings without, as `labels_of` gives them."""
    files = _label_files(folder)
    called = Counter(Path(_stem(name)).name for name in names)
    tables, refused = [], {}
    for name in names:
        stem = _stem(name)
        if stem not in files and called[Path(stem).name] == 1:
            stem = Path(stem).name
        mine = [file for file in files.get(stem, []) if file != folder / name or _is_labels(file)]
        try:
            if len(mine) > 1:
                raise DataError(f"{mine[0]}: must be the only file; {mine[1].name} is another. Move one.")
            tables += [_of_recording(file, name, label_column) for file in mine]
        except DataError as error:
            refused[name] = f"labels, {error}"
        if not mine:
            refused[name] = _UNREVIEWED
    if not tables and set(refused.values()) == {_UNREVIEWED}:
        raise DataError(f"{folder}: holds no file of labels for any recording, such as {_stem(names[0])}.txt.")
    filled = [table for table in tables if len(table)]
    return pd.concat(filled) if filled else parse_labels(""), refused


def _of_recording(file: Path, name: str, label_column: str | None) -> pd.DataFrame:
    """The labels of one recording's file; it must not be of another one."""
    table = _parsed(file, name, label_column)
    strangers = {Path(other).name for other in table["file"]} - {Path(name).name}
    if strangers:
        raise DataError(f"{file}: must be of {name}; it labels {sorted(strangers)[0]}. Rename one of them.")
    return table


def _is_labels(file: Path) -> bool:
    """Whether a table called as a recording is of labels, not the recording itself."""
    return is_manifest(file) or not file.stat().st_size


def _label_files(folder: Path) -> dict[str, list[Path]]:
    """The files of labels in a folder and its folders, by the name of their recording without its suffix."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        stem, labels = _ENDING.subn("", file.relative_to(folder).as_posix())
        if labels and file.is_file():
            found.setdefault(stem, []).append(file)
    return found


def _stem(name: str) -> str:
    path = Path(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in RECORDING_SUFFIXES else name


def _parsed(path: Path, file: str | None, label_column: str | None) -> pd.DataFrame:
    try:
        return parse_labels(read_text(path), label_column=label_column, file=file)
    except ArgumentError as error:
        remedy = "Give a folder with a file of labels for each recording."
        raise DataError(f"{path}: names no recordings, and there are several. {remedy}") from error
    except DataError as error:
        message = str(error)
        raise DataError(message if message.startswith(f"{path}: ") else f"{path}: {message}") from error


def failed(message: str) -> None:
    """Warn of a recording that cannot be used."""
    warnings.warn(message, InputFailed, stacklevel=4)

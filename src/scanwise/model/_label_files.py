"""Found events as files that programs for annotation open."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from scanwise._checks import choice
from scanwise.errors import ArgumentError, DataError
from scanwise.events import format_audacity, format_raven
from scanwise.model._search import Searched

__all__ = ["label_writer"]

_ENDINGS = {"audacity": ".txt", "raven": ".Table.1.selections.txt"}


def label_writer(program: str, *, axes: int) -> Callable[[Path, Searched], str]:
    """What writes the events of one recording for a program into a scan folder, and tells the file's name.

    Raises
    ------
    ArgumentError
        If the program is unknown, or there are two axes.
    """
    ending = _ENDINGS[choice("labels", program, tuple(_ENDINGS))]
    if axes != 1:
        raise ArgumentError(f"labels must be left out for images; got {program}. They are for recordings.")

    def write(folder: Path, result: Searched) -> str:
        rate = result.rate_hz
        if rate is None:
            raise DataError(f"{result.file}: must have a known rate to write labels; got none. Leave --labels out.")
        length = result.length / rate
        table = result.events.assign(
            start_s=result.events["start_s"].clip(lower=0.0), end_s=result.events["end_s"].clip(upper=length)
        )
        text = format_audacity(table) if program == "audacity" else format_raven(table, high_hz=rate / 2)
        path = _free(folder / "labels", Path(result.file).stem, ending)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path.relative_to(folder).as_posix()

    return write


def _free(folder: Path, stem: str, ending: str) -> Path:
    """A path that is not taken: recordings of different folders may share a name."""
    names = (f"{stem}{ending}" if number == 1 else f"{stem}_{number}{ending}" for number in count(1))
    return next(folder / name for name in names if not (folder / name).exists())

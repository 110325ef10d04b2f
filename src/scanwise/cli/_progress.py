"""Progress on stderr: a bar with a rate and the time that remains, or a line now and then where no terminal watches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scanwise.cli._lines import complaint, one_line

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Bar", "progress_bar"]

_SECONDS = 5.0  # between two lines


class Bar:
    """One bar; lines can be printed above it."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress, self._what, self._started = progress, what, time.monotonic()
        self._said = self._started
        self._task = progress.add_task(what, total=None, note="")

    def advance(self, number: int, total: int, note: str) -> None:
        """Say that `number` of `total` are done."""
        self._progress.update(self._task, completed=number, total=total, note=note)
        now = time.monotonic()
        if self._progress.disable and (number in (1, total) or now - self._said > _SECONDS):
            left = (now - self._started) / number * (total - number)
            self._print(one_line(f"{self._what} {number}/{total} {note} ({left:.0f} s left)"))
            self._said = now

    def complain(self, line: str) -> None:
        """Print one line of complaint."""
        self._print(complaint(line))

    def _print(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(what: str) -> Iterator[Bar]:
    """Count up while a block runs."""
    # Here, not above: rich takes longer to import than --help may take.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.2g}/s")

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        Remaining(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bar(progress, what)

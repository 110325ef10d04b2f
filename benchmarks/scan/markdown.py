"""The figures of `python -m benchmarks scan --json` as they stand in docs/performance.md.

Run::

    python -m benchmarks.scan.markdown scan.json [more.json]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .peers import CONTENDERS
from .results import rows_of
from .table import ASKED_HEADS, asked_rows
from .workloads import WORKLOADS


def lines_of(measured: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of three tables: times over ours, shares of the peak, and what is asked."""
    names = [one["workload"] for one in measured]
    rows = {(one["workload"], row.name): row for one in measured for row in rows_of(one)}
    ours = {name: rows[name, "scanwise"] for name in names}

    def ratios(contender: str) -> Iterator[str]:
        for name in names:
            row = rows.get((name, contender))
            yield f"{row.seconds / ours[name].seconds:.2f}" + "!" * (row.kept == 0) if row else "-"

    def shares(contender: str) -> Iterator[str]:
        for name in names:
            row = rows.get((name, contender))
            yield f"{row.share:.0%}" + "!" * (row.kept == 0) if row else "-"

    yield from _table(["times ours", *names], ([contender, *ratios(contender)] for contender in CONTENDERS))
    yield ""
    yield from _table(["of the peak", *names], ([contender, *shares(contender)] for contender in CONTENDERS))
    yield ""
    yield from _table(ASKED_HEADS, asked_rows(measured))
    yield ""
    fastest = []
    for one in measured:
        others = [row for row in rows_of(one) if not row.name.startswith("scanwise")]
        fastest.append([one["workload"], others[0].name, others[0].form] if others else [one["workload"], "-", "-"])
    yield from _table(["", "fastest of the others", "its form"], fastest)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def main() -> None:
    """Print the tables of the files that are named; of a workload that several have, the last one's."""
    runs = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    found = {one["workload"]: one for run in runs for one in run["workloads"]}
    sys.stdout.write("\n".join(lines_of([found[name] for name in WORKLOADS if name in found])) + "\n")


if __name__ == "__main__":
    main()

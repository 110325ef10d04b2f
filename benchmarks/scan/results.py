"""From samples to rows of the table, and to what was asked."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from .referee import SAGGED, TOLERANCE
from .workloads import ASKED, Asked


@dataclass(frozen=True)
class Row:
    """A contender on a workload, medians of the samples that nothing disturbed."""

    name: str
    form: str
    seconds: float
    gflops: float
    share: float
    peak: float
    copy: float
    error: float
    kept: int
    taken: int
    on: float


def row_of(measured: dict[str, Any], contender: dict[str, Any]) -> Row | None:
    """Return a contender's row; None if it was left out.

    Where every sample was disturbed all of them count, and ``kept`` is 0.
    """
    if not contender["best"] or not contender["samples"]:
        return None
    floor = SAGGED * measured["best peak"]
    kept = [sample for sample in contender["samples"] if min(sample["peaks"]) >= floor]
    samples = kept or contender["samples"]
    work = 2e-9 * measured["macs per output"] * measured["outputs"]
    seconds = statistics.median(sample["seconds"] for sample in samples)
    return Row(
        name=contender["name"],
        form=contender["best"]["form"],
        seconds=seconds,
        gflops=work / seconds,
        share=statistics.median(work / s["seconds"] / statistics.mean(s["peaks"]) for s in samples),
        peak=statistics.median(statistics.mean(s["peaks"]) for s in samples),
        copy=statistics.median(statistics.mean(s["copies"]) for s in samples),
        error=contender["best"]["error"],
        kept=len(kept),
        taken=len(contender["samples"]),
        on=contender["best"]["share"],
    )


def rows_of(measured: dict[str, Any]) -> list[Row]:
    """Return the rows of a workload: ours first, then by speed."""
    rows = [row for contender in measured["contenders"] if (row := row_of(measured, contender))]
    return sorted(rows, key=lambda row: (row.name != "scanwise", -row.gflops))


@dataclass(frozen=True)
class Verdict:
    """What was asked of a workload and what was reached; ``reached`` is None where it was not measured.

    ``at_peak`` is what a ratio would be if ours ran at the very peak.
    """

    asked: Asked
    reached: float | None
    at_peak: float | None
    best_peer: str
    disturbed: bool

    @property
    def passed(self) -> bool | None:
        """Whether it is enough."""
        return None if self.reached is None else self.reached >= self.asked.least


def verdicts_of(measured: dict[str, Any]) -> list[Verdict]:
    """Return what was asked of a workload, in order."""
    rows = {row.name: row for row in rows_of(measured)}
    ours, found = rows.get("scanwise"), []
    for asked in ASKED:
        if asked.workload != measured["workload"]:
            continue
        peers = [row for name, row in rows.items() if name in asked.peers]
        best = min(peers, key=lambda row: row.seconds, default=None)
        reached = None
        if ours and not asked.peers:
            reached = ours.share
        elif ours and best:
            reached = best.seconds / ours.seconds / (measured["reuse factor"] if asked.reuse else 1.0)
        at_peak = reached / ours.share if ours and best and reached else None
        disturbed = any(row.kept == 0 for row in (ours, best) if row)
        found.append(Verdict(asked, reached, at_peak, best.name if best else "", disturbed))
    return found


def disagreements(measured: dict[str, Any]) -> list[str]:
    """Return, in words, each form that should compute our scores and does not."""
    allowed = TOLERANCE[measured["dtype"] == "float64"]
    return [
        f"{measured['workload']}: {contender['name']}, {form['form']}: largest error {form['error']:.1e} of the "
        f"largest score; at most {allowed:.0e} is allowed"
        for contender in measured["contenders"]
        for form in contender["forms"]
        if form["same"] and "error" in form and not form["error"] <= allowed
    ]

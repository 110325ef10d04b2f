"""What a reader sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from .results import disagreements, rows_of, verdicts_of


def show(console: Console, measured: dict[str, Any]) -> None:
    """Print one workload: who took how long, who was left out and why, and what tilers get wrong."""
    console.print(_speeds(measured))
    for contender in measured["contenders"]:
        if contender["left out"]:
            console.print(f"  {contender['name']} is left out: {contender['left out']}", markup=False)
        failed = [form for form in contender["forms"] if "failed" in form]
        if failed:
            text = f"{failed[0]['form']}: {failed[0]['failed']}"
            console.print(f"  {contender['name']}: {len(failed)} forms failed; {text}", markup=False)
        for form in contender["forms"]:
            if not form["same"] and "error" in form:
                text = (
                    f"largest error {form['error']:.2g} of the largest score, {form['wrong']:.1%} of scores off by 1e-4"
                )
                console.print(f"  {contender['name']}, {form['form']}, is not the scan: {text}", markup=False)
    for text in disagreements(measured):
        console.print(f"  DIFFERS: {text}", style="bold red", markup=False)
    console.print()


def _speeds(measured: dict[str, Any]) -> Table:
    size, hop = "x".join(f"{n:,}" for n in measured["size"]), measured["hop"]
    title = f"{measured['workload']}: {measured['text']}; {size} samples, {measured['dtype']}" + f", hop {hop}" * (
        hop > 1
    )
    table = Table(title=title, title_justify="left", title_style="bold")
    for head in ("", "fastest correct form"):
        table.add_column(head, overflow="fold")
    for head in ("ms", "GFLOP/s", "of peak", "times ours", "error", "peak", "copy, GB/s", "samples"):
        table.add_column(head, justify="right", no_wrap=True)
    rows = rows_of(measured)
    ours = next((row for row in rows if row.name == "scanwise"), None)
    for row in rows:
        form = row.form if row.on > 0.99 else f"{row.form} (extrapolated from {row.on:.1%} of the input)"
        table.add_row(
            row.name,
            form,
            f"{1e3 * row.seconds:,.1f}",
            f"{row.gflops:.1f}",
            f"{row.share:.1%}",
            f"{row.seconds / ours.seconds:.2f}" if ours else "-",
            f"{row.error:.0e}",
            f"{row.peak:.0f}",
            f"{row.copy:.0f}",
            f"{row.kept} of {row.taken}" + " DISTURBED" * (row.kept == 0),
            style="bold" if row is ours else "",
        )
    return table


def show_forms(console: Console, measured: dict[str, Any]) -> None:
    """Print all forms that were tried."""
    table = Table("", "form", title=f"{measured['workload']}: all forms, tried once", title_justify="left")
    for head in ("GFLOP/s", "error", "on"):
        table.add_column(head, justify="right")
    work = 2e-9 * measured["macs per output"] * measured["outputs"]
    for contender in measured["contenders"]:
        for form in contender["forms"]:
            if "seconds" in form:
                figures = f"{work / form['seconds']:.1f}", f"{form['error']:.0e}", f"{form['share']:.0%}"
                table.add_row(contender["name"], form["form"], *figures)
    console.print(table)
    console.print()


ASKED_HEADS = ("workload", "against", "fastest of them", "asked", "reached", "at the peak", "")


def show_asked(console: Console, measured: list[dict[str, Any]]) -> None:
    """Print what is asked of the workloads, what was reached, and what it would be if ours ran at the peak."""
    table = Table(title="Asked and reached", title_justify="left", title_style="bold")
    for i, head in enumerate(ASKED_HEADS):
        table.add_column(head, justify="left" if i < 3 else "right")
    for row in asked_rows(measured):
        table.add_row(*row)
    if table.row_count:
        console.print(table)


def asked_rows(measured: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each line of what is asked."""
    for one in measured:
        for verdict in verdicts_of(one):
            unit = "{:.0%}" if not verdict.asked.peers else "{:.2f}x"
            reached = "not measured" if verdict.reached is None else unit.format(verdict.reached)
            at_peak = "" if verdict.at_peak is None else unit.format(verdict.at_peak)
            word = {True: "pass", False: "FAIL", None: "-"}[verdict.passed]
            word += ", disturbed" * (verdict.disturbed and verdict.reached is not None)
            least = unit.format(verdict.asked.least)
            yield verdict.asked.workload, verdict.asked.text, verdict.best_peer, least, reached, at_peak, word

"""A comparison with round numbers, to be told and drawn."""

from __future__ import annotations

from dataclasses import replace

from scanwise.audit import Comparison, Crossing, Measured
from scanwise.geometry import ledger


def made_comparison(**changes: object) -> Comparison:
    """Signals of 16 samples; half the clips are held out. The unshared are worse, `dense` was not trained."""
    arguments = (16, 2, (4, 6, 2), (2, 4))
    account = ledger(*arguments, bias=True)
    twice = ledger(32, *arguments[1:], bias=True)
    rows = []
    for row in account.rows:
        counted = Measured(
            row.name, row.what, row.shared, row.distributed, "values" if row.name == "dense" else "map", row.weights,
            twice[row.name].weights, row.macs,
        )  # fmt: skip
        if row.name != "dense":
            counted = replace(
                counted,
                peak_bytes=row.weights * 2**14,
                seconds=2.0 if row.shared else 5.0,
                train_accuracy=0.95 if row.shared else 1.0,
                held_out_accuracy=0.9 if row.shared else 0.75,
                shifted_accuracies=(0.85, 0.75) if row.shared else (0.5, 0.25),
                deviation=0.0 if row.name == "scanning" else 2e-7 if row.shared else 0.875,
            )
        rows.append(counted)
    made = Comparison(
        rows=tuple(rows),
        account=account,
        crossings=tuple(Crossing(n, 100 + 2 * n, 92 + 4 * n) for n in (2, 4, 6)),
        channels=2,
        space=(16,),
        unit="samples",
        kernels=((2,), (4,)),
        strides=((2,), (1,)),
        classes=("fall", "rise"),
        train_count=2000,
        held_out_count=96,
        shifts=(1, 4),
        epochs=3,
        batch=64,
        lr=0.003,
        seed=0,
        max_parameters=500,
    )
    return replace(made, **changes)  # type: ignore[arg-type]

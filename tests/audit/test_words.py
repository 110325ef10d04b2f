"""What a comparison says about its numbers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from comparisons import made_comparison

from scanwise.audit import Comparison, Crossing
from scanwise.geometry import ledger


def cells(found: Comparison, label: str) -> list[str]:
    (line,) = [line for line in str(found).splitlines() if re.split(r"\s{2,}", line.strip())[0] == label]
    return re.split(r"\s{2,}", line.strip())[1:]


def said(found: Comparison, word: str) -> str:
    (sentence,) = [sentence for sentence in found.conclusions if sentence.startswith(word)]
    return sentence


def test_the_head_says_what_was_compared() -> None:
    assert str(made_comparison()).splitlines()[:3] == [
        "2,000 clips to learn from, 96 held out, 2 classes; 3 epochs in batches of 64, AdamW 0.003, seed 0",
        "input 2 x 16 (channels x samples); window 8, hop 2, 5 positions",
        "widths 4-6-2; where the window is distributed, kernels 2, 4 and strides 2, 1",
    ]


def test_the_table_has_a_line_per_measure_and_a_dash_for_what_was_not_trained() -> None:
    found = made_comparison()
    assert cells(found, "weights shared") == ["no", "no", "no", "yes", "yes"]
    assert cells(found, "window distributed") == ["no", "no", "yes", "no", "yes"]
    assert cells(found, "output") == ["values", "map", "map", "map", "map"]
    assert cells(found, "parameters") == [f"{row.parameters:,}" for row in found.rows]
    assert cells(found, "on twice the extent") == [f"{row.parameters_at_twice:,}" for row in found.rows]
    assert cells(found, "multiply-accumulates") == [f"{row.macs:,}" for row in found.rows]
    assert cells(found, "peak memory, MiB")[3] == f"{found['scanning'].parameters / 64:.2f}"
    assert cells(found, "training, seconds") == ["-", "5.0", "5.0", "2.0", "2.0"]
    assert cells(found, "of convolutional's") == ["-", "x 2.5", "x 2.5", "x 1.0", "x 1.0"]
    assert cells(found, "accuracy in training") == ["-", "100.0%", "100.0%", "95.0%", "95.0%"]
    assert cells(found, "accuracy held out") == ["-", "75.0%", "75.0%", "90.0%", "90.0%"]
    assert cells(found, "gap (overfitting)") == ["-", "25.0%", "25.0%", "5.0%", "5.0%"]
    assert cells(found, "accuracy when moved") == ["-", "37.5%", "37.5%", "80.0%", "80.0%"]
    assert cells(found, "by 1 sample") == ["-", "50.0%", "50.0%", "85.0%", "85.0%"]
    assert cells(found, "by 4 samples") == ["-", "25.0%", "25.0%", "75.0%", "75.0%"]
    assert cells(found, "deviation at a hop") == ["-", "0.88", "0.88", "0", "2e-07"]


def test_the_columns_stand_under_each_other() -> None:
    table = str(made_comparison()).split("\n\n")[1].splitlines()
    assert len({len(line) for line in table}) == 1


def test_conclusions_follow_the_numbers() -> None:
    found = made_comparison()
    scanning, independent = found["scanning"], found["independent"]
    assert said(found, "Sharing").startswith(
        f"Sharing: {scanning.parameters} parameters do in scanning what {independent.parameters} do in independent "
        f"({independent.parameters / scanning.parameters:.1f} times as many) and "
    )
    assert said(found, "Overfitting") == (
        "Overfitting: from training to held-out clips accuracy falls by 5.0 points with shared weights, by 25.0 points "
        "without."
    )
    assert said(found, "Moved") == "Moved clips: right are 80.0 % with shared weights, 37.5 % without."
    assert said(found, "Equivariance").endswith(
        "by 0 to 2e-07 of its size with shared weights, by 0.88 of its size without."
    )
    assert said(found, "Not trained") == (
        f"Not trained, as above max_parameters = 500: dense ({found['dense'].parameters:,} parameters)."
    )


def test_where_nothing_unshared_was_trained_nothing_is_said_of_it() -> None:
    found = made_comparison()
    bare = [replace(row, held_out_accuracy=None, shifted_accuracies=None, deviation=None) for row in found.rows[:3]]
    assert said(replace(found, rows=(*bare, *found.rows[3:])), "Moved") == (
        "Moved clips: right are 80.0 % with shared weights."
    )


@pytest.mark.parametrize(("n2", "verdict"), [(2, "saves 48"), (4, "saves none"), (6, "costs 48")])
def test_distributing_is_judged_by_n2_against_k0_d(n2: int, verdict: str) -> None:
    # (K1 - 1) * N1 * (K0 * D - N2) = 3 * 4 * (4 - N2), and the other layers are the same
    account = ledger(16, 2, (4, n2, 2), (2, 4), bias=True)
    verdict = verdict.replace("48", str(abs(12 * (4 - n2))))
    assert said(made_comparison(account=account), "Distributing") == (
        f"Distributing saves parameters when N2 is below K0*D = 4. Here N2 = {n2}: convolutional {verdict} against "
        "scanning. Counted: N2 = 2 saves 4, N2 = 4 saves none, N2 = 6 costs 4."
    )


def test_with_strides_that_do_not_tile_the_window_the_limit_is_another() -> None:
    account = ledger(16, 2, (4, 6, 2), (2, 4), (1, 1), bias=True)
    assert account.crossover is not None
    text = said(made_comparison(account=account), "Distributing")
    assert f"below {float(account.crossover):.4g}, by these kernels. Here N2 = 6" in text


def test_the_sureness_is_that_of_the_least_certain_accuracy() -> None:
    # 75 % of 96: (72 + 2) / 100 right, 1.96 * sqrt(0.74 * 0.26 / 100)
    assert "of 96 held-out clips an accuracy is sure to about 8.6 points (95 %)" in said(made_comparison(), "Chance")


def test_a_crossing_tells_what_distributing_saves() -> None:
    assert Crossing(3, 10, 14).saving == -4


def test_the_frame_has_a_row_per_architecture() -> None:
    found = made_comparison()
    table = found.table().set_index("name")
    assert list(table.index) == [row.name for row in found.rows]
    assert table.loc["scanning", "parameters"] == found["scanning"].parameters
    assert table.loc["local", ["shifted_1", "shifted_4", "shifted_accuracy", "gap"]].tolist() == [
        0.5,
        0.25,
        0.375,
        0.25,
    ]
    missing = table.loc["dense", ["seconds", "held_out_accuracy", "gap", "shifted_1", "deviation"]]
    assert missing.isna().all()
    assert "shifted_accuracies" not in table


def test_rows_are_found_by_name() -> None:
    found = made_comparison()
    assert found["local"] is found.rows[2]
    with pytest.raises(KeyError, match="sparse"):
        found["sparse"]

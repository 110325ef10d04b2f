"""The picture and the files of a comparison; looking at them is left to people."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from comparisons import made_comparison
from matplotlib.axes import Axes
from PIL import Image

from scanwise.errors import DataError
from scanwise.report import COMPARISON_MARKER, comparison_picture, png, write_comparison

PANELS = ("parameters", "macs", "memory", "time", "accuracy", "deviation", "shifts", "widths")


def panels(**changes: object) -> dict[str, Axes]:
    return dict(zip(PANELS, comparison_picture(made_comparison(**changes)).axes, strict=True))


def texts(axes: Axes) -> list[str]:
    return [text.get_text().strip() for text in axes.texts]


def test_each_architecture_has_its_bars_and_its_number() -> None:
    found, drawn = made_comparison(), panels()
    assert [label.get_text() for label in drawn["parameters"].get_yticklabels()] == [
        f"{row.name}\n({row.output})" for row in found.rows
    ]
    ends = [bar.get_x() + bar.get_width() for bar in drawn["parameters"].patches]
    expected = [end for row in found.rows for end in (row.parameters, row.parameters_at_twice)]
    assert ends == pytest.approx(expected)
    assert [text.split()[-1] for text in texts(drawn["time"])] == ["trained", "5.0", "5.0", "2.0", "2.0"]
    assert len(drawn["macs"].patches) == 5
    assert len(drawn["memory"].patches) == 4


@pytest.mark.parametrize("panel", ["memory", "time", "accuracy", "deviation"])
def test_what_was_not_trained_says_so(panel: str) -> None:
    assert texts(panels()[panel])[0] == "not trained"


def test_an_exact_map_is_called_exact_and_stands_at_the_end_of_the_axis() -> None:
    assert texts(panels()["deviation"]) == ["not trained", "0.88", "0.88", "exact", "2e-07"]


def test_curves_begin_with_clips_in_their_place() -> None:
    lines = {line.get_label(): line for line in panels()["shifts"].lines}
    assert list(lines) == ["independent", "local", "scanning", "convolutional"]
    assert lines["local"].get_xydata().tolist() == [[0, 0.75], [1, 0.5], [4, 0.25]]


def test_the_two_shared_architectures_cross_where_distributing_begins_to_cost() -> None:
    lines = {line.get_label(): line for line in panels()["widths"].lines}
    assert lines["scanning"].get_xydata().tolist() == [[2, 104], [4, 108], [6, 112]]
    assert list(lines)[2:] == ["equal: N2 = 4", "here: N2 = 6"]
    assert list(lines["equal: N2 = 4"].get_xdata()) == [4, 4]


def test_without_a_second_layer_there_is_no_crossing_to_draw() -> None:
    drawn = panels(crossings=())["widths"]
    assert not drawn.lines
    assert not drawn.axison


def test_colours_and_markers_tell_all_apart() -> None:
    lines = panels()["shifts"].lines
    assert len({line.get_color() for line in lines}) == len({line.get_marker() for line in lines}) == 4


def test_nothing_is_written_over_anything_else() -> None:
    rows = made_comparison().rows
    trained = (replace(rows[1], name="dense", output="values"), *rows[1:])
    figure = comparison_picture(made_comparison(rows=trained))
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    figure.draw(renderer)
    for axes in figure.axes:
        frame = axes.get_window_extent(renderer)
        boxes = [text.get_window_extent(renderer) for text in (*axes.texts, axes.title) if text.get_text()]
        assert all(frame.x0 - 20 <= box.x0 and box.x1 <= frame.x1 + 20 for box in boxes)
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_picture_is_neither_empty_nor_dark() -> None:
    pixels = np.asarray(Image.open(io.BytesIO(png(comparison_picture(made_comparison()), dpi=40))).convert("L"))
    assert 150 < pixels.mean() < 254


def test_a_folder_gets_the_table_the_text_and_the_picture(tmp_path: Path) -> None:
    found = made_comparison()
    write_comparison(found, tmp_path)
    table = pd.read_csv(tmp_path / COMPARISON_MARKER)
    assert table["name"].tolist() == [row.name for row in found.rows]
    assert table["parameters"].tolist() == [row.parameters for row in found.rows]
    assert table["held_out_accuracy"].isna().tolist() == [True, False, False, False, False]
    assert (tmp_path / "comparison.txt").read_text(encoding="utf-8") == f"{found}\n"
    with Image.open(tmp_path / "comparison.png") as picture:
        assert picture.size[0] > 1000


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"comparison.csv: cannot be written"):
        write_comparison(made_comparison(), tmp_path / "file")

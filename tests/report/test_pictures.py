"""Pictures show what they should; looking at them is left to people."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Rectangle
from PIL import Image

from scanwise.errors import ArgumentError
from scanwise.events import Event, events_table, match
from scanwise.report import canvas_picture, confusion_picture, png, training_picture


def table_of(*events):
    return events_table([Event((y, x), (y + 8, x + 8), label, 0.5) for y, x, label in events], "f", axes=2)


@pytest.fixture
def scene():
    """One right, one false alarm, two missed."""
    truth = table_of((4, 6, "a"), (20, 30, "b"), (30, 4, "c"))
    found = table_of((5, 6, "a"), (20, 30, "d"))
    return {"found": found, "truth": truth, "result": match(found, truth, tolerance=4)}


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(png(figure, dpi=50))).convert("RGB"))


def test_right_wrong_and_missed_differ_in_shape_line_and_colour(scene):
    axes = canvas_picture(np.zeros((1, 40, 50)), **scene).axes[0]
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    ellipses = [patch for patch in axes.patches if isinstance(patch, Ellipse)]
    assert [(box.get_xy(), box.get_linestyle()) for box in boxes] == [((6, 5), "solid"), ((30, 20), "dashed")]
    assert [(ellipse.center, ellipse.get_linestyle()) for ellipse in ellipses] == [
        ((34, 24), "dotted"),
        ((8, 34), "dotted"),
    ]
    assert len({patch.get_edgecolor() for patch in axes.patches}) == 3
    assert [text.get_text() for text in axes.texts] == ["a", "d 0.50", "b?", "c?"]


def test_without_a_truth_all_boxes_are_plain(scene):
    axes = canvas_picture(np.zeros((3, 40, 50)), scene["found"]).axes[0]
    assert [patch.get_linestyle() for patch in axes.patches] == ["solid", "solid"]
    assert [text.get_text() for text in axes.texts] == ["a", "d"]


def test_a_score_is_drawn_where_the_centre_of_its_window_is(scene):
    figure = canvas_picture(np.zeros((1, 40, 50)), heat=np.zeros((9, 11)), window=(8, 8), hop=(4, 4), **scene)
    (drawn,) = figure.axes[1].images
    # Position 0 is centred at sample 4, position 10 at 44; each cell is one hop wide.
    assert drawn.get_extent() == [2, 46, 38, 2]
    marks = {line.get_marker(): line.get_xydata().tolist() for line in figure.axes[1].lines}
    assert marks == {"s": [[10, 9]], "X": [[34, 24]], "o": [[34, 24], [8, 34]]}


def test_pictures_are_drawn_also_where_nothing_is(scene):
    nothing = {"found": scene["found"][:0], "truth": scene["truth"][:0]}
    result = match(nothing["found"], nothing["truth"], tolerance=1)
    picture = pixels(canvas_picture(np.zeros((1, 40, 50)), result=result, **nothing))
    assert len(np.unique(picture)) > 2


def test_names_are_no_formulas():
    strange = table_of((4, 6, "$x^"))
    pixels(canvas_picture(np.zeros((1, 40, 50)), strange, title="a $ b $ \\frac"))
    pixels(confusion_picture(np.eye(2), ["$a_", "$b^$$"]))


def test_a_picture_leaves_nothing_open():
    import matplotlib.pyplot as plt  # only here: to see that nobody else uses it

    pixels(confusion_picture(np.eye(2), ["a", "b"]))
    assert plt.get_fignums() == []


def test_a_confusion_matrix_is_shaded_by_shares_and_shows_counts():
    axes = confusion_picture(np.array([[3, 1], [0, 8]]), ["a", "b"]).axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert [text.get_text() for text in axes.texts] == ["3", "1", "8"]
    assert axes.get_title() == "91.67% of 12 right"
    assert not confusion_picture(np.eye(31), [str(i) for i in range(31)]).axes[0].texts


def test_many_classes_are_named_as_far_as_there_is_room():
    axes = confusion_picture(np.eye(150), [f"class {i}" for i in range(150)]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["class 0", "class 3"]


@pytest.mark.parametrize("validated", [True, False])
def test_curves_show_every_epoch_and_the_one_that_was_kept(validated):
    extra = {"val_loss": 0.5, "metric": 0.9} if validated else {"val_loss": None, "metric": None}
    rows = [{"epoch": i, "loss": 1 / (i + 1), "seconds": 1.0} | extra for i in range(5)]
    figure = training_picture(rows, best=3, metric_name="accuracy")
    assert len(figure.axes) == (2 if validated else 1)
    curves = [line for line in figure.axes[0].lines if isinstance(line, Line2D)]
    assert curves[0].get_xydata().tolist() == [[i + 1, 1 / (i + 1)] for i in range(5)]
    assert [line.get_xdata()[0] for line in curves if "kept" in line.get_label()] == [4]
    pixels(figure)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"image": np.zeros((2, 40, 50))},
            r"image must be \(1 or 3 channels, height, width\); got \(2, 40, 50\)",
        ),
        ({"result": None}, "truth and result must be given together"),
        ({"heat": np.zeros((2, 2))}, "window and hop must be given with heat"),
    ],
)
def test_wrong_arguments_are_named(scene, change, text):
    with pytest.raises(ArgumentError, match=text):
        canvas_picture(**({"image": np.zeros((1, 40, 50))} | scene | change))

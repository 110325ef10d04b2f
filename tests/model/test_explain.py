"""What a model is and how far it looks, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from signals import RATE_HZ, TINY, clip

import scanwise as sw
from scanwise import features, nn
from scanwise.model import ModelInfo
from scanwise.model._explain import context_table


def described(model: str, window: int, rate_hz: float | None = RATE_HZ, **arguments: Any) -> ModelInfo:
    """A model of signals that was never trained."""
    front = features.build("logmel", channels=1, rate_hz=rate_hz) if rate_hz == RATE_HZ else features.Raw(1)
    net = nn.build(model, window_shape=(front.outputs, front.frames(window)), outputs=2, **arguments)
    return ModelInfo(
        **nn.describe(net), task="classify", channels=1, window=(window,), features=features.describe(front), hop=(1,),
        classes=("a", "b"), background=(), background_labelled=False, mean=(0.0,) * front.outputs,
        std=(1.0,) * front.outputs, thresholds=(0.5, 0.5), verification=None, sample_rate_hz=rate_hz,
        columns=None, seed=0, versions={},
    )  # fmt: skip


def table(info: ModelInfo) -> list[list[str]]:
    """The table's cells; columns are two spaces or more apart."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in context_table(info).splitlines()]


def test_a_time_delay_network_is_explained_layer_by_layer() -> None:
    """Frames of 256 samples, one every 80, at 8 kHz.

    The second layer reads frames -1 and 2 of the first, which reads -2 to 2. So it sees 3 frames to the left and 4 to
    the right: 3 * 80 = 240 samples before the first of its own frame, and 4 * 80 + 256 = 576 from there on.
    """
    contexts = ((-2, -1, 0, 1, 2), (-1, 2), (-3, 3), (-7, 2))
    info = described("tdnn", 256 + 22 * 80, contexts=contexts, channels=4)
    assert table(info) == [
        ["context, counted from the first sample of a unit's frame"],
        ["left", "right"],
        ["layer 1, reads -2 ... 2", "2 frames = 160 samples (20 ms)", "2 frames = 416 samples (52 ms)"],
        ["layer 2, reads -1, 2", "3 frames = 240 samples (30 ms)", "4 frames = 576 samples (72 ms)"],
        ["layer 3, reads -3, 3", "6 frames = 480 samples (60 ms)", "7 frames = 816 samples (102 ms)"],
        ["layer 4, reads -7, 2", "13 frames = 1040 samples (130 ms)", "9 frames = 976 samples (122 ms)"],
    ]


def test_pooled_frames_together_see_the_whole_window() -> None:
    """18 frames, of which a unit of the layer sees 5: the first of the 14 pooled ones stands 2 from the left."""
    info = described("tdnn", 1616, contexts=((-2, 0, 2),), channels=4)
    assert table(info)[-1] == [
        "all frames of the last layer, pooled", "2 frames = 160 samples (20 ms)", "15 frames = 1456 samples (182 ms)",
    ]  # fmt: skip


def test_of_usual_contexts_the_last_layer_sees_the_whole_window() -> None:
    info = described("tdnn", 1616, channels=4)
    _, left, right = table(info)[-1]
    frames = [int(cell.split()[0]) for cell in (left, right)]
    samples = [int(cell.split("= ")[1].split()[0]) for cell in (left, right)]
    assert sum(frames) + 1 == 18
    assert sum(samples) == 1616


@pytest.mark.parametrize("name", ["convnet", "mlp"])
def test_another_network_is_explained_as_a_whole(name: str) -> None:
    """18 frames: 8 before the one in the middle, 9 after it; 8 * 80 = 640 and 9 * 80 + 256 = 976 are 1616 samples."""
    assert table(described(name, 1616)) == [
        ["context, counted from the first sample of the frame in the middle"],
        ["left", "right"],
        ["whole window", "8 frames = 640 samples (80 ms)", "9 frames = 976 samples (122 ms)"],
    ]


def test_raw_samples_are_frames_of_one() -> None:
    assert table(described("mlp", 30, rate_hz=100))[-1] == [
        "whole window", "14 frames = 14 samples (140 ms)", "15 frames = 16 samples (160 ms)",
    ]  # fmt: skip
    assert table(described("mlp", 30, rate_hz=None))[-1] == [
        "whole window", "14 frames = 14 samples", "15 frames = 16 samples",
    ]  # fmt: skip


def test_images_have_no_context_in_time(model: sw.Model) -> None:
    assert context_table(model.info) == ""
    assert "context" not in model.explain()


def test_explain_names_features_rate_hop_and_context_before_the_layers() -> None:
    rng = np.random.default_rng(0)
    clips = [clip(label, rng) for label in ("up", "down") * 4]
    data = sw.sources.Clips(clips, np.arange(8) % 2, ("up", "down"), tuple("abcdefgh"), rate_hz=RATE_HZ)
    model = sw.train(data, window=0.15, epochs=1, **TINY)
    text = model.explain(hop=0.02)
    assert "window         1216 samples (152 ms), channels 1" in text
    assert (
        "features       logmel: 13 frames of 40 values in a window, a frame spans 256 samples (32 ms), "
        "one every 80 samples (10 ms)"
    ) in text
    assert "hop            160 samples (20 ms)" in text
    assert "rate           8000 Hz" in text
    order = [text.index(word) for word in ("features", "whole window", "reuse factor")]
    assert order == sorted(order)
    assert model.explain(hop=160) == text
    assert model.explain(hop=80) != text

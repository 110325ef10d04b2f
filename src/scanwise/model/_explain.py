"""What a model is and what it sees, in words."""

from __future__ import annotations

from itertools import pairwise

from scanwise.features import Front
from scanwise.model._info import ModelInfo
from scanwise.nn import cumulative_contexts

__all__ = ["context_table"]


def context_table(info: ModelInfo) -> str:
    """How far the network looks to the left and to the right, in frames, samples and milliseconds; "" for images.

    A time-delay network layer by layer, around the frame that a unit stands for; another network as a whole, around the
    middle of its window.
    """
    front = info.front()
    if front is None:
        return ""
    frames = front.frames(info.window[0])
    if info.architecture == "tdnn":
        contexts = info.arguments["contexts"]
        rows = [
            (f"layer {number}, reads {_offsets(offsets)}", *context)
            for number, (offsets, context) in enumerate(
                zip(contexts, cumulative_contexts(contexts), strict=True), start=1
            )
        ]
        left, right = rows[-1][1:]
        if left + 1 + right < frames:
            rows.append(("all frames of the last layer, pooled", left, frames - 1 - left))
        title = "context, counted from the first sample of a unit's frame"
    else:
        rows = [("whole window", (frames - 1) // 2, frames - 1 - (frames - 1) // 2)]
        title = "context, counted from the first sample of the frame in the middle"
    cells = [("", "left", "right"), *((name, *_words(left, right, front, info)) for name, left, right in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([title, *lines])


def _words(left: int, right: int, front: Front, info: ModelInfo) -> tuple[str, str]:
    """Frames to the left and to the right of a frame, with what they span."""
    before, after = left * front.step_samples, right * front.step_samples + front.frame_samples
    return tuple(  # type: ignore[return-value]
        f"{frames} frames = {info.extent((samples,))}" for frames, samples in ((left, before), (right, after))
    )


def _offsets(offsets: list[int]) -> str:
    """A few offsets as they are, many in a row as a range."""
    steps = {b - a for a, b in pairwise(offsets)}
    if len(offsets) > 3 and steps == {1}:
        return f"{offsets[0]} ... {offsets[-1]}"
    return ", ".join(map(str, offsets))

"""Fixed front ends: from a signal to what a network looks at, frame by frame.

A `Front` maps signals ``(batch, channels, samples)`` to feature maps ``(batch, outputs, frames)``. It has nothing to
train, and scans exactly: what it computes at a frame depends on that frame's samples alone. `LogMel` is for sound,
`Raw` leaves the signal as it is. `describe` and `from_description` turn a front into JSON and back.
"""

from __future__ import annotations

from scanwise.features._front import Front, Raw
from scanwise.features._logmel import LogMel
from scanwise.features._registry import build, default, describe, from_description, names

__all__ = ["Front", "LogMel", "Raw", "build", "default", "describe", "from_description", "names"]

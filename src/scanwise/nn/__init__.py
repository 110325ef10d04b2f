"""Networks that see one window: the families, their parts, and the closed registry.

A `WindowNet` maps a batch of windows ``(batch, channels, *window)`` to outputs ``(batch, outputs)``, in two
steps that can be called apart: an embedding, and a head on top of it. `mlp` and `convnet` build them for 1-D
and 2-D windows alike, `tdnn` for windows of frames. None pads inside the window, so what they compute at one
window is what a scan computes everywhere. `describe` and `from_description` turn a network's shape (not its
weights) into JSON and back.
"""

from __future__ import annotations

from scanwise.nn._activations import activations, make_activation
from scanwise.nn._contexts import cumulative_contexts
from scanwise.nn._convnet import convnet
from scanwise.nn._local import LocallyConnected1d, LocallyConnected2d
from scanwise.nn._local_kernel import locally_connected
from scanwise.nn._mlp import mlp
from scanwise.nn._registry import build, describe, families, from_description
from scanwise.nn._tdnn import tdnn
from scanwise.nn._time_delay import TimeDelay
from scanwise.nn._window_net import WindowNet

__all__ = [
    "LocallyConnected1d",
    "LocallyConnected2d",
    "TimeDelay",
    "WindowNet",
    "activations",
    "build",
    "convnet",
    "cumulative_contexts",
    "describe",
    "families",
    "from_description",
    "locally_connected",
    "make_activation",
    "mlp",
    "tdnn",
]

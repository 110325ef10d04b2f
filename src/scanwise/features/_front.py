"""The contract of every front end, and the one that does nothing."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, final

from torch import Tensor, nn

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.geometry import positions


class Front(nn.Module):
    """What stands before a network and is not trained: signals to feature maps, frame by frame.

    Frame ``i`` is computed from samples ``[i * step_samples, i * step_samples + frame_samples)`` and nothing else:
    frames are neither centred nor padded, and nothing is normalised by file or window, so that a front and the network
    behind it scan exactly.

    Not to be built: `LogMel` and `Raw` are.

    Parameters
    ----------
    arguments : mapping
        What the front was called with, defaults resolved, in JSON's types. It has at least ``channels``.
    outputs : int
        Channels of the feature map.
    step_samples, frame_samples : int
        Distance and extent of the frames in samples.

    Attributes
    ----------
    name : str
        The front's name in the registry.
    channels : int
        Channels of the signal.
    """

    name: ClassVar[str]

    def __init__(self, arguments: Mapping[str, Any], *, outputs: int, step_samples: int, frame_samples: int) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = copy.deepcopy(dict(arguments))
        self.channels: int = self.arguments["channels"]
        self.outputs = outputs
        self.step_samples = step_samples
        self.frame_samples = frame_samples

    def frames(self, samples: int) -> int:
        """Return the number of whole frames in `samples` samples."""
        return positions(whole("samples", samples, least=0), self.frame_samples, self.step_samples)

    def samples(self, frames: int) -> int:
        """Return the number of samples that `frames` frames span."""
        return self.frame_samples + (whole("frames", frames) - 1) * self.step_samples

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return the feature maps ``(batch, outputs, frames)`` of signals ``(batch, channels, samples)``."""

    def _checked(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[1] != self.channels or x.shape[2] < self.frame_samples:
            raise ArgumentError(
                f"x must have the shape (batch, {self.channels}, samples) with at least {self.frame_samples} samples; "
                f"got {tuple(x.shape)}. Give whole frames of as many channels as the front was built for."
            )
        return x


@final
class Raw(Front):
    """The signal itself: every sample is a frame.

    Parameters
    ----------
    channels : int
        Channels of the signal.

    Raises
    ------
    ArgumentError
        If `channels` is not a whole number of at least 1.

    Examples
    --------
    >>> front = Raw(channels=2)
    >>> front.outputs, front.frames(400), front.samples(400)
    (2, 400, 400)
    """

    name = "raw"

    def __init__(self, channels: int) -> None:
        channels = whole("channels", channels)
        super().__init__({"channels": channels}, outputs=channels, step_samples=1, frame_samples=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, signals ``(batch, channels, samples)``.

        Raises
        ------
        ArgumentError
            If `x` has another shape.
        """
        return self._checked(x)

"""Published architectures in plain torch, small, with random weights: networks of other people to scan.

Nothing here knows of Scanwise. `CASES` are to be equalled by a scan, those with `ends` through the exact
fallback; `REFUSED` cannot be scanned; `RESNET50` is the published size, for the time a capture takes.
"""

from __future__ import annotations

from .case import Case
from .ending import ENDING
from .heads import HEADS
from .images import IMAGES
from .refused import REFUSED
from .residual import RESIDUAL, RESNET50
from .signals import SIGNALS

__all__ = ["CASES", "REFUSED", "RESNET50", "Case"]

CASES = [*IMAGES, *RESIDUAL, *SIGNALS, *HEADS, *ENDING]

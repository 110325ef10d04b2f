"""Training on windows: objectives, optimisers, batches, the loop, and windows of background.

Everything random is drawn from the seed, the epoch and the batch's number alone, so a run can be repeated
and entered in the middle. Nothing here prints; a callback hears about every epoch.
"""

from __future__ import annotations

from scanwise.training._augment import Augmentation, chain, clutter, shift
from scanwise.training._background import background_windows
from scanwise.training._batches import Batches
from scanwise.training._fit import fit
from scanwise.training._history import History
from scanwise.training._metrics import confusion, predict
from scanwise.training._objectives import Objective, losses, objective, tasks
from scanwise.training._optimisers import default_rate, optimisers
from scanwise.training._split import split

__all__ = [
    "Augmentation",
    "Batches",
    "History",
    "Objective",
    "background_windows",
    "chain",
    "clutter",
    "confusion",
    "default_rate",
    "fit",
    "losses",
    "objective",
    "optimisers",
    "predict",
    "shift",
    "split",
    "tasks",
]

"""Training on windows: objectives, optimisers, batches, the loop, and windows of background.

Everything random is drawn from the seed, the epoch and the batch's number alone, so a run can be repeated
and entered in the middle. Nothing here prints; a callback hears about every epoch.
"""

from __future__ import annotations

from scanwise.training._augment import Augmentation, chain, clutter, shift
from scanwise.training._background import background_windows
from scanwise.training._batches import Batches
from scanwise.training._cuts import Cuts
from scanwise.training._embedding_losses import compares_batch, embedding_loss, embedding_losses
from scanwise.training._fit import fit
from scanwise.training._history import History
from scanwise.training._marked import Marked, marked_cuts
from scanwise.training._metrics import confusion, predict
from scanwise.training._mosaic import Mosaic, centre_of_energy, mosaic
from scanwise.training._objectives import Objective, losses, objective, tasks
from scanwise.training._optimisers import default_rate, optimisers
from scanwise.training._sound import gain, noise, tilt
from scanwise.training._split import split
from scanwise.training._stretches import split_recordings
from scanwise.training._warp import warp
from scanwise.training._whiten import whiten_head

__all__ = [
    "Augmentation",
    "Batches",
    "Cuts",
    "History",
    "Marked",
    "Mosaic",
    "Objective",
    "background_windows",
    "centre_of_energy",
    "chain",
    "clutter",
    "compares_batch",
    "confusion",
    "default_rate",
    "embedding_loss",
    "embedding_losses",
    "fit",
    "gain",
    "losses",
    "marked_cuts",
    "mosaic",
    "noise",
    "objective",
    "optimisers",
    "predict",
    "shift",
    "split",
    "split_recordings",
    "tasks",
    "tilt",
    "warp",
    "whiten_head",
]

"""The last step of learning to verify: directions in which samples of one identity differ count for less."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from scanwise.nn import WindowNet
from scanwise.training._cuts import Cuts
from scanwise.training._loop import Stored
from scanwise.training._metrics import predict
from scanwise.training._seeds import WHITENING, generator
from scanwise.verify import some_identities, within_class_whitening

_MOST_MEASURED = 20_000
"""Windows that the covariance is taken from."""

_BATCH = 256


def whiten_head(
    net: WindowNet,
    x: np.ndarray | Cuts,
    y: np.ndarray,
    *,
    front: nn.Module | None = None,
    seed: int = 0,
) -> None:
    """Multiply a head's outputs by `scanwise.verify.within_class_whitening` of what it answers for windows.

    The map becomes a part of the head's weights: the network is as large as before.

    Parameters
    ----------
    net : WindowNet
        Trained to verify; its head is a linear layer, and is changed in place.
    x, y, front, seed
        As in `fit`. Windows as they are measured by: what augmentation adds to them would count as well.

    Raises
    ------
    ArgumentError
        If no identity has two windows, or an embedding is zero.
    """
    source = x if isinstance(x, Cuts) else Stored(torch.as_tensor(x))
    rows = torch.from_numpy(some_identities(y, _MOST_MEASURED))
    weight, bias = net.head.get_parameter("weight"), net.head.get_parameter("bias")
    outputs = []
    for index, some in enumerate(torch.split(rows, _BATCH)):
        windows = source.draw(some, generator(seed, WHITENING, index)).to(weight.dtype)
        outputs.append(predict(net, windows, front=front))
    found = torch.from_numpy(within_class_whitening(torch.cat(outputs).numpy(), y[rows.numpy()])).to(weight.device)
    with torch.no_grad():
        weight.copy_(found @ weight.double())
        bias.copy_(found @ bias.double())

"""The contract of every network that scans."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, final

from torch import Tensor, nn

from scanwise.errors import ArgumentError


@final
class WindowNet(nn.Module):
    """A network that answers for one window: an embedding, and a head on top of it.

    ``net(x) == net.head(net.embedding(x))``. Neither part looks beyond the window or at its neighbours in
    the batch (in evaluation mode), which is all that scanning asks for. The outputs are raw: logits for
    classification, values for regression; softmax belongs to whoever scans.

    Not to be subclassed: a family is a function that returns one, such as `mlp` and `convnet`.

    Parameters
    ----------
    embedding : torch.nn.Module
        Maps ``(batch, channels, *window)`` to ``(batch, features)``.
    head : torch.nn.Module
        Maps ``(batch, features)`` to ``(batch, outputs)``. It can be exchanged or left out, for instance
        when two embeddings are compared.
    architecture : str
        The family's name in the registry.
    arguments : mapping
        What the family was called with, defaults resolved, in JSON's types. It has at least
        ``window_shape`` and ``outputs``.
    stride : sequence of int, optional
        Positions per axis by which the window has to move until all units of the last layer see what their neighbours
        saw: the product of all strides. By default 1.

    Attributes
    ----------
    window_shape : tuple of int
        ``(channels, *window)``, the extent of the window in samples or pixels.
    outputs : int
        Number of outputs per window.
    stride : tuple of int
        See above.

    Examples
    --------
    >>> import torch
    >>> from scanwise.nn import mlp
    >>> net = mlp((1, 8), outputs=3, hidden=(16,))
    >>> x = torch.zeros(5, 1, 8)
    >>> net.embedding(x).shape, net(x).shape
    (torch.Size([5, 16]), torch.Size([5, 3]))
    """

    def __init__(
        self,
        embedding: nn.Module,
        head: nn.Module,
        *,
        architecture: str,
        arguments: Mapping[str, Any],
        stride: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.head = head
        self.architecture = architecture
        self.arguments: dict[str, Any] = copy.deepcopy(dict(arguments))
        self.window_shape: tuple[int, ...] = tuple(self.arguments["window_shape"])
        self.outputs: int = self.arguments["outputs"]
        self.stride: tuple[int, ...] = (1,) * (len(self.window_shape) - 1) if stride is None else tuple(stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of a batch of windows.

        Parameters
        ----------
        x : torch.Tensor
            ``(batch, channels, *window)``.

        Returns
        -------
        torch.Tensor
            ``(batch, outputs)``.

        Raises
        ------
        ArgumentError
            If `x` is not a batch of windows of this network's shape.
        """
        if tuple(x.shape[1:]) != self.window_shape:
            raise ArgumentError(
                f"x must have the shape (batch, {', '.join(map(str, self.window_shape))}); "
                f"got {tuple(x.shape)}. To answer for every window of a larger input, use Scanner."
            )
        out: Tensor = self.head(self.embedding(x))
        return out

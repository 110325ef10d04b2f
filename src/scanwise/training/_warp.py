"""Augmentation of images: turned, stretched, slanted and bent a little."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from scanwise._checks import real
from scanwise.errors import ArgumentError
from scanwise.training._augment import Augmentation

_KNOTS = 5  # per axis, of the bending; between them it is smooth


def warp(
    *, degrees: float = 12.0, scale: float = 0.15, shear: float = 0.2, shift: float = 0.03, bend: float = 0.017
) -> Augmentation:
    """Return the augmentation that draws another affine map and another bending for each image.

    What comes in at the sides continues the edge. Everything is drawn evenly up to the bounds, the bending normally
    (Simard et al. 2003 bend digits so).

    Parameters
    ----------
    degrees
        By which images are turned, to either side.
    scale
        By whose exponential each axis is stretched or shrunk.
    shear
        Tangent of the slant.
    shift
        Share of the extent by which they are moved.
    bend
        Deviation of the bending, as a share of the extent; 0 for none.

    Examples
    --------
    >>> warp()(torch.zeros(2, 1, 8, 8), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 8, 8])
    """
    bounds = {"degrees": degrees, "scale": scale, "shear": shear, "shift": shift, "bend": bend}
    for name, value in bounds.items():
        real(name, value, least=0)

    def apply(x: Tensor, generator: torch.Generator) -> Tensor:
        if x.ndim != 4:
            raise ArgumentError(
                f"x must be images (batch, channels, height, width); got {tuple(x.shape)}. Leave it out."
            )

        def evenly(most: float, *shape: int) -> Tensor:
            return most * (2 * torch.rand(len(x), *shape, generator=generator, dtype=x.dtype) - 1)

        turn = evenly(math.radians(degrees))
        stretch = evenly(scale, 2).exp()
        cos, sin = turn.cos(), turn.sin()
        aspect = x.shape[-2] / x.shape[-1]  # the grid is from -1 to 1 along either axis
        across = torch.stack([cos * stretch[:, 0], aspect * (evenly(shear) - sin * stretch[:, 1])], dim=1)
        along = torch.stack([sin * stretch[:, 0] / aspect, cos * stretch[:, 1]], dim=1)
        affine = torch.cat([torch.stack([across, along], dim=1), evenly(2 * shift, 2, 1)], dim=2)
        grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
        if bend:
            knots = torch.randn(len(x), 2, _KNOTS, _KNOTS, generator=generator, dtype=x.dtype) * 2 * bend
            bending = functional.interpolate(knots, size=x.shape[2:], mode="bicubic", align_corners=True)
            grid = grid + bending.permute(0, 2, 3, 1)
        return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)

    return apply

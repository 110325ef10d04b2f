"""Images turned, stretched, slanted and bent, told from what becomes of an image of coordinates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from scanwise.errors import ArgumentError
from scanwise.training import Augmentation, warp

NONE = {"degrees": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0, "bend": 0.0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(
    batch: int = 6, channels: int = 2, height: int = 14, width: int = 14, dtype: torch.dtype = torch.float64
) -> Tensor:
    return torch.rand(batch, channels, height, width, generator=generator(1), dtype=dtype)


def only(**bounds: float) -> Augmentation:
    return warp(**(NONE | bounds))


def coordinates(batch: int, height: int, width: int) -> Tensor:
    """Images whose channels are row and column: between pixels they are straight, so an output tells where it is of."""
    grid = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack(grid).double().expand(batch, -1, -1, -1)


def maps(augment: Augmentation, batch: int = 1000, height: int = 15, width: int = 15) -> tuple[Tensor, Tensor]:
    """Return what each image's affine map does to steps, ``(batch, to, from)``, and how far the centre moves.

    Axes are row and column. All is taken from the centre's surroundings, which stay inside.
    """
    row, column = height // 2, width // 2
    found = augment(coordinates(batch, height, width), generator())
    centre = found[:, :, row, column]
    steps = [found[:, :, row + 1, column] - centre, found[:, :, row, column + 1] - centre]
    return torch.stack(steps, dim=2), centre - torch.tensor([row, column])


def assert_evenly(values: Tensor, most: float) -> None:
    """Values are drawn evenly up to a bound, to either side."""
    assert values.abs().max() <= most * (1 + 1e-9)
    even = torch.linspace(-most, most, len(values), dtype=values.dtype)
    torch.testing.assert_close(values.sort().values, even, atol=0.1 * most, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_depends_on_its_generator_alone_and_keeps_what_it_is_given(dtype: torch.dtype) -> None:
    x = images(channels=3, dtype=dtype)
    kept = x.clone()
    first, again, other = (warp()(x, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, kept)
    assert (first.shape, first.dtype) == (x.shape, dtype)


@pytest.mark.parametrize("name", NONE)
def test_images_of_a_batch_are_warped_differently_and_channels_alike(name: str) -> None:
    one = images(batch=1, channels=1, height=9, width=13)
    warped = only(**{name: 0.1})(torch.cat([one, 2 * one], dim=1).expand(5, -1, -1, -1), generator())
    torch.testing.assert_close(warped[:, 1], 2 * warped[:, 0])
    assert all(not torch.allclose(warped[i], warped[j], atol=1e-6) for i in range(5) for j in range(i))
    assert not torch.allclose(warped[0, :1], one[0], atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(14, 14), (9, 20), (1, 1)])
def test_without_bounds_nothing_changes(height: int, width: int) -> None:
    x = images(height=height, width=width)
    torch.testing.assert_close(only()(x, generator()), x)


def test_a_shift_is_even_up_to_its_share_of_each_axis() -> None:
    steps, moved = maps(only(shift=0.2), height=15, width=25)
    torch.testing.assert_close(steps, torch.eye(2, dtype=torch.float64).expand_as(steps))
    assert_evenly(moved[:, 0], 0.2 * 15)
    assert_evenly(moved[:, 1], 0.2 * 25)
    assert abs(float(np.corrcoef(moved.T)[0, 1])) < 0.1


def test_a_stretch_is_an_exponential_of_each_axis() -> None:
    steps, moved = maps(only(scale=0.3), height=15, width=25)
    torch.testing.assert_close(moved, torch.zeros_like(moved))
    torch.testing.assert_close(steps, torch.diag_embed(steps.diagonal(dim1=1, dim2=2)))
    assert_evenly(steps[:, 0, 0].log(), 0.3)
    assert_evenly(steps[:, 1, 1].log(), 0.3)
    assert abs(float(np.corrcoef(steps[:, 0, 0], steps[:, 1, 1])[0, 1])) < 0.1


def test_a_slant_moves_rows_along_themselves_by_its_tangent() -> None:
    steps, moved = maps(only(shear=0.2))
    torch.testing.assert_close(moved, torch.zeros_like(moved))
    torch.testing.assert_close(steps[:, 0], torch.tensor([1.0, 0.0]).double().expand(len(steps), 2))
    torch.testing.assert_close(steps[:, 1, 1], torch.ones(len(steps)).double())
    assert_evenly(steps[:, 1, 0], 0.2)


def test_a_turn_is_even_up_to_its_degrees() -> None:
    steps, moved = maps(only(degrees=40))
    torch.testing.assert_close(moved, torch.zeros_like(moved))
    torch.testing.assert_close(steps @ steps.mT, torch.eye(2, dtype=torch.float64).expand_as(steps))
    assert_evenly(torch.atan2(steps[:, 0, 1], steps[:, 0, 0]), math.radians(40))


@pytest.mark.parametrize("bounds", [{"degrees": 40.0}, {"shear": 0.2}], ids=["turn", "slant"])
def test_images_that_are_not_square_are_turned_and_slanted_as_those_that_are(bounds: dict[str, float]) -> None:
    square, oblong = (maps(only(**bounds), batch=50, height=15, width=width)[0] for width in (15, 45))
    torch.testing.assert_close(oblong, square)


def test_a_turned_image_is_scipys() -> None:
    x = images(channels=1)
    turned = only(degrees=30)(x, generator())
    found = only(degrees=30)(coordinates(len(x), 14, 14), generator())  # turned as the images are
    step = found[:, :, 7, 7] - found[:, :, 7, 6]
    angles = torch.atan2(step[:, 0], step[:, 1]).rad2deg()
    assert angles.abs().max() > 10
    for image, got, angle in zip(x[:, 0], turned[:, 0], angles.tolist(), strict=True):
        np.testing.assert_allclose(got, ndimage.rotate(image, angle, reshape=False, order=1, mode="nearest"), atol=1e-9)


def test_what_comes_in_at_the_sides_continues_the_edge() -> None:
    x = images(channels=1, height=10, width=16)
    moved = only(shift=0.6)(x, generator())
    larger = coordinates(len(x), 30, 48)  # thrice, so that as many pixels are a third of the share, and stay inside
    offsets = only(shift=0.2)(larger, generator())[:, :, 15, 24] - torch.tensor([15, 24])
    assert offsets.abs().max() > 5
    for image, got, offset in zip(x[:, 0], moved[:, 0], offsets, strict=True):
        np.testing.assert_allclose(got, ndimage.shift(image, -offset, order=1, mode="nearest"), atol=1e-9)


def test_a_constant_image_stays() -> None:
    x = torch.tensor([3.0, -2.0]).double().reshape(1, 2, 1, 1).expand(20, 2, 8, 11)
    strong = warp(degrees=90, scale=1, shear=1, shift=1, bend=0.3)
    torch.testing.assert_close(strong(x, generator()), x)


def test_a_bending_deviates_normally_by_its_share_of_each_axis() -> None:
    found = only(bend=0.03)(coordinates(4000, 17, 33), generator())  # knots are on every fourth and eighth pixel
    moved = found - coordinates(1, 17, 33)
    for axis, extent in ((0, 17), (1, 33)):
        at, beside = moved[:, axis, 8, 16], moved[:, axis, 12, 24]
        assert at.mean().item() == pytest.approx(0, abs=0.06 * 0.03 * extent)
        assert at.std().item() == pytest.approx(0.03 * extent, rel=0.05)
        assert (at.abs() < at.std()).double().mean().item() == pytest.approx(0.683, abs=0.03)
        assert abs(float(np.corrcoef(at, beside)[0, 1])) < 0.06  # of one piece, all would move together


def test_a_bending_is_smooth_between_its_knots() -> None:
    """An image of twice the pixels is bent in the same way, and its neighbours by almost the same."""
    coarse, fine = ((only(bend=0.03)(coordinates(50, n, n), generator()) - coordinates(1, n, n)) / n for n in (17, 33))
    torch.testing.assert_close(fine[:, :, 8:25:2, 8:25:2], coarse[:, :, 4:13, 4:13])
    for axis in (2, 3):
        assert fine[:, :, 8:25, 8:25].diff(dim=axis).std() < 0.3 * 0.03


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({"degrees": -1}, "degrees must be at least 0; got -1"),
        ({"scale": -0.1}, r"scale must be at least 0; got -0\.1"),
        ({"shear": math.nan}, "shear must be a finite number; got nan"),
        ({"shift": "0.1"}, r"shift must be a finite number; got '0\.1'"),
        ({"bend": -1e-9}, "bend must be at least 0; got -1e-09"),
    ],
)
def test_bounds_out_of_range_are_refused(bounds: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        warp(**bounds)

"""A front scans exactly, alone and before every family of networks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scanwise import nn
from scanwise.features import LogMel, Raw
from scanwise.program import receptive_field
from scanwise.run import Scanner

STEP = 5
HOPS = (1, STEP, 3 * STEP, 7, 40)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def same(scanner: Scanner, x: torch.Tensor, atol: float) -> None:
    """Assert that the scan equals the network on every window, shared throughout."""
    assert scanner.program.ends == ()
    got, want = scanner.scan(x), scanner.scan_windows(x)
    torch.testing.assert_close(got, want, rtol=0, atol=atol)
    assert got.shape[-1] == max(0, (x.shape[-1] - scanner.window[0]) // scanner.hop[0] + 1)


@given(st.integers(1, 3), st.integers(1, 4), st.sampled_from(HOPS), st.integers(-1, 90))
def test_log_mel_scans_exactly(channels: int, frames: int, hop: int, beyond: int) -> None:
    front = LogMel(channels, 1000, n_fft=16, step=STEP).eval()
    window = front.samples(frames)
    scanner = Scanner(front, (channels, window), hop)
    same(scanner, noise(channels, window + beyond).float(), atol=1e-3)


def test_raw_scans_exactly() -> None:
    same(Scanner(Raw(2).eval(), (2, 5), 3), noise(2, 21).float(), atol=0)


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("family", nn.families())
def test_every_family_scans_exactly_behind_log_mel(family: str, hop: int) -> None:
    torch.manual_seed(0)
    front = LogMel(2, 1000, n_fft=16, step=STEP, bands=6)
    net = torch.nn.Sequential(front, nn.build(family, window_shape=(front.outputs, 9), outputs=3)).double().eval()
    window = front.samples(9)
    same(Scanner(net, (2, window), hop, strict=True), noise(2, window + 83), atol=1e-11)


@pytest.mark.parametrize("family", nn.families())
def test_at_the_step_of_its_front_a_scan_computes_every_frame_once(family: str) -> None:
    torch.manual_seed(0)
    front = LogMel(1, 1000, n_fft=16, step=STEP, bands=6)
    net = torch.nn.Sequential(front, nn.build(family, window_shape=(front.outputs, 9), outputs=3)).eval()
    scanner = Scanner(net, (1, front.samples(9)), STEP)
    spectra = scanner.program.nodes[1]
    assert spectra.attrs["kernel"] == [16]
    assert scanner.plan.shared
    frames_of_a_window = front.frames(scanner.program.reach()[0][1])
    (positions,) = scanner.plan.positions(1, (100,))
    assert len(positions) == frames_of_a_window + 99


def test_the_field_of_a_front_is_its_frame() -> None:
    front = LogMel(2, 1000, n_fft=16, step=STEP, bands=6)
    (layer,) = receptive_field(front.eval(), (2, front.samples(9)))
    assert layer.fields is not None
    assert (layer.fields[0].size, layer.fields[0].jump, layer.fields[0].start) == (16, STEP, 0)
    assert (layer.kernel, layer.stride, layer.shape) == ((16,), (STEP,), (12, 9))

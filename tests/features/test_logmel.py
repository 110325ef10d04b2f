"""Log-mel spectrograms against a Fourier transform and against librosa's numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import ShortTimeFFT, get_window

from scanwise.errors import ArgumentError
from scanwise.features import LogMel

# librosa 0.11.0: librosa.filters.mel(sr=8000, n_fft=32, n_mels=6, fmin=300.0, fmax=3700.0, htk=False, norm="slaney",
# dtype=np.float64); of each row the first bin with a weight, and the weights from there on.
MEL = (
    (2, [0.002528642759, 0.001422013219]),
    (3, [0.002074556133, 0.001857780576]),
    (4, [0.001345823356, 0.002236277443, 0.0003725282635]),
    (5, [0.0005073414928, 0.001912700381, 0.001352244203, 0.0003006993703]),
    (7, [0.0006295393243, 0.001416346555, 0.001220971714, 0.0006322515764, 4.353143921e-05]),
    (9, [0.0003145373379, 0.0007550409155, 0.001195544493, 0.0009228859196, 0.0005932838055, 0.0002636816913]),
)  # fmt: skip

# librosa 0.11.0: librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None) of
# power = librosa.feature.melspectrogram(y=sweep(), sr=8000, n_fft=256, hop_length=100, win_length=256, window="hann",
# center=False, power=2.0, n_mels=10, dtype=np.float64)
DECIBELS = (
    (-44.68889, -46.15251, -46.15337, -46.15557),
    (-19.29679, -59.79379, -71.57121, -72.31263),
    (0.04097702, -31.958, -66.91782, -83.30248),
    (6.174896, -5.556383, -44.41802, -72.98305),
    (2.381019, 5.145243, -10.04424, -50.31707),
    (-14.55229, 3.564187, 4.302592, -9.492549),
    (-53.20849, -12.63824, 2.84647, 4.394933),
    (-68.73392, -58.4534, -17.42512, 0.2936629),
    (-71.22825, -71.15351, -68.14843, -33.22433),
    (-71.81673, -71.81491, -71.7892, -71.65986),
)


def sweep() -> np.ndarray:
    """600 samples: a tone that rises from 500 Hz, a quiet low one, and a very quiet saw tooth."""
    i = np.arange(600)
    t = i / 8000
    rising = 0.5 * np.sin(2 * np.pi * (500 * t + 12000 * t**2))
    return rising + 1e-3 * np.cos(2 * np.pi * 180 * t) + 1e-4 * (i % 7 - 3)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow(x: np.ndarray, n_fft: int, step: int, mel: np.ndarray, floor: float = 1e-10) -> np.ndarray:
    """Cut every frame, transform it, weigh its power: ``(bands, frames)``."""
    starts = range(0, len(x) - n_fft + 1, step)
    frames = np.stack([x[start : start + n_fft] for start in starts]) * get_window("hann", n_fft)
    return 10 * np.log10(np.maximum(floor, mel @ (np.abs(np.fft.rfft(frames)) ** 2).T))


def frozen_mel() -> np.ndarray:
    mel = np.zeros((len(MEL), 17))
    for row, (first, weights) in zip(mel, MEL, strict=True):
        row[first : first + len(weights)] = weights
    return mel


SMALL: dict[str, Any] = {"rate_hz": 8000, "n_fft": 32, "bands": 6, "low_hz": 300.0, "high_hz": 3700.0}


def test_it_equals_the_fourier_transform_weighed_by_librosas_mel_filters() -> None:
    x = noise(333)
    got = LogMel(1, step=7, **SMALL).double()(x[None, None])[0]
    np.testing.assert_allclose(got, slow(x.numpy(), 32, 7, frozen_mel()), rtol=0, atol=1e-7)


def test_its_frames_are_those_of_scipys_short_time_transform() -> None:
    x = noise(200)
    transform = ShortTimeFFT(get_window("hann", 32), hop=8, fs=8000, scale_to=None)
    power = np.abs(transform.stft(x.numpy(), p0=2, p1=2 + 22)) ** 2  # slice p is centred at sample 8 p
    want = 10 * np.log10(frozen_mel() @ power)
    np.testing.assert_allclose(LogMel(1, step=8, **SMALL).double()(x[None, None])[0], want, rtol=0, atol=1e-7)


def test_the_whole_chain_equals_librosas() -> None:
    front = LogMel(1, 8000, n_fft=256, step=100, bands=10)
    x = torch.from_numpy(sweep())[None, None]
    np.testing.assert_allclose(front.double()(x)[0], DECIBELS, rtol=0, atol=1e-5)


@pytest.mark.parametrize("below_db", [0, 60, 100])
def test_float32_hears_what_is_quiet_beside_a_loud_tone(below_db: int) -> None:
    tone = torch.sin(2 * math.pi * 440 / 16000 * torch.arange(16000, dtype=torch.float64))
    x = (tone + 10 ** (-below_db / 20) * noise(16000)).float()[None, None]
    error = LogMel(1, 16000)(x).double() - LogMel(1, 16000).double()(x.double())
    assert error.abs().max() < {0: 1e-4, 60: 5e-3, 100: 0.1}[below_db]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_is_the_floor(dtype: torch.dtype) -> None:
    out = LogMel(1, 8000, floor=1e-7).to(dtype)(torch.zeros(1, 1, 500, dtype=dtype))
    torch.testing.assert_close(out, torch.full((1, 40, 4), -70.0, dtype=dtype))


def test_filters_are_written_anew_when_the_module_is_converted_or_moved() -> None:
    x = noise(1, 1, 700)
    through_single = LogMel(1, 8000).float().double()
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        double = LogMel(1, 8000)
    finally:
        torch.set_default_dtype(previous)
    assert torch.equal(through_single(x), double(x))
    assert torch.equal(LogMel(1, 8000).to("meta").to_empty(device="cpu").double()(x), double(x))


def test_nothing_is_trained_and_nothing_is_stored() -> None:
    front = LogMel(2, 8000)
    assert not list(front.parameters())
    assert not front.state_dict()


def test_channels_are_analysed_by_themselves() -> None:
    x = noise(2, 3, 640)
    together, alone = LogMel(3, 8000).double(), LogMel(1, 8000).double()
    apart = torch.cat([alone(x[:, i : i + 1]) for i in range(3)], 1)
    torch.testing.assert_close(together(x), apart)


def test_gradients_reach_the_signal() -> None:
    x = noise(1, 2, 24).requires_grad_()
    assert torch.autograd.gradcheck(LogMel(2, 8000, n_fft=16, bands=3).double(), x)


@pytest.mark.parametrize(
    ("rate_hz", "n_fft", "step", "bands"),
    [
        (50, 16, 1, 9),
        (250, 16, 2, 9),
        (2000, 64, 20, 33),
        (4000, 128, 40, 40),
        (8000, 256, 80, 40),
        (11025, 256, 110, 40),
        (16000, 512, 160, 40),
        (22050, 512, 220, 40),
        (44100, 1024, 441, 40),
        (48000, 1024, 480, 40),
        (192000, 1024, 512, 40),
    ],
)
def test_the_defaults_follow_the_rate(rate_hz: float, n_fft: int, step: int, bands: int) -> None:
    front = LogMel(2, rate_hz)
    assert front.arguments == {
        "channels": 2, "rate_hz": rate_hz, "n_fft": n_fft, "step": step, "bands": bands,
        "low_hz": 0.0, "high_hz": rate_hz / 2, "floor": 1e-10,
    }  # fmt: skip
    assert (front.channels, front.outputs) == (2, 2 * bands)
    assert (front.step_samples, front.frame_samples) == (step, n_fft)


@given(st.integers(16, 96), st.floats(100, 50_000), st.floats(0, 0.4))
def test_every_default_band_hears_something_and_one_more_would_not(n_fft: int, rate_hz: float, low: float) -> None:
    front = LogMel(1, rate_hz, n_fft=n_fft, low_hz=low * rate_hz).double()
    impulse = torch.zeros(1, 1, n_fft, dtype=torch.float64)
    impulse[..., n_fft // 2] = 1
    assert (front(impulse) > -90).all()
    bands = front.arguments["bands"]
    if bands < min(40, n_fft // 2 + 1):
        with pytest.raises(ArgumentError, match="bands must each hold a frequency bin"):
            LogMel(1, rate_hz, n_fft=n_fft, low_hz=low * rate_hz, bands=bands + 1)


@given(st.integers(2, 20), st.integers(1, 30), st.integers(0, 99))
def test_frames_are_as_many_as_were_counted(n_fft: int, step: int, samples: int) -> None:
    front = LogMel(1, 8000, n_fft=2 + n_fft, step=step, bands=1)
    frames = len(range(0, samples - front.frame_samples + 1, step))
    assert front.frames(samples) == frames
    if frames:
        assert front(torch.zeros(1, 1, samples)).shape == (1, 1, frames)
        assert front.samples(frames) <= samples < front.samples(frames) + step
        assert front.frames(front.samples(frames)) == frames


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"channels": 0}, "channels must be a whole number of at least 1; got 0"),
        ({"channels": 4097}, "channels must be at most 4,096; got 4,097"),
        ({"rate_hz": 0}, "rate_hz must be above 0; got 0"),
        ({"rate_hz": math.nan}, "rate_hz must be a finite number; got nan"),
        ({"n_fft": 1}, "n_fft must be a whole number of at least 2; got 1"),
        ({"n_fft": 10**9}, "n_fft must be at most 65,536; got 1,000,000,000"),
        ({"n_fft": 2}, "bands must each hold a frequency bin, and bins are 4000 Hz apart; got 1 from 0 to 4000 Hz"),
        ({"step": 0}, "step must be a whole number of at least 1; got 0"),
        ({"bands": 0}, "bands must be a whole number of at least 1; got 0"),
        ({"bands": 130}, "bands must be at most 129; got 130"),
        ({"bands": 99, "high_hz": 999.0}, "got 99 from 0 to 999 Hz, 37 of them empty. Use fewer bands, a larger n_fft"),
        ({"low_hz": -1.0}, "low_hz must be at least 0; got -1"),
        ({"high_hz": 4001.0}, r"high_hz must be above low_hz \(0\) and at most half of rate_hz \(4000\); got 4001"),
        ({"low_hz": 500.0, "high_hz": 500.0}, r"high_hz must be above low_hz \(500\) and at most .*; got 500"),
        ({"low_hz": 999.9999999999999, "high_hz": 1000.0}, "bands must each hold a frequency bin"),
        ({"floor": 0.0}, "floor must be at least 1.17549e-38; got 0"),
        ({"n_fft": 2**15}, "filters must have at most 268,435,456 weights; got 1,075,118,160. Use a smaller n_fft"),
        ({"n_fft": 2**12, "channels": 16}, "filters must have at most 268,435,456 weights; got 271,189,248"),
        ({"n_fft": 2**12}, None),
        ({"n_fft": 2**16, "bands": 2**15}, "filters must have at most 268,435,456 weights"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_allocated(
    arguments: dict[str, Any], text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocated(*_: object) -> None:
        raise MemoryError("filters were allocated")

    monkeypatch.setattr("scanwise.features._logmel.wave_filters", allocated)
    with pytest.raises(ArgumentError if text else MemoryError, match=text or "filters were allocated"):
        LogMel(**({"channels": 1, "rate_hz": 8000} | arguments))


@pytest.mark.parametrize("shape", [(2, 500), (1, 1, 500), (1, 2, 255), (1, 2, 500, 1)])
def test_another_shape_of_signal_is_refused(shape: tuple[int, ...]) -> None:
    text = r"x must have the shape \(batch, 2, samples\) with at least 256 samples; got \("
    with pytest.raises(ArgumentError, match=text):
        LogMel(2, 8000)(torch.zeros(shape))


def test_frames_and_samples_are_counted_in_whole_numbers() -> None:
    front = LogMel(1, 8000)
    with pytest.raises(ArgumentError, match="samples must be a whole number of at least 0; got -1"):
        front.frames(-1)
    with pytest.raises(ArgumentError, match="frames must be a whole number of at least 1; got 0"):
        front.samples(0)

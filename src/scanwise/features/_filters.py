"""The fixed weights of a log-mel spectrogram: windowed waves and mel triangles, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Slaney's scale: linear below 1 kHz, 15 mels; above, 27 mels for every factor of 6.4.
_HZ_PER_MEL = 200 / 3
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27


def mel_filters(rate_hz: float, n_fft: int, bands: int, low_hz: float, high_hz: float) -> Array:
    """Return triangles of equal width in mel over the bins of a spectrum, each of area 1 in Hz.

    Parameters
    ----------
    rate_hz
        Samples per second.
    n_fft
        Samples of the spectrum; bin ``k`` is the frequency ``k * rate_hz / n_fft``.
    bands
        Number of triangles.
    low_hz, high_hz
        Where the first begins and the last ends.

    Returns
    -------
    array
        ``(bands, n_fft // 2 + 1)``; a row of zeros for a triangle between two bins.

    References
    ----------
    .. [1] M. Slaney, "Auditory Toolbox: A MATLAB Toolbox for Auditory Modeling Work", version 2, 1998.
    """
    low, high = _to_mel(np.array([low_hz, high_hz]))
    edges = _to_hz(np.linspace(low, high, bands + 2, dtype=np.float64))
    bins = np.arange(n_fft // 2 + 1) * (rate_hz / n_fft)
    with np.errstate(divide="ignore", invalid="ignore"):  # edges may coincide, in a range of next to nothing
        rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
        triangles = np.minimum(rising, falling)
        weights = triangles * (2 / (edges[2:] - edges[:-2]))[:, None]
    return np.where(triangles > 1e-9, weights, 0.0)  # on a triangle's foot is outside, whatever rounding says


def wave_filters(n_fft: int, bins: NDArray[np.intp]) -> Array:
    """Return cosines, then sines, of the frequencies `bins` under a periodic Hann window.

    Returns
    -------
    array
        ``(2 * len(bins), n_fft)``. Products with a frame are the real parts and, but for their sign, the imaginary
        parts of the frame's discrete Fourier transform.
    """
    angle = 2 * np.pi / n_fft * np.arange(n_fft)
    hann = 0.5 - 0.5 * np.cos(angle)
    turn = np.outer(bins, np.arange(n_fft)) % n_fft  # exact, where cosines of large angles are not
    waves: Array = hann * np.concatenate([np.cos(angle)[turn], np.sin(angle)[turn]])
    return waves


def _to_mel(hz: Array) -> Array:
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, above)


def _to_hz(mel: Array) -> Array:
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)

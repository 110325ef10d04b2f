"""Find the heartbeats in an electrocardiogram, after two minutes of it have been labelled.

    python examples/heartbeats.py ../shared/data/ecg/ecg.dat

The recording is record 208 of the MIT-BIH Arrhythmia Database as ``scipy.datasets.electrocardiogram`` ships it: five
minutes at 360 Hz, one channel. The first two minutes are labelled by a plain detector, written below, as a person would
label them by hand; a network learns from them what a beat looks like and finds the beats of the other three minutes.
They are compared with what the plain detector says there, within 75 ms. From 208 to 215 s the recording is disturbed
and the detector is wrong, so these seconds do not count.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import butter, find_peaks, sosfiltfilt

import scanwise as sw

RATE_HZ = 360
LABELLED_S = 120
DISTURBED_S = (208, 215)
TOLERANCE_S = 0.075


def plain_beats(ecg: np.ndarray) -> np.ndarray:
    """Return the samples of the R waves of ``(samples,)`` millivolts: upward maxima of a certain height.

    Not the maxima of the square, which jump to the deep trough after an ectopic beat.
    """
    steady = sosfiltfilt(butter(2, 1, "highpass", fs=RATE_HZ, output="sos"), ecg)
    peaks, _ = find_peaks(steady, height=0.45 * np.percentile(steady, 99), distance=int(0.3 * RATE_HZ))
    return peaks


def table(beats: np.ndarray) -> pd.DataFrame:
    """Return beats as labels: what is within 50 ms of the R wave."""
    around = RATE_HZ // 20
    return pd.DataFrame({"file": "array", "start": beats - around, "end": beats + around, "label": "beat"})


def undisturbed(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events of the last three minutes whose middle is not in the disturbed seconds."""
    middle_s = (events["start"] + events["end"]) / 2 / RATE_HZ + LABELLED_S
    return events[(middle_s < DISTURBED_S[0]) | (middle_s >= DISTURBED_S[1])]


def learn_and_find(file: Path, seed: int) -> sw.events.Match:
    """Learn from two minutes, find in three, compare."""
    with np.load(file) as archive:
        ecg = (archive["ecg"] - 1024.0) / 200  # millivolts
    beats = plain_beats(ecg)
    border = LABELLED_S * RATE_HZ

    model = sw.train(
        {"array": ecg[:border]},
        labels=table(beats[beats < border]),
        sample_rate_hz=RATE_HZ,
        window=0.5,
        seed=seed,
    )
    print(f"two minutes learnt; held out of them: {model.validation.summary}")

    found = undisturbed(model.find(ecg[border:]))
    truth = undisturbed(table(beats[beats >= border] - border))
    return sw.events.match(found, truth, tolerance=TOLERANCE_S * RATE_HZ)


def main() -> None:
    """Run it and print how well it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="ecg.dat: an .npz archive of the array ecg")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    result = learn_and_find(options.file, options.seed)
    print(
        f"three minutes searched: {result.found_count} beats found, {result.true_count} there, "
        f"precision {result.precision:.4f}, recall {result.recall:.4f}, F1 {result.f1:.4f}"
    )


if __name__ == "__main__":
    main()

"""How well a model tells the trials of a list apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError, DataError
from scanwise.model._store import EmbeddingStore, Stored
from scanwise.model._verification import Verification
from scanwise.model._verify import known_verification
from scanwise.sources import read_text
from scanwise.verify import (
    EER,
    DetBand,
    DetCurve,
    Interval,
    TrialList,
    actual_dcf,
    bootstrap,
    cllr,
    det_band,
    det_curve,
    eer,
    min_cllr,
    min_dcf,
    parse_trials,
    score_trials,
    tar_at_far,
)

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["TrialScores", "scored_trials"]

_PRIORS = (0.01, 0.05)
_FARS = (0.1, 0.01, 0.001)
_ROUNDS = 500


@dataclass(frozen=True, eq=False)
class TrialScores:
    """The trials of a list, scored.

    Attributes
    ----------
    trials
        The list.
    scores
        ``(trials,)`` cosines.
    verification
        How the model judges.
    """

    trials: TrialList
    scores: np.ndarray
    verification: Verification

    @property
    def target(self) -> np.ndarray:
        """Scores of target trials."""
        return np.asarray(self.scores[self.trials.same])

    @property
    def nontarget(self) -> np.ndarray:
        """Scores of nontarget trials."""
        return np.asarray(self.scores[~self.trials.same])

    @property
    def subjects(self) -> tuple[np.ndarray, np.ndarray]:
        """Whose samples each trial compares, as far as the target trials tell."""
        of = self.trials.subjects()
        return of[self.trials.first], of[self.trials.second]

    @cached_property
    def eer(self) -> EER:
        """The equal error rate."""
        return eer(self.target, self.nontarget)

    @cached_property
    def interval(self) -> Interval | None:
        """The equal error rate's interval over subjects; None if they, or errors, are too few."""
        try:
            return None if self.eer.value == 0 else bootstrap(self.scores, *self.subjects, rounds=_ROUNDS)
        except ArgumentError:
            return None

    def det(self) -> DetBand | DetCurve:
        """The detection error trade-off with its band over subjects; without it if they are too few."""
        if self.interval is None:
            return det_curve(self.target, self.nontarget)
        return det_band(self.scores, *self.subjects, rounds=_ROUNDS)

    def table(self) -> pd.DataFrame:
        """A row a trial: ``line, first, second, label, score, llr, same``."""
        samples = np.array(self.trials.samples, object)
        return pd.DataFrame(
            {
                "line": self.trials.lines,
                "first": samples[self.trials.first],
                "second": samples[self.trials.second],
                "label": np.where(self.trials.same, "target", "nontarget"),
                "score": self.scores,
                "llr": self.verification.calibration.llr(self.scores),
                "same": self.scores >= self.verification.threshold,
            }
        )

    def judged(self, rule: str = "eer") -> Verification:
        """What the model would know if threshold and calibration came from these trials; see `Verification.of_trials`.

        Raises
        ------
        ArgumentError
            As there.
        """
        return Verification.of_trials(
            self.verification.pooling,
            self.scores,
            *self.subjects,
            data=f"trials {Path(self.trials.name).name}",
            rule=rule,
        )

    def __str__(self) -> str:
        known, kinds = self.verification, (self.target, self.nontarget)
        ratios = [known.calibration.llr(scores) for scores in kinds]
        misses, accepts = (int((kinds[0] < known.threshold).sum()), int((kinds[1] >= known.threshold).sum()))
        subjects, interval = len(set(self.trials.subjects().tolist())), "too few of them, or of errors, to tell"
        if self.interval is not None:
            interval = f"{100 * self.interval.low:.3g} to {100 * self.interval.high:.3g} %"
        lines = [
            f"{len(self.trials):,} trials of {len(self.trials.samples):,} samples and {subjects:,} subjects",
            str(self.eer),
            f"95 % interval over subjects: {interval}",
        ]
        for prior in _PRIORS:
            least = min_dcf(*kinds, p_target=prior).value
            lines.append(
                f"DCF at p_target {prior:g}: at the least {least:.4f}, with the model's calibration "
                f"{actual_dcf(*ratios, p_target=prior).value:.4f}"
            )
        lines.append(f"Cllr {cllr(*ratios):.4f} bits, at the least {min_cllr(*kinds):.4f}")
        lines += [str(tar_at_far(*kinds, far)) for far in _FARS]
        lines.append(
            f"the model's threshold {known.threshold:.4f} ({known.rule} of {known.data}): {misses:,} of "
            f"{len(kinds[0]):,} targets missed, {accepts:,} of {len(kinds[1]):,} nontargets accepted"
        )
        return "\n".join(lines)


def scored_trials(
    model: Model,
    trials: TrialList | str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None,
    embeddings: str | os.PathLike[str] | None,
    resample: bool,
    on_done: Callable[[int, int], None] | None,
) -> TrialScores:
    """Score the trials of a list of files, see `Model.evaluate_trials`."""
    known = known_verification(model.info)
    listed = trials if isinstance(trials, TrialList) else parse_trials(read_text(trials), os.fspath(trials))
    for kind, present in (("target", listed.same.any()), ("nontarget", not listed.same.all())):
        if not present:
            raise DataError(f"{listed.name}: must hold a {kind} trial at least; got none. Errors are of both kinds.")
    base = Path(root) if root is not None else Path(listed.name).parent
    files = [str(base / sample) for sample in listed.samples]
    numbers = {file: number for number, file in enumerate(files)}
    for number, file in enumerate(files):
        if not os.path.isfile(file):  # noqa: PTH113 - a name may be too long
            raise DataError(
                f"{listed.first_use(number)}: {listed.samples[number]} must be a file; got none at {file}. Say what "
                "names are relative to (root)."
            )
    stored = EmbeddingStore(model, embeddings).of(
        files,
        resample=resample,
        on_done=on_done,
        refuse=lambda file, error: DataError(f"{listed.first_use(numbers[file])}: {error}"),
    )
    _refuse_copies(listed, stored)
    scores = score_trials(listed, {name: kept.embedding for name, kept in zip(listed.samples, stored, strict=True)})
    return TrialScores(listed, scores, known)


def _refuse_copies(trials: TrialList, stored: list[Stored]) -> None:
    """Refuse trials of two files that hold the same."""
    digests = np.unique([kept.digest for kept in stored], return_inverse=True)[1]
    copies = digests[trials.first] == digests[trials.second]
    if copies.any():
        at = int(copies.argmax())
        one, other = (trials.samples[side[at]] for side in (trials.first, trials.second))
        raise DataError(
            f"{trials.where(at)} must compare two samples; {one} and {other} hold the same. Leave the trial out."
        )

"""What a model that verifies knows beside its network: how embeddings are pooled, and how similar is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from scanwise._checks import share
from scanwise.errors import ArgumentError, ModelError
from scanwise.model._json import Fields, integer, mapping, number, optional, text
from scanwise.verify import (
    FEWEST_SUBJECTS,
    Calibration,
    Costs,
    bootstrap,
    calibrate,
    eer,
    eer_of_pairs,
    similarity_matrix,
    some_identities,
    threshold_at_costs,
    threshold_at_eer,
    threshold_at_far,
)

__all__ = ["POOLINGS", "Verification", "threshold_rule"]

POOLINGS = ("mean", "mean_std")
"""Of the embeddings of a clip's windows: their mean, or mean and deviation, one after the other."""

_MOST_SAMPLES = 1000  # all of whose pairs are drawn anew for the interval
_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Verification:
    """How two embeddings are compared and judged.

    Attributes
    ----------
    pooling
        One of `POOLINGS`.
    threshold
        Cosine from which two samples count as the same.
    rule
        What the threshold was chosen for, in words: ``"equal error rate"``, ``"false accept rate 0.01"``.
    scale, offset
        Of the calibration to log-likelihood ratios, see `scanwise.verify.Calibration`.
    data
        What threshold and calibration come from, in words. If targets do not score higher on the whole there, the
        scale and the offset are 0: the scores tell nothing.
    identities, targets, nontargets
        How many of each these data had.
    eer, low, high
        Their equal error rate, and its 95 % interval over identities; None for fewer than five, or without
        an error, from which no draw could have any.
    """

    pooling: str
    threshold: float
    rule: str
    scale: float
    offset: float
    data: str
    identities: int
    targets: int
    nontargets: int
    eer: float
    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ModelError(f"pooling must be one of {', '.join(POOLINGS)}; got {self.pooling!r}")
        try:
            Calibration(self.scale, self.offset)
        except ArgumentError as error:
            raise ModelError(str(error).rstrip(".")) from error

    @classmethod
    def unknown(cls, pooling: str) -> Verification:
        """What stands in a model until it is known."""
        return cls(pooling, 0.5, "none", 1.0, 0.0, "nothing", 0, 0, 0, 0.5, None, None)

    @classmethod
    def of_trials(
        cls,
        pooling: str,
        scores: np.ndarray,
        first: Sequence[Any] | np.ndarray,
        second: Sequence[Any] | np.ndarray,
        *,
        data: str,
        rule: str = "eer",
    ) -> Verification:
        """Threshold and calibration by trials.

        Parameters
        ----------
        pooling, data
            As in `Verification`.
        scores
            ``(trials,)`` cosines.
        first, second
            ``(trials,)`` identities that are compared.
        rule
            What the threshold is for: ``"eer"``, ``"far=0.01"`` for at most so many false accepts, or costs,
            ``"p_target=0.01,c_miss=10,c_fa=1"``, of which each may be left out, see `scanwise.verify.Costs`.

        Raises
        ------
        ArgumentError
            If there are no trials of one kind, or the rule is none of these or not measurable.
        """
        words, choose = threshold_rule(rule)
        same = np.asarray(first) == np.asarray(second)
        target, nontarget = scores[same], scores[~same]
        found, line = eer(target, nontarget), _line(target, nontarget)
        subjects = len(np.unique(np.concatenate([first, second])))
        low, high = None, None
        if subjects >= FEWEST_SUBJECTS and found.value > 0:  # where no error was seen, no draw has any
            spread = bootstrap(scores, first, second, rounds=_ROUNDS)
            low, high = spread.low, spread.high
        threshold = choose(target, nontarget)
        if not np.isfinite(threshold):
            raise ArgumentError(f"threshold must accept some; got {rule}, at which these trials are all rejected.")
        return cls(
            pooling=pooling,
            threshold=threshold,
            rule=words,
            scale=line.scale,
            offset=line.offset,
            data=data,
            identities=subjects,
            targets=found.targets,
            nontargets=found.nontargets,
            eer=found.value,
            low=low,
            high=high,
        )

    @classmethod
    def of_pairs(
        cls, pooling: str, embeddings: np.ndarray, identities: Sequence[Any] | np.ndarray, *, data: str
    ) -> Verification:
        """Threshold at the equal error rate, and calibration, by all pairs of samples.

        Of more than a thousand samples, the interval and the calibration are those of some identities that have about
        as many; the rate and its threshold are of all.

        Raises
        ------
        ArgumentError
            As `of_trials`.
        """
        who = np.unique(np.asarray(identities), return_inverse=True)[1]
        rows = some_identities(who, _MOST_SAMPLES)
        one, other = np.triu_indices(len(rows), 1)
        scores = similarity_matrix(embeddings[rows], embeddings[rows])[one, other]
        found = cls.of_trials(pooling, scores, who[rows][one], who[rows][other], data=data)
        if len(rows) == len(who):
            return found
        whole = eer_of_pairs(embeddings, who)
        return replace(
            found,
            threshold=whole.threshold,
            identities=int(who.max()) + 1,
            targets=whole.targets,
            nontargets=whole.nontargets,
            eer=whole.value,
        )

    @property
    def calibration(self) -> Calibration:
        """The line to log-likelihood ratios."""
        return Calibration(self.scale, self.offset)

    @classmethod
    def from_json(cls, value: Any) -> Verification:
        """The value of `dataclasses.asdict`'s result, as JSON gives it back."""
        fields = Fields(mapping(value))
        found = cls(**{name: fields.take(name, check) for name, check in _LAYOUT.items()})
        fields.end()
        return found

    def __str__(self) -> str:
        spread = "too few of them, or of errors, to say what others would give"
        if self.low is not None and self.high is not None:
            spread = f"{100 * self.low:.3g} to {100 * self.high:.3g} % expected of others"
        return (
            f"EER {100 * self.eer:.3g} % of {self.targets:,} target and {self.nontargets:,} nontarget pairs of "
            f"{self.identities} subjects ({spread})"
        )


def _line(target: np.ndarray, nontarget: np.ndarray) -> Calibration:
    """Calibrate; where nothing can be told from scores, every ratio is 1."""
    try:
        return calibrate(target, nontarget)
    except ArgumentError:
        return Calibration(0.0, 0.0)


def threshold_rule(rule: str) -> tuple[str, Callable[[np.ndarray, np.ndarray], float]]:
    """Return in words what a threshold is for, and the choice of it by target and nontarget scores.

    Parameters
    ----------
    rule
        See `Verification.of_trials`.

    Raises
    ------
    ArgumentError
        If it is no rule, or a number in it is out of range.

    Examples
    --------
    >>> threshold_rule("far=0.01")[0]
    'false accept rate 0.01'
    """
    if rule == "eer":
        return "equal error rate", threshold_at_eer
    try:
        parts = [part.split("=") for part in rule.split(",")]
        numbers = {name: float(value) for name, value in parts}
        if len(numbers) < len(parts):
            raise ValueError(rule)
        if numbers.keys() == {"far"}:
            far = share("far", numbers["far"])
            return f"false accept rate {far:g}", partial(threshold_at_far, far=far)
        costs = Costs(**numbers)
    except ArgumentError:
        raise
    except (ValueError, TypeError) as error:
        raise ArgumentError(
            f"threshold must be eer, far=RATE, or costs such as p_target=0.01,c_miss=10,c_fa=1; got {rule!r}. "
            "Choose one of these."
        ) from error
    words = f"costs p_target={costs.p_target:g}, c_miss={costs.c_miss:g}, c_fa={costs.c_fa:g}"
    return words, partial(threshold_at_costs, costs=costs)


_LAYOUT: dict[str, Any] = (
    dict.fromkeys(("pooling", "rule", "data"), text)
    | dict.fromkeys(("threshold", "scale", "offset", "eer"), number)
    | dict.fromkeys(("low", "high"), optional(number))
    | dict.fromkeys(("identities", "targets", "nontargets"), integer)
)

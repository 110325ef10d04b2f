"""Whether two samples show the same, and who of those enrolled a sample shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scanwise.errors import ArgumentError, DataError
from scanwise.model._info import ModelInfo
from scanwise.model._verification import Verification
from scanwise.verify import similarity_matrix

__all__ = ["Enrolment", "Verdict", "enrolled", "known_verification", "mean_embedding", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """A decision, and what it rests on.

    Attributes
    ----------
    similarity
        Cosine of the two embeddings.
    threshold
        From which they count as the same.
    same
        The decision.
    llr
        Natural log-likelihood ratio: how much more likely this similarity is between samples of one identity.
    probability
        That they show the same, if that is as likely as not before anything is seen.
    """

    similarity: float
    threshold: float
    same: bool
    llr: float
    probability: float

    def __str__(self) -> str:
        word = "same" if self.same else "different"
        return (
            f"{word}: similarity {self.similarity:.4f}, threshold {self.threshold:.4f}, probability of the same "
            f"{self.chance} (log-likelihood ratio {self.llr:+.2f})"
        )

    @property
    def chance(self) -> str:
        """The probability to be read; nothing is certain."""
        return "above 0.999" if self.probability > 0.9995 else f"{self.probability:.3g}"


def known_verification(info: ModelInfo) -> Verification:
    """Return how a model judges.

    Raises
    ------
    ArgumentError
        If it was not trained to verify.
    """
    if info.verification is None:
        raise ArgumentError(f"task must be verify to compare samples; got {info.task}. Train with task='verify'.")
    return info.verification


def verdict(similarity: float, known: Verification) -> Verdict:
    """Judge a cosine."""
    line = known.calibration
    return Verdict(
        similarity=similarity,
        threshold=known.threshold,
        same=similarity >= known.threshold,
        llr=float(line.llr(similarity)),
        probability=float(line.probability(similarity)),
    )


def mean_embedding(name: str, samples: np.ndarray) -> np.ndarray:
    """Return the mean ``(features,)`` of embeddings ``(samples, features)`` or of one, each brought to length 1.

    Raises
    ------
    DataError
        If one is zero, or their mean is.
    """
    samples = np.atleast_2d(np.asarray(samples, np.float64))
    lengths = np.linalg.norm(samples, axis=1, keepdims=True)
    mean = (samples / np.where(lengths > 0, lengths, 1)).mean(axis=0)
    if not (lengths.all() and mean.any()):
        raise DataError(f"{name}: must have an embedding of some direction; got a zero vector. Leave it out.")
    return np.asarray(mean)


@dataclass(frozen=True, eq=False)
class Enrolment:
    """Identities that are known, each by one embedding.

    Attributes
    ----------
    names
        Of the identities.
    embeddings
        ``(identities, features)``: the mean of the samples' embeddings, each of length 1.
    verification
        How the model judges.
    """

    names: tuple[str, ...]
    embeddings: np.ndarray
    verification: Verification

    def identify(self, embedding: np.ndarray) -> list[tuple[str, Verdict]]:
        """Who it may be: every identity with its verdict, the most similar first.

        Parameters
        ----------
        embedding
            ``(features,)``, as `Model.embed` gives it.

        Raises
        ------
        ArgumentError
            If it is zero, not finite or of another number of features.
        """
        scores = similarity_matrix(np.asarray(embedding)[None], self.embeddings)[0]
        order = np.argsort(-scores, kind="stable")
        return [(self.names[i], verdict(float(scores[i]), self.verification)) for i in order.tolist()]


def enrolled(samples: Mapping[str, np.ndarray], verification: Verification) -> Enrolment:
    """Enrol identities by embeddings ``(samples, features)`` of each.

    Raises
    ------
    ArgumentError
        If there are none.
    DataError
        As `mean_embedding`.
    """
    if not samples:
        raise ArgumentError("samples must be of one identity at least; got none. Add one.")
    means = [mean_embedding(name, embeddings) for name, embeddings in samples.items()]
    return Enrolment(tuple(samples), np.stack(means), verification)

"""Verification: how alike two embeddings are, how often a threshold is wrong, and which one to take."""

from __future__ import annotations

from scanwise.verify._bootstrap import FEWEST_SUBJECTS, DetBand, Interval, bootstrap, det_band
from scanwise.verify._calibration import (
    Calibration,
    calibrate,
    threshold_at_costs,
    threshold_at_eer,
    threshold_at_far,
)
from scanwise.verify._costs import DCF, Costs, TarAtFar, actual_dcf, cllr, min_cllr, min_dcf, tar_at_far
from scanwise.verify._counting import EERCounter, eer_of_blocks, eer_of_pairs
from scanwise.verify._curves import DetCurve, RocCurve, det_curve, roc_curve
from scanwise.verify._eer import EER, eer
from scanwise.verify._normalise import CohortScores, cohort_scores, s_norm, t_norm, z_norm
from scanwise.verify._roc import Roc
from scanwise.verify._similarity import all_pairs, pair_blocks, similarity, similarity_matrix, some_identities
from scanwise.verify._trials import TrialList, parse_trials, score_trials
from scanwise.verify._whitening import within_class_whitening

__all__ = [
    "DCF",
    "EER",
    "FEWEST_SUBJECTS",
    "Calibration",
    "CohortScores",
    "Costs",
    "DetBand",
    "DetCurve",
    "EERCounter",
    "Interval",
    "Roc",
    "RocCurve",
    "TarAtFar",
    "TrialList",
    "actual_dcf",
    "all_pairs",
    "bootstrap",
    "calibrate",
    "cllr",
    "cohort_scores",
    "det_band",
    "det_curve",
    "eer",
    "eer_of_blocks",
    "eer_of_pairs",
    "min_cllr",
    "min_dcf",
    "pair_blocks",
    "parse_trials",
    "roc_curve",
    "s_norm",
    "score_trials",
    "similarity",
    "similarity_matrix",
    "some_identities",
    "t_norm",
    "tar_at_far",
    "threshold_at_costs",
    "threshold_at_eer",
    "threshold_at_far",
    "within_class_whitening",
    "z_norm",
]

"""Figures on graded predictions: pure functions, no warehouse, no files.

Every figure is a Score: a value with the number of observations behind it, and an interval where there is one. Most
come in two layers. The inner one takes sums and counts, which an engine can make of millions of rows (`mean_from_sum`,
`proportion`); the outer one takes paired sequences, makes the sums exactly and hands them to the inner one. So there
is one formula for a figure, whoever made the sums.
"""

from gradeonce.metrics.betting import ASSUMED_ODDS, profit, roi
from gradeonce.metrics.calibration import CalibrationBin, calibration
from gradeonce.metrics.comparison import mcnemar, paired_mean_difference, paired_mean_difference_from_sums
from gradeonce.metrics.continuous import bias, mae, rmse, share_within
from gradeonce.metrics.intervals import student_quantile, wilson_interval
from gradeonce.metrics.probability import brier_score
from gradeonce.metrics.rates import coverage, hit_rate, proportion
from gradeonce.metrics.score import Score
from gradeonce.metrics.sums import Number, mean_from_sum, root_mean_from_sum

__all__ = [
    "ASSUMED_ODDS",
    "CalibrationBin",
    "Number",
    "Score",
    "bias",
    "brier_score",
    "calibration",
    "coverage",
    "hit_rate",
    "mae",
    "mcnemar",
    "mean_from_sum",
    "paired_mean_difference",
    "paired_mean_difference_from_sums",
    "profit",
    "proportion",
    "rmse",
    "roi",
    "root_mean_from_sum",
    "share_within",
    "student_quantile",
    "wilson_interval",
]

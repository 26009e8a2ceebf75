"""Metrics: arrays in, numbers with their uncertainty and their baseline out. NumPy only."""

from palate.metrics.accuracy import Accuracy, longer_wins, pairwise_accuracy
from palate.metrics.bootstrap import Interval, clustered_interval
from palate.metrics.pairs import PairCounts, count_pairs
from palate.metrics.rank import KendallTau, TopOne, kendall_tau, top_one

__all__ = [
    "Accuracy",
    "Interval",
    "KendallTau",
    "PairCounts",
    "TopOne",
    "clustered_interval",
    "count_pairs",
    "kendall_tau",
    "longer_wins",
    "pairwise_accuracy",
    "top_one",
]

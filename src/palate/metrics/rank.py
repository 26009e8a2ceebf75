"""How whole rankings agree: Kendall's tau-b, and how often the best response comes first."""

from dataclasses import dataclass

import numpy as np

from palate.errors import DataError
from palate.metrics.pairs import PerResponse, count_pairs, same_sized


@dataclass(frozen=True, slots=True)
class KendallTau:
    """Mean rank correlation.

    Attributes:
        value: mean of tau-b over the lists, in [-1, 1]; 0 is chance.
        lists: lists with at least one pair of different rank; the others have no order to agree with.
        constant: those of them whose rewards are all equal; they count as 0.
    """

    value: float
    lists: int
    constant: int


@dataclass(frozen=True, slots=True)
class TopOne:
    """How often the largest reward stands at a best response.

    Attributes:
        value: mean over the lists, in [0, 1].
        chance: what picking at random gives: mean of (number of best responses) / k.
        lists: lists with at least one pair of different rank.
    """

    value: float
    chance: float
    lists: int


def kendall_tau(rewards: PerResponse, ranks: PerResponse) -> KendallTau:
    """Kendall's tau-b between rewards and ranks, for each list, then averaged.

        tau_b = (right - wrong) / sqrt(pairs whose ranks differ * pairs whose rewards differ)

    Positive: better responses have larger rewards.

    Args:
        rewards: [lists][k] finite numbers.
        ranks: [lists][k] 1 is best; equal numbers are ties; 0 marks padding.

    Raises:
        DataError: no pair at all, or rewards and ranks of different shape.
        NonFiniteError: a reward that is NaN or infinite.

    Source: Kendall 1945 (The treatment of ties in ranking problems).
    """
    counts = count_pairs(rewards, ranks)
    kept = np.flatnonzero(counts.pairs)
    if not len(kept):
        raise DataError(f"none of the {len(ranks)} lists has two responses of different rank: there is no order.")
    pairs, right, tied, apart = counts.pairs[kept], counts.right[kept], counts.tied[kept], counts.apart[kept]
    wrong = pairs - right - tied
    tau = (right - wrong) / np.sqrt(pairs * np.maximum(apart, 1))  # all equal: 0 / sqrt(pairs)
    return KendallTau(float(tau.mean()), len(kept), int((apart == 0).sum()))


def top_one(rewards: PerResponse, ranks: PerResponse) -> TopOne:
    """How often best-of-n with these rewards takes a best response.

    Where several responses share the largest reward, one of them is taken at random: a list then counts the share of
    them that are best.

    Args:
        rewards: [lists][k] finite numbers.
        ranks: [lists][k] 1 is best; equal numbers are ties; 0 marks padding.

    Raises:
        DataError: no pair at all, or rewards and ranks of different shape.
        NonFiniteError: a reward that is NaN or infinite.

    Source: Malik et al. 2025 (RewardBench 2), where a tie at the top counts 1/n.
    """
    hits: list[np.ndarray] = []
    chances: list[np.ndarray] = []
    for _, reward, rank in same_sized(rewards, ranks):
        real = rank > 0
        best = real & (rank == np.where(real, rank, np.iinfo(np.int64).max).min(1, keepdims=True))
        taken = real & (reward == np.where(real, reward, -np.inf).max(1, keepdims=True))
        ordered = (real & ~best).any(1)
        hits.append(((best & taken).sum(1) / np.maximum(taken.sum(1), 1))[ordered])
        chances.append((best.sum(1) / np.maximum(real.sum(1), 1))[ordered])
    lists = sum(map(len, hits))
    if not lists:
        raise DataError(f"none of the {len(ranks)} lists has two responses of different rank: there is no best one.")
    return TopOne(float(np.concatenate(hits).mean()), float(np.concatenate(chances).mean()), lists)

"""Common starts of sequences: how long they are, and how many distinct prefixes a set of sequences has."""

import bisect
import itertools
from collections.abc import Sequence
from typing import Any


def common_start(left: Sequence[Any], right: Sequence[Any]) -> int:
    """The length of the longest common start; by bisection over slices, for texts of megabytes."""
    shorter = min(len(left), len(right))
    return bisect.bisect_left(range(1, shorter + 1), True, key=lambda n: left[:n] != right[:n])


def distinct_prefixes(sequences: Sequence[Sequence[int]]) -> int:
    """The number of nodes of the sequences' trie: what computing each distinct prefix once costs, in tokens.

    In sorted order, each sequence adds what lies beyond its common start with the one before it.
    """
    ordered = sorted(map(tuple, sequences))
    shared = sum(common_start(left, right) for left, right in itertools.pairwise(ordered))
    return sum(map(len, ordered)) - shared

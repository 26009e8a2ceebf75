"""The clustered interval against one-by-one resampling, normal theory and Wilson's formula."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from palate.errors import DataError, UsageError
from palate.metrics import Interval, clustered_interval


def by_drawing(right, out_of, clusters, resamples=4000, seed=9):
    """Draw whole clusters one by one: the definition."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(clusters == name) for name in np.unique(clusters)]
    shares = []
    for _ in range(resamples):
        drawn = np.concatenate([members[at] for at in rng.integers(len(members), size=len(members))])
        shares.append(right[drawn].sum() / out_of[drawn].sum())
    return np.quantile(shares, [0.025, 0.975])


def test_the_interval_is_that_of_drawing_clusters_one_by_one():
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 40, size=200)
    out_of = rng.integers(1, 7, size=200)
    right = rng.binomial(out_of, 0.3 + 0.5 * (clusters % 2))
    found = clustered_interval(right, out_of, clusters)
    assert [found.low, found.high] == pytest.approx(by_drawing(right, out_of, clusters), abs=0.012)


def test_independent_items_give_the_normal_interval():
    right = np.array([1.0] * 700 + [0.0] * 300)
    found = clustered_interval(right, np.ones(1000), np.arange(1000), resamples=20_000)
    reach = 1.96 * math.sqrt(0.7 * 0.3 / 1000)
    assert [found.low, found.high] == pytest.approx([0.7 - reach, 0.7 + reach], abs=0.002)


@pytest.mark.parametrize(("right", "n"), [(1.0, 30), (0.0, 30), (1.0, 1), (0.5, 12)])
def test_clusters_that_all_agree_get_wilsons_interval_instead_of_certainty(right, n):
    found = clustered_interval(np.full(n, right), np.ones(n), np.arange(n))
    expected = binomtest(round(right * n), n).proportion_ci(method="wilson")
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high])


def test_one_seed_gives_one_interval_and_another_a_close_one():
    rng = np.random.default_rng(0)
    right, out_of, clusters = (rng.random(500) < 0.6).astype(float), np.ones(500), np.arange(500) // 3
    first = clustered_interval(right, out_of, clusters)
    assert clustered_interval(right, out_of, clusters) == first
    other = clustered_interval(right, out_of, clusters, seed=1)
    assert other != first
    assert [other.low, other.high] == pytest.approx([first.low, first.high], abs=0.01)


def test_the_names_and_the_order_of_the_clusters_do_not_matter():
    rng = np.random.default_rng(0)
    right, clusters = (rng.random(300) < 0.6).astype(float), np.arange(300) // 4
    turned = rng.permutation(300)
    assert clustered_interval(right, np.ones(300), clusters) == clustered_interval(
        right[turned], np.ones(300), 1000 - clusters[turned]
    )


def test_a_higher_level_gives_a_wider_interval():
    right, out_of, clusters = np.array([1.0, 0.0] * 100), np.ones(200), np.arange(200)
    wide = clustered_interval(right, out_of, clusters, level=0.99)
    narrow = clustered_interval(right, out_of, clusters, level=0.8)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert isinstance(wide, Interval)
    assert wide.level == 0.99


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    held = 0
    for seed in range(200):
        chances = rng.beta(6, 2, size=80)  # mean 0.75, differing from prompt to prompt
        right = rng.binomial(4, chances)
        found = clustered_interval(right, np.full(80, 4), np.arange(80), resamples=500, seed=seed)
        held += found.low <= 0.75 <= found.high
    assert 180 <= held <= 199  # 95 % of 200 is 190, with a standard deviation of 3


def test_nothing_to_take_a_share_of_is_an_error():
    with pytest.raises(DataError, match="size 0"):
        clustered_interval(np.zeros(3), np.zeros(3), np.arange(3))


@pytest.mark.parametrize("options", [{"level": 1.0}, {"level": 0.0}, {"resamples": 0}])
def test_an_option_outside_its_range_is_refused(options):
    with pytest.raises(UsageError, match="level in"):
        clustered_interval(np.ones(3), np.ones(3), np.arange(3), **options)

"""The regulariser that keeps rewards near 0, against its definition."""

from inspect import unwrap

import pytest
import torch

from palate.errors import UsageError
from palate.losses import center

REWARDS = torch.tensor([[3.0, -1.0, 4.0], [2.0, 2.0, -6.0]], dtype=torch.float64)
RANKS = torch.tensor([[1, 2, 0], [2, 1, 2]])


def test_center_is_the_mean_square_of_the_lists_own_rewards():
    assert center(REWARDS, RANKS).tolist() == pytest.approx([(9 + 1) / 2, (4 + 4 + 36) / 3])


def test_center_of_the_mean_is_a_quarter_of_the_published_square_of_the_sum_for_a_pair():
    assert center(REWARDS, RANKS, of="mean").tolist() == pytest.approx([(3 - 1) ** 2 / 4, (2 + 2 - 6) ** 2 / 9])


def test_center_of_the_mean_leaves_the_gaps_alone():
    rewards = REWARDS.clone().requires_grad_()
    center(rewards, RANKS, of="mean").sum().backward()
    assert rewards.grad is not None
    assert rewards.grad[1].tolist() == pytest.approx([rewards.grad[1, 0].item()] * 3)


@pytest.mark.parametrize("of", ["responses", "mean"])
def test_the_gradient_agrees_with_finite_differences_and_is_zero_at_padding(of):
    rewards = REWARDS.clone().requires_grad_()
    torch.autograd.gradcheck(lambda r: center(r, RANKS, of=of), (rewards,))
    center(rewards, RANKS, of=of).sum().backward()
    assert rewards.grad is not None
    assert rewards.grad[0, 2] == 0.0


def test_padding_cannot_matter_and_a_list_of_padding_gives_zero():
    rewards = torch.tensor([[1.0, float("nan")], [float("inf"), float("nan")]], requires_grad=True)
    loss = center(rewards, torch.tensor([[1, 0], [0, 0]]))
    loss.sum().backward()
    assert loss.tolist() == [1.0, 0.0]
    assert rewards.grad is not None
    assert rewards.grad.tolist() == [[2.0, 0.0], [0.0, 0.0]]


def test_half_precision_rewards_are_squared_in_float32():
    assert center(torch.tensor([[1000.0]], dtype=torch.float16), torch.tensor([[1]])).tolist() == [1e6]


def test_an_unknown_square_is_refused():
    with pytest.raises(UsageError, match="'responses' or 'mean'"):
        unwrap(center)(REWARDS, RANKS, of="median")

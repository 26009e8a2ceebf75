"""The listwise loss against the sum over all orders that agree with the ties, and what must not matter to it."""

import math
from itertools import permutations

import pytest
import torch

from palate.losses import pairwise, plackett_luce

REWARDS = [0.7, -1.2, 0.1, 2.5, -0.4]


def order_probability(rewards) -> float:
    """Plackett-Luce: the chance that responses are chosen in just this order."""
    chance = 1.0
    for at, reward in enumerate(rewards):
        chance *= math.exp(reward) / sum(math.exp(other) for other in rewards[at:])
    return chance


def exact(rewards, ranks) -> float:
    """-log of the summed chance of every order that the ranks allow, per choice."""
    real = [at for at, rank in enumerate(ranks) if rank > 0]
    orders = [order for order in permutations(real) if [ranks[at] for at in order] == sorted(ranks[at] for at in real)]
    chance = sum(order_probability([rewards[at] for at in order]) for order in orders)
    last = max((ranks[at] for at in real), default=0)
    choices = sum(ranks[at] < last for at in real)
    return -math.log(chance) / choices if choices else 0.0


def one(rewards, ranks) -> float:
    return plackett_luce(torch.tensor([rewards], dtype=torch.float64), torch.tensor([ranks])).item()


def test_without_ties_it_is_the_likelihood_of_the_order():
    for ranks in ([1, 2, 3, 4, 5], [3, 5, 4, 1, 2], [2, 9, 0, 1, 4]):
        assert one(REWARDS, ranks) == pytest.approx(exact(REWARDS, ranks), abs=1e-12)


@pytest.mark.parametrize("ranks", [[1, 1, 2, 3, 3], [2, 1, 1, 1, 3], [1, 2, 2, 2, 2], [1, 1, 1, 1, 2]])
def test_ties_between_equal_rewards_are_exact(ranks):
    rewards = [[0.9, -0.3, -1.0][rank - 1] for rank in ranks]
    assert one(rewards, ranks) == pytest.approx(exact(rewards, ranks), abs=1e-12)


@pytest.mark.parametrize("ranks", [[1, 3, 2, 1, 3], [2, 2, 1, 1, 3], [1, 2, 1, 1, 2]])
def test_ties_between_unequal_rewards_are_close_to_exact(ranks):
    rewards = [0.3 * reward for reward in REWARDS]  # tied rewards up to 1.1 apart
    assert one(rewards, ranks) == pytest.approx(exact(rewards, ranks), abs=0.05)


def test_the_last_group_adds_nothing_so_ties_at_the_bottom_are_exact():
    ranks = [2, 3, 3, 1, 3]
    assert one(REWARDS, ranks) == pytest.approx(exact(REWARDS, ranks), abs=1e-12)


def test_a_pair_gives_the_pairwise_loss():
    rewards = torch.tensor([[0.3, 1.9], [-4.0, 2.0]])
    ranks = torch.tensor([[1, 2], [2, 1]])
    assert torch.allclose(plackett_luce(rewards, ranks), pairwise(rewards, ranks))


def test_the_gradient_without_ties_is_softmax_minus_choice():
    """Each choice adds the softmax over what is left, and takes 1 from the chosen one."""
    ranks = [2, 5, 3, 1, 4]
    rewards = torch.tensor([REWARDS], dtype=torch.float64, requires_grad=True)
    plackett_luce(rewards, torch.tensor([ranks])).sum().backward()
    order = sorted(range(5), key=lambda at: ranks[at])
    expected = [0.0] * 5
    for stage in range(4):
        left = order[stage:]
        total = sum(math.exp(REWARDS[at]) for at in left)
        for at in left:
            expected[at] += (math.exp(REWARDS[at]) / total - (at == left[0])) / 4
    assert rewards.grad is not None
    assert rewards.grad[0].tolist() == pytest.approx(expected, abs=1e-12)


def test_the_gradient_with_ties_agrees_with_finite_differences():
    rewards = torch.tensor([REWARDS, REWARDS], dtype=torch.float64, requires_grad=True)
    ranks = torch.tensor([[1, 2, 2, 3, 1], [2, 0, 1, 1, 0]])
    torch.autograd.gradcheck(lambda r: plackett_luce(r, ranks), (rewards,))


def test_a_shift_of_every_reward_and_the_order_of_untied_responses_change_nothing():
    ranks = [3, 5, 4, 1, 2]
    shifted = [reward - 2.0 for reward in REWARDS]
    assert one(shifted, ranks) == pytest.approx(one(REWARDS, ranks), abs=1e-12)
    for order in list(permutations(range(5)))[::23]:
        turned = one([REWARDS[at] for at in order], [ranks[at] for at in order])
        assert turned == pytest.approx(one(REWARDS, ranks), abs=1e-12)


def test_the_order_of_tied_responses_changes_nothing():
    ranks = [1, 2, 1, 1, 3]
    for order in list(permutations(range(5)))[::23]:
        turned = one([REWARDS[at] for at in order], [ranks[at] for at in order])
        assert turned == pytest.approx(one(REWARDS, ranks), abs=1e-12)


@pytest.mark.parametrize("junk", [1e30, math.inf, math.nan])
def test_padding_changes_neither_loss_nor_gradient_whatever_stands_there(junk):
    padded = torch.tensor([[REWARDS[0], junk, *REWARDS[1:]]], requires_grad=True)
    plain = torch.tensor([REWARDS], requires_grad=True)
    loss = plackett_luce(padded, torch.tensor([[1, 0, 2, 2, 3, 4]]))
    expected = plackett_luce(plain, torch.tensor([[1, 2, 2, 3, 4]]))
    loss.sum().backward()
    expected.sum().backward()
    assert padded.grad is not None
    assert plain.grad is not None
    assert torch.allclose(loss, expected)
    assert torch.allclose(padded.grad[0, [0, 2, 3, 4, 5]], plain.grad[0])
    assert padded.grad[0, 1] == 0.0


@pytest.mark.parametrize("ranks", [[3, 3, 3], [1, 0, 0], [0, 0, 0]], ids=["all ties", "one response", "padding"])
def test_a_list_without_pairs_gives_zero_and_no_gradient(ranks):
    rewards = torch.tensor([[1.0, -2.0, 0.5]], requires_grad=True)
    loss = plackett_luce(rewards, torch.tensor([ranks]))
    loss.sum().backward()
    assert loss.tolist() == [0.0]
    assert rewards.grad is not None
    assert rewards.grad.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("gap", [1e4, -1e4])
def test_enormous_gaps_give_finite_losses_and_gradients(gap):
    """With ranks 1, 2, 2 and rewards g, 0, 0 the one choice costs log(1 + 2 exp(-g)), which is 0 or -g + log 2."""
    rewards = torch.tensor([[gap, 0.0, 0.0]], requires_grad=True)
    loss = plackett_luce(rewards, torch.tensor([[1, 2, 2]]))
    loss.sum().backward()
    assert loss.item() == pytest.approx(0.0 if gap > 0 else -gap + math.log(2))
    assert rewards.grad is not None
    assert rewards.grad.isfinite().all()


def test_half_precision_rewards_are_computed_in_float32():
    loss = plackett_luce(torch.tensor([[3.0, 1.0, -2.0]], dtype=torch.bfloat16), torch.tensor([[1, 2, 3]]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact([3.0, 1.0, -2.0], [1, 2, 3]), rel=1e-6)


def test_a_nan_reward_is_not_hidden():
    assert plackett_luce(torch.tensor([[math.nan, 0.0, 1.0]]), torch.tensor([[1, 2, 3]])).isnan().all()

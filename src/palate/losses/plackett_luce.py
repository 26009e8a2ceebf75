"""The listwise loss: the Plackett-Luce likelihood of each list's order, with ties."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def plackett_luce(rewards: Float[Tensor, "*batch k"], ranks: Int[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
    r"""Negative log-likelihood of each list's order, per choice.

    A ranking is read as a row of choices: the best out of all, the second best out of the rest, and so on.

        without ties:  loss = 1/(K-1) * sum over i of  log(sum over j with rank_j >= rank_i of exp(r_j)) - r_i

    A group of d tied responses, with others behind it, is d choices whose order is not known. Efron's approximation
    of the sum over its d! orders lets the l-th choice (l = 0 .. d-1) be made out of everything behind the group
    plus the average of the tied ones that remain:

        sum over l of log(sum behind of exp(r_j) + (d-l)/d * sum tied of exp(r_j)) - sum tied of r_i - log(d!)

    It is exact for d = 1 and where the tied rewards are equal. The last group has nothing behind it and adds
    nothing, as in the exact likelihood (some order of it is certain). The sum is divided by the number of choices,
    the responses ahead of the last group, so that a list counts once however long it is; times that number it is the
    log-likelihood. For K = 2 it equals `pairwise`. Adding a constant to every reward changes nothing, nor does the
    order of the responses, nor what stands at padding. A list without pairs gives 0, and a gradient of 0.

    Args:
        rewards: unbounded, in nats of log-odds; computed in float32 or wider.
        ranks: 1 is best; equal numbers are ties; 0 marks padding.

    Returns:
        One value per list, in nats per choice.

    Example:
        >>> import torch
        >>> plackett_luce(torch.zeros(1, 3), torch.tensor([[1, 2, 3]]))  # (log 3 + log 2) / 2
        tensor([0.8959])

    Source: Plackett 1975 and Luce 1959; as a loss, Xia et al. 2008 (ListMLE); ties: Efron 1977, section 6, brought
        from Cox regression to rankings by Allison and Christakis 1994.
    """
    rewards = rewards.to(torch.promote_types(rewards.dtype, torch.float32))
    real = ranks > 0
    rewards = torch.where(real, rewards, 0.0)
    mine, others = ranks.unsqueeze(-1), ranks.unsqueeze(-2)
    behind = real.unsqueeze(-1) & (others > mine)
    tied = real.unsqueeze(-1) & (others == mine)
    chosen = behind.any(-1)

    size = tied.sum(-1).clamp(min=1)
    remaining = size - (tied & _earlier(ranks)).sum(-1)  # d - l
    # log((behind + remaining/size * tied) / exp(r_i)) - log(remaining): the d! is spread over the group's choices, and
    # r_i goes in before the exponential, because afterwards a sure choice would be a small difference of large numbers.
    above = rewards.unsqueeze(-2) - rewards.unsqueeze(-1)
    loss = torch.logaddexp(
        _log_sum(above, behind) - remaining.to(rewards.dtype).log(),
        _log_sum(above, tied) - size.to(rewards.dtype).log(),
    )
    return torch.where(chosen, loss, 0.0).sum(-1) / chosen.sum(-1).clamp(min=1)


def _earlier(ranks: Int[Tensor, "*batch k"]) -> Bool[Tensor, "k k"]:
    k = ranks.shape[-1]
    return torch.ones(k, k, dtype=torch.bool, device=ranks.device).tril(-1)


def _log_sum(above: Float[Tensor, "*batch k k"], among: Bool[Tensor, "*batch k k"]) -> Float[Tensor, "*batch k"]:
    # A row of nothing would be log 0, whose gradient is NaN; it takes everything and is dropped by the caller.
    among = among | ~among.any(-1, keepdim=True)
    return above.masked_fill(~among, -torch.inf).logsumexp(-1)

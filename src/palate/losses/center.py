"""The regulariser that keeps rewards near 0: a ranking says nothing of the level of its rewards."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from palate.errors import UsageError


def center(
    rewards: Float[Tensor, "*batch k"],
    ranks: Int[Tensor, "*batch k"],
    *,
    of: Literal["responses", "mean"] = "responses",
) -> Float[Tensor, "*batch"]:
    r"""How far each list's rewards lie from 0, squared.

        of="responses":  loss = mean over i of r_i^2           (holds the level and, weakly, the gaps)
        of="mean":       loss = (mean over i of r_i)^2         (holds the level only)

    Neither the order of the responses nor padding matters. A list of padding alone gives 0.

    Args:
        rewards: unbounded, in nats of log-odds; computed in float32 or wider.
        ranks: 0 marks padding; the others are not looked at, so ties count like the rest.
        of: which square, see above.

    Returns:
        One value per list, in nats squared.

    Raises:
        UsageError: `of` is neither of the two.

    Example:
        >>> import torch
        >>> center(torch.tensor([[3.0, -1.0, 7.0]]), torch.tensor([[1, 2, 0]]))  # (9 + 1) / 2
        tensor([5.])

    Source: Eisenstein et al. 2023 (Helping or Herding?), eq. 2, which takes (r_chosen + r_rejected)^2; that is 4 times
        of="mean" on a pair (TRL's `center_rewards_coefficient`).
    """
    if of not in ("responses", "mean"):
        raise UsageError(f"of is {of!r}; it can be 'responses' or 'mean'.")
    real = ranks > 0
    rewards = torch.where(real, rewards.to(torch.promote_types(rewards.dtype, torch.float32)), 0.0)
    count = real.sum(-1).clamp(min=1)
    if of == "mean":
        return (rewards.sum(-1) / count).square()
    return rewards.square().sum(-1) / count

"""The pairwise loss: Bradley-Terry over the ordered pairs of each list."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from palate.errors import UsageError


def pairwise(
    rewards: Float[Tensor, "*batch k"],
    ranks: Int[Tensor, "*batch k"],
    *,
    margin: Float[Tensor, "*batch"] | Float[Tensor, "*batch k k"] | None = None,
    confidence: Float[Tensor, "*batch"] | Float[Tensor, "*batch k k"] | None = None,
    label_smoothing: float = 0.0,
    ties: Literal["ignore", "half"] = "ignore",
) -> Float[Tensor, "*batch"]:
    r"""Mean Bradley-Terry loss over the pairs of each list.

        loss = mean over (i, j) with 0 < rank_i < rank_j of
                   -t_ij log sigmoid(z_ij) - (1 - t_ij) log sigmoid(-z_ij),
        z_ij = r_i - r_j - margin_ij,
        t_ij = c_ij (1 - s) + (1 - c_ij) s      (c: confidence, s: label smoothing; both absent: t = 1)

    The mean is over the list's K(K-1)/2 pairs (fewer with ties), so that a list counts once however long it is.
    Adding a constant to every reward changes nothing, nor does the order of the responses, nor what stands at
    padding (NaN included). A list without pairs gives 0, and a gradient of 0. A NaN reward gives NaN.

    Args:
        rewards: unbounded, in nats of log-odds; computed in float32 or wider.
        ranks: 1 is best; equal numbers are ties; 0 marks padding.
        margin: what the label asks of the gap, in nats; one per list, or one per pair at [..., better, worse].
            None is 0. Ties ask for none.
        confidence: in [0, 1], how sure the label is that the better response is better; one per list, or one per
            pair at [..., better, worse]. None is 1. The loss is then least at a gap of margin + log(t / (1 - t)).
        label_smoothing: in [0, 0.5); the share of labels taken to be turned round.
        ties: "ignore": equal ranks form no pair; "half": they form one, with t = 1/2 and no margin, which
            pulls their rewards together.

    Returns:
        One value per list, in nats.

    Raises:
        UsageError: an option outside its range, or a margin or confidence of another shape.

    Example:
        >>> import torch
        >>> pairwise(torch.tensor([[1.0, 0.0, 3.0]]), torch.tensor([[1, 2, 0]]))  # log(1 + exp(-1))
        tensor([0.3133])

    Source: Ouyang et al. 2022 (InstructGPT), eq. 1; the margin: Touvron et al. 2023 (Llama 2), eq. 2; smoothing:
        Mitchell 2023 (a note on conservative DPO), eq. 3; a tie as half a win each way: Glickman 1999.
    """
    if ties not in ("ignore", "half"):
        raise UsageError(f"ties is {ties!r}; it can be 'ignore' or 'half'.")
    if not 0.0 <= label_smoothing < 0.5:
        raise UsageError(f"label_smoothing is {label_smoothing}; it must be at least 0 and under 0.5.")
    rewards = rewards.to(torch.promote_types(rewards.dtype, torch.float32))
    ordered = _ordered_pairs(ranks)
    gap = _gaps(rewards, ordered)
    if margin is not None:
        gap = gap - torch.where(ordered, _per_pair(margin, ranks, "margin").to(gap.dtype), 0.0)
    # -log sigmoid(z) where the label is sure; an unsure one adds (1 - t) z, because softplus(z) = softplus(-z) + z
    loss = softplus(-gap)
    if confidence is not None:
        sure = _per_pair(confidence, ranks, "confidence").to(gap.dtype)
        doubt = (1.0 - sure) * (1.0 - label_smoothing) + sure * label_smoothing
        loss = loss + torch.where(ordered, doubt, 0.0) * gap
    elif label_smoothing:
        loss = loss + label_smoothing * gap
    total = torch.where(ordered, loss, 0.0).sum((-2, -1))
    count = ordered.sum((-2, -1))
    if ties == "half":
        tied = _tied_pairs(ranks)
        tied_gap = _gaps(rewards, tied)
        total = total + torch.where(tied, softplus(-tied_gap) + 0.5 * tied_gap, 0.0).sum((-2, -1))
        count = count + tied.sum((-2, -1))
    return total / count.clamp(min=1)


def _ordered_pairs(ranks: Int[Tensor, "*batch k"]) -> Bool[Tensor, "*batch k k"]:
    first, second = ranks.unsqueeze(-1), ranks.unsqueeze(-2)
    return (first > 0) & (first < second)


def _tied_pairs(ranks: Int[Tensor, "*batch k"]) -> Bool[Tensor, "*batch k k"]:
    first, second = ranks.unsqueeze(-1), ranks.unsqueeze(-2)
    return ((first > 0) & (first == second)).triu(1)  # each unordered pair once


def _gaps(rewards: Float[Tensor, "*batch k"], pairs: Bool[Tensor, "*batch k k"]) -> Float[Tensor, "*batch k k"]:
    # Zeroed before the sigmoid and not after it: an infinity at padding would else turn the gradient into NaN.
    return torch.where(pairs, rewards.unsqueeze(-1) - rewards.unsqueeze(-2), 0.0)


def _per_pair(values: Float[Tensor, "..."], ranks: Int[Tensor, "*batch k"], name: str) -> Float[Tensor, "*batch #k #k"]:
    k = ranks.shape[-1]
    if values.shape == ranks.shape[:-1]:
        return values[..., None, None]
    if values.shape == (*ranks.shape, k):
        return values
    raise UsageError(
        f"{name} has the shape {tuple(values.shape)}; ranks of shape {tuple(ranks.shape)} take one per list, "
        f"{tuple(ranks.shape[:-1])}, or one per pair, {(*ranks.shape, k)}."
    )

"""The `dense` backend: the definition written out; the oracle in tests, and the path for what the fast one lacks."""

import torch
from jaxtyping import Float
from torch import Tensor

from palate.trie.context import RowContext


def dense_attention(  # noqa: PLR0913  (what an attention function is asked for)
    query: Float[Tensor, "1 heads seq dim"],
    key: Float[Tensor, "1 kv_heads seq dim"],
    value: Float[Tensor, "1 kv_heads seq value_dim"],
    row: RowContext,
    scale: float,
    *,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Float[Tensor, "heads"] | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "1 seq heads value_dim"]:
    """Attention of one row, trie by trie, each with its whole mask.

    Args:
        query: of the whole row; heads are grouped over the key-value heads in order.
        key: of the whole row.
        value: of the whole row.
        row: the plan whose predicate decides what is seen.
        scale: multiplies the scores.
        window: keys at `window` positions or more before a query are not seen; None sees all.
        softcap: scores become softcap * tanh(scores / softcap) (Gemma 2).
        sinks: a logit per head that takes part in the softmax and carries no value (gpt-oss).
        dropout: probability of dropping an attention weight, in training.

    Returns:
        The outputs, before the output projection.
    """
    group = query.shape[1] // key.shape[1]
    key, value = (states.repeat_interleave(group, dim=1) for states in (key, value))
    outputs: list[Tensor] = []
    for start, stop in row.row.tries:
        inside = torch.arange(start, stop, device=query.device)
        scores = query[:, :, start:stop] @ key[:, :, start:stop].transpose(2, 3) * scale
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        scores = scores.masked_fill(~row.visible(inside, inside, window), float("-inf"))
        if sinks is not None:
            column = sinks.to(scores.dtype).reshape(1, -1, 1, 1).expand(1, -1, stop - start, 1)
            scores = torch.cat([scores, column], dim=-1)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
        weights = torch.nn.functional.dropout(weights[..., : stop - start], p=dropout)
        outputs.append(weights @ value[:, :, start:stop])
    return torch.cat(outputs, dim=2).transpose(1, 2)

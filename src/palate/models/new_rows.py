"""Growing the embedding for tokens that a policy adds: no row is left to chance."""

from typing import Any

import torch
from torch import nn


def grow_embedding(backbone: Any, rows: int, *, like: int | None = None, lm_head: nn.Module | None = None) -> bool:
    """Give the embedding, and the language-model head if there is one, at least `rows` rows.

    Args:
        backbone: a transformers model; its config's vocabulary size follows.
        rows: how many rows are needed.
        like: the row that new rows start from (a dedicated end token's: the native end token's); None is the mean row.
        lm_head: grown alike where its rows are tokens; where it shared the embedding's memory, it still does.

    Returns:
        Whether there was anything to grow. Rows that exist are never changed or taken away.
    """
    before = backbone.get_input_embeddings().weight
    have = before.shape[0]
    if rows <= have:
        return False
    tied = lm_head is not None and getattr(lm_head, "weight", None) is before
    backbone.resize_token_embeddings(rows, mean_resizing=False)
    after = backbone.get_input_embeddings().weight
    _start(after, have, like)
    if isinstance(lm_head, nn.Linear):
        _grow_linear(lm_head, rows, like, shared=after if tied else None)
    return True


def start_row(backbone: Any, row: int, like: int, lm_head: nn.Module | None = None) -> None:
    """Let a row that no token had start from another's: a spare row, where a token may be added, holds nothing learned.

    Args:
        backbone: a transformers model.
        row: of the token that was added.
        like: the row to start from.
        lm_head: its row starts alike.
    """
    with torch.no_grad():
        for layer in (backbone.get_input_embeddings(), lm_head):
            weight = getattr(layer, "weight", None)
            if isinstance(weight, torch.Tensor):
                weight[row] = weight[like]


def _start(weight: torch.Tensor, have: int, like: int | None) -> None:
    with torch.no_grad():
        weight[have:] = weight[:have].float().mean(0).to(weight.dtype) if like is None else weight[like].clone()


def _grow_linear(head: nn.Linear, rows: int, like: int | None, shared: nn.Parameter | None) -> None:
    old, have = head.weight, head.weight.shape[0]
    if shared is not None:
        head.weight = shared
    else:
        grown = torch.empty(rows, old.shape[1], dtype=old.dtype, device=old.device)
        with torch.no_grad():
            grown[:have] = old
        _start(grown, have, like)
        head.weight = nn.Parameter(grown, requires_grad=old.requires_grad)
    if head.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
        bias = torch.zeros(rows, dtype=head.bias.dtype, device=head.bias.device)
        with torch.no_grad():
            bias[:have] = head.bias
            if like is not None:
                bias[have:] = head.bias[like]
        head.bias = nn.Parameter(bias, requires_grad=head.bias.requires_grad)
    head.out_features = rows

"""The attention backends against one written out in plain torch, one sequence at a time."""

import pytest
import torch
from torch import Tensor

from palate.trie import plan_rows, segments
from palate.trie.context import RowContext
from palate.trie.dense import dense_attention
from palate.trie.flex import flex_row_attention
from palate.trie.segments import segment_attention

CPU = torch.device("cpu")
LISTS = [
    [[5, 5, 5, 1, 2, 3], [5, 5, 5, 1, 4], [5, 5, 5, 6, 6, 6, 6], [5, 5]],
    [[9, 8, 7]],
    [[3, *range(40)], [3, *range(30), 77, 78], [4, 4, 4]],
]


def states(value_dim: int = 8, heads: int = 4, kv_heads: int = 2) -> tuple[RowContext, Tensor, Tensor, Tensor]:
    (row,) = plan_rows(LISTS, 1000)
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(1, heads, len(row), 8, generator=draw, dtype=torch.float64, requires_grad=True)
    key = torch.randn(1, kv_heads, len(row), 8, generator=draw, dtype=torch.float64, requires_grad=True)
    value = torch.randn(1, kv_heads, len(row), value_dim, generator=draw, dtype=torch.float64, requires_grad=True)
    return RowContext(row, "segments", CPU), query, key, value


def by_hand(
    context: RowContext,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
) -> Tensor:
    """Each member's sequence alone: causal attention over its own tokens, head by head."""
    heads, group = query.shape[1], query.shape[1] // key.shape[1]
    output = torch.zeros(1, query.shape[2], heads, value.shape[-1], dtype=query.dtype)
    for path in context.row.paths:
        at = torch.cat([torch.arange(start, stop) for start, stop in path])
        for head in range(heads):
            q, k, v = query[0, head, at], key[0, head // group, at], value[0, head // group, at]
            scores = q @ k.T * 0.5
            if softcap is not None:
                scores = softcap * torch.tanh(scores / softcap)
            gap = torch.arange(len(at))[:, None] - torch.arange(len(at))[None]
            hidden = (gap < 0) | (gap >= (window or 10**9))
            weights = scores.masked_fill(hidden, float("-inf")).exp()
            bottom = weights.sum(-1, keepdim=True) + (sinks[head].exp() if sinks is not None else 0.0)
            output = output.index_put((torch.tensor(0), at, torch.tensor(head)), (weights / bottom) @ v)
    return output


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("keep_bytes", [0, 1 << 30], ids=["recomputed", "kept"])
def test_segments_equal_separate_sequences_forward_and_backward(
    monkeypatch: pytest.MonkeyPatch, window: int | None, keep_bytes: int
) -> None:
    monkeypatch.setattr(segments, "KEEP_BYTES", keep_bytes)
    context, *inputs = states(value_dim=6)
    output = segment_attention(*inputs, context, 0.5, window)
    expected = by_hand(context, *inputs, window=window)
    torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)
    weight = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = torch.autograd.grad((output * weight).sum(), inputs)
    wanted = torch.autograd.grad((expected * weight).sum(), inputs)
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [{}, {"window": 3}, {"softcap": 2.0}, {"sinks": torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=torch.float64)}],
    ids=["plain", "window", "softcap", "sinks"],
)
@pytest.mark.parametrize("attend", [dense_attention, flex_row_attention], ids=["dense", "flex"])
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")  # the kernel exists on CUDA alone
def test_dense_and_flex_equal_separate_sequences(attend, options) -> None:
    context, *inputs = states()
    inputs = [part.detach().float() for part in inputs]
    options = {name: part.float() if isinstance(part, Tensor) else part for name, part in options.items()}
    torch.testing.assert_close(
        attend(*inputs, context, 0.5, **options), by_hand(context, *inputs, **options), rtol=1e-5, atol=1e-5
    )


def test_dense_gradients_equal_separate_sequences() -> None:
    context, *inputs = states()
    sinks = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    # dense computes its softmax in float32, as transformers' eager attention does
    found = torch.autograd.grad(dense_attention(*inputs, context, 0.5, sinks=sinks).square().sum(), [*inputs, sinks])
    wanted = torch.autograd.grad(by_hand(context, *inputs, sinks=sinks).square().sum(), [*inputs, sinks])
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)

"""The proof at load: one tiny trie computed both ways decides whether a model may take the trie path.

A list of good architectures rots; a proof does not. The control keeps it honest: the same row under a plain causal
mask, as if the structure were ignored, must differ by far more than the two right ways differ from each other.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from palate.errors import ModelError
from palate.trie import TrieRow, plan_rows
from palate.trie.attention import ATTENTION_NAME, register_attention
from palate.trie.context import RowContext

ALLOWED = {torch.float32: 1e-5, torch.float64: 1e-9, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Largest difference of a hidden state, relative to the largest state: rounding, with room for deep models."""

CONTROL_RATIO = {torch.float32: 1e-2, torch.float64: 1e-4, torch.float16: 0.2, torch.bfloat16: 0.35}
"""And relative to what ignoring the structure would change: a leak in a model whose attention hardly matters yet."""

PROBE_WINDOW = 4
"""Sliding windows and attention chunks are narrowed to this many positions, so that a short probe can see them."""


@dataclass(frozen=True, slots=True)
class ExecutionPath:
    """How a model computes: once per distinct prefix, or padded sequence by sequence, and why."""

    kind: Literal["trie", "padded"]
    reason: str


def prove(backbone: nn.Module) -> ExecutionPath:
    """Run one tiny trie packed and sequence by sequence, and compare.

    Args:
        backbone: a transformers model; its attention implementation is left at the one that the answer names.

    Returns:
        The path to take. What cannot take the trie path is no error: it is computed padded, and the reason says why.
    """
    register_attention()
    if not hasattr(backbone, "set_attn_implementation"):
        return ExecutionPath("padded", f"{type(backbone).__name__} does not let its attention be chosen")
    training = backbone.training
    backbone.eval()
    try:
        with torch.no_grad(), _narrow_windows(backbone):
            path = _compare(backbone, _probe(backbone))
    finally:
        backbone.train(training)
    use_attention(backbone, path.kind)
    return path


def use_attention(backbone: Any, kind: Literal["trie", "padded"]) -> None:
    """Set a backbone's attention to the trie backends, or to transformers' own."""
    try:
        backbone.set_attn_implementation(ATTENTION_NAME if kind == "trie" else "sdpa")
    except (ValueError, ImportError):  # no SDPA for this architecture
        backbone.set_attn_implementation("eager")


def run_row(backbone: Any, context: RowContext) -> Tensor:
    """The last hidden states [seq, dim] of a planned row.

    Raises:
        ModelError: the backbone's attention is no longer the trie's; it would leak between responses in silence.
    """
    if (found := backbone.config._attn_implementation) != ATTENTION_NAME:  # noqa: SLF001  (transformers has no other)
        raise ModelError(
            f"the attention of {type(backbone).__name__} was changed to {found!r} after the proof that it computes "
            "rows of tries. Leave it, or make a new RewardModel around the backbone."
        )
    output = backbone(
        input_ids=context.token_ids, position_ids=context.position_ids, use_cache=False, palate_row=context
    )
    return output.last_hidden_state[0]


def _compare(backbone: nn.Module, sequences: list[list[int]]) -> ExecutionPath:
    device, dtype = _where(backbone)
    (row,) = plan_rows([sequences, [sequences[0][:5]]], 1 << 20)
    use_attention(backbone, "padded")
    alone = [_alone(backbone, ids, device) for ids in [*sequences, sequences[0][:5]]]
    use_attention(backbone, "trie")
    try:
        packed = run_row(backbone, RowContext(row, "segments", device))
        control = run_row(backbone, RowContext(_without_structure(row), "dense", device))
    except ModelError as error:
        return ExecutionPath("padded", str(error).rstrip("."))
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
        return ExecutionPath(
            "padded", f"a packed row fails in {type(backbone).__name__}: {str(error).splitlines()[0][:120]}"
        )
    difference, changed, largest = 0.0, 0.0, 1e-30
    for states, path in zip(alone, row.paths, strict=True):
        at = torch.cat([torch.arange(start, stop, device=device) for start, stop in path])
        difference = max(difference, float((packed[at].float() - states).abs().max()))
        changed = max(changed, float((control[at].float() - states).abs().max()))
        largest = max(largest, float(states.abs().max()))
    relative, ratio = difference / largest, difference / max(changed, 1e-30)
    if relative <= ALLOWED[dtype] and ratio <= CONTROL_RATIO[dtype]:
        return ExecutionPath("trie", f"a packed probe equals separate passes within {relative:.0e} of its states")
    return ExecutionPath("padded", f"a packed probe differs from separate passes by {relative:.0e} of its states")


def _where(backbone: nn.Module) -> tuple[torch.device, torch.dtype]:
    parameter = next(backbone.parameters())
    return parameter.device, parameter.dtype if parameter.dtype in ALLOWED else torch.float16


def _alone(backbone: Any, ids: list[int], device: torch.device) -> Tensor:
    return backbone(input_ids=torch.tensor([ids], device=device)).last_hidden_state[0].float()


def _probe(backbone: Any) -> list[list[int]]:
    """A tree of three levels: a prompt, two turns, two and three endings; ids from the upper vocabulary."""
    vocab = backbone.get_input_embeddings().weight.shape[0]
    draw = np.random.default_rng(0)

    def some(count: int) -> list[int]:
        return [int(token) for token in draw.integers(vocab // 4, vocab, count)]

    prompt, left, right = some(7), some(3), some(5)
    return [prompt + left + some(6), prompt + left + some(2), *(prompt + right + some(n) for n in (4, 1, 7))]


def _without_structure(row: TrieRow) -> TrieRow:
    from dataclasses import replace

    return replace(row, subtree_end=np.full_like(row.subtree_end, len(row)), tries=((0, len(row)),))


@contextmanager
def _narrow_windows(backbone: nn.Module) -> Generator[None]:
    """Narrow every sliding window and attention chunk, in the config and in the layers, for the length of a probe."""
    names = ("sliding_window", "attention_chunk_size")
    holders: list[Any] = [
        *{id(c): c for c in (getattr(m, "config", None) for m in backbone.modules())}.values(),
        *backbone.modules(),
    ]
    before = [
        (holder, name, value)
        for holder in holders
        if holder is not None
        for name in names
        if isinstance(value := getattr(holder, name, None), int) and not isinstance(value, bool)
    ]
    for holder, name, _ in before:
        setattr(holder, name, PROBE_WINDOW)
    try:
        yield
    finally:
        for holder, name, value in before:
            setattr(holder, name, value)

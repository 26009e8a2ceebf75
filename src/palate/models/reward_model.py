"""The reward model: backbone + pooling + head, over rows of tries or, where a model needs it, padded sequences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from palate.errors import NonFiniteError
from palate.models.linear import use_onednn
from palate.models.padded import padded_hidden, sequences_of
from palate.models.pooling import Pooling, pool
from palate.models.proof import ExecutionPath, prove, run_row, use_attention
from palate.models.threads import map_rows, row_threads
from palate.trie import TrieRow, plan_rows
from palate.trie.context import Backend, RowContext

TOKENS_PER_ROW = 8192
"""The aim for a row's length: the matrix products are at their peak well before."""

CPU_TOKENS_PER_ROW = 2048
"""The same on CPU, where a row's states should stay in the cache: scoring was 16 to 27 % faster than with 8192."""


@dataclass(frozen=True, slots=True)
class RowOutput:
    """What a forward pass over one row gives.

    Attributes:
        rewards: [sequences] float32, in the order of the row's members.
        states: per member its hidden states [seq, dim]; only if asked for.
    """

    rewards: Float[Tensor, "sequences"]
    states: list[Tensor] | None = None


class RewardModel(nn.Module):
    """A transformer whose last linear layer is one row: d_model numbers in, one unbounded reward out (S1.1).

    Attributes:
        backbone: the transformer, without a language-model head.
        head: [1, dim], no bias, float32 whatever the backbone's dtype.
        lm_head: the language-model head, kept beside only where a run trains with `lm_weight` (S3.2).
        pooling: which hidden state the head reads.
        path: how rows are computed, and why; proved when the model is made.
    """

    def __init__(
        self, backbone: nn.Module, head: nn.Linear, pooling: Pooling = "end", lm_head: nn.Module | None = None
    ):
        """Put the parts together, and prove which path the backbone may take."""
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.lm_head = lm_head
        self.pooling: Pooling = pooling
        use_onednn(backbone)
        self.path: ExecutionPath = prove(backbone)

    @property
    def config(self) -> Any:
        """The backbone's config."""
        return self.backbone.config

    @property
    def device(self) -> torch.device:
        """Where the head lies."""
        return self.head.weight.device

    def use_padded_path(self, reason: str) -> None:
        """Compute padded from now on, whatever the proof said: for comparison, and for tests."""
        self.path = ExecutionPath("padded", reason)
        use_attention(self.backbone, "padded")

    def forward(self, row: TrieRow, *, with_states: bool = False, backend: Backend | None = None) -> RowOutput:
        """Rewards of a row's sequences, with gradients.

        Args:
            row: the plan.
            with_states: also return every sequence's hidden states, for a language-model loss.
            backend: which attention computes the trie; None is `flex` on CUDA, `segments` elsewhere.

        Returns:
            Rewards in the order of `row.members`.
        """
        if self.path.kind == "padded":
            states = padded_hidden(self.backbone, sequences_of(row), TOKENS_PER_ROW)
            pooled = torch.cat([pool(own, [((0, len(own)),)], self.pooling) for own in states])
            return RowOutput(self._read(pooled), states if with_states else None)
        chosen = backend or ("flex" if self.device.type == "cuda" else "segments")
        hidden = run_row(self.backbone, RowContext(row, chosen, self.device))
        rewards = self._read(pool(hidden, row.paths, self.pooling))
        states = [torch.cat([hidden[a:b] for a, b in path]) for path in row.paths] if with_states else None
        return RowOutput(rewards, states)

    def score_ids(
        self, lists: Sequence[Sequence[Sequence[int]]], tokens_per_row: int | None = None
    ) -> list[list[float]]:
        """Rewards of ranked or unranked lists of sequences, without gradients.

        Args:
            lists: per list its sequences of token ids, the end token included.
            tokens_per_row: the aim for one forward pass, in distinct tokens; None is `row_size()`.

        Returns:
            Per list its rewards, in order.

        Raises:
            NonFiniteError: a reward that is NaN or infinite; the message names the list.
        """
        rewards = [[0.0] * len(sequences) for sequences in lists]
        training = self.training
        self.eval()
        try:
            rows = plan_rows(lists, tokens_per_row or self.row_size())
            for row, values in zip(rows, map_rows(self._row_values, rows, row_threads(self.backbone)), strict=True):
                for (at, index), value in zip(row.members, values, strict=True):
                    rewards[at][index] = value
        finally:
            self.train(training)
        _require_finite(rewards)
        return rewards

    def row_size(self) -> int:
        """Distinct tokens a row should have where nobody says otherwise."""
        return CPU_TOKENS_PER_ROW if self.device.type == "cpu" else TOKENS_PER_ROW

    def _row_values(self, row: TrieRow) -> list[float]:
        with torch.inference_mode():
            return self(row).rewards.tolist()

    def _read(self, pooled: Float[Tensor, "sequences dim"]) -> Float[Tensor, "sequences"]:
        with torch.autocast(self.device.type, enabled=False):
            return self.head(pooled.float()).squeeze(-1)


def new_head(dim: int, seed: int = 0) -> nn.Linear:
    """A head drawn from N(0, 1/(dim + 1)), so that rewards start near N(0, 1) times the state's scale.

    Source: Stiennon et al. 2020 (Summarize), appendix: the head is drawn from N(0, 1/(d_model + 1)).
    """
    head = nn.Linear(dim, 1, bias=False, dtype=torch.float32)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.randn(1, dim, generator=draw) * (1 / (dim + 1)) ** 0.5)
    return head


def state_size(backbone: nn.Module) -> int:
    """The width of a backbone's last hidden states, found by running it: OPT-350m's is not its `hidden_size`."""
    device = next(backbone.parameters()).device
    training = backbone.training
    backbone.eval()
    with torch.no_grad():
        width = backbone(input_ids=torch.zeros(1, 2, dtype=torch.long, device=device)).last_hidden_state.shape[-1]
    backbone.train(training)
    return int(width)


def _require_finite(rewards: Sequence[Sequence[float]]) -> None:
    for at, values in enumerate(rewards):
        for index, value in enumerate(values):
            if not float("-inf") < value < float("inf"):
                raise NonFiniteError(
                    f"the reward of response {index} of list {at} is {value}. Check the weights for NaN, and "
                    "float16 for overflow: bfloat16 or float32 has the range."
                )

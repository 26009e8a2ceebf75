"""A planned row on its device: the tensors and masks that every layer's attention reads."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from palate.trie.blocks import Block, plan_blocks
from palate.trie.plan import TrieRow

Backend = Literal["segments", "flex", "dense"]


@dataclass
class RowContext:
    """What travels through a backbone as the keyword argument `palate_row`.

    Attributes:
        row: the plan.
        backend: which attention computes it.
        device: where the tensors lie.
    """

    row: TrieRow
    backend: Backend
    device: torch.device
    _masks: dict[Any, Any] = field(default_factory=dict[Any, Any], repr=False)

    @cached_property
    def token_ids(self) -> Int[Tensor, "1 seq"]:
        """The row's tokens, as a batch of one."""
        return torch.from_numpy(self.row.token_ids)[None].to(self.device)

    @cached_property
    def position_ids(self) -> Int[Tensor, "1 seq"]:
        """The row's depths, as a batch of one."""
        return torch.from_numpy(self.row.position_ids)[None].to(self.device)

    @cached_property
    def subtree_end(self) -> Int[Tensor, "seq"]:
        """One past the last token below each token."""
        return torch.from_numpy(self.row.subtree_end).to(self.device)

    @cached_property
    def ends(self) -> Int[Tensor, "sequences"]:
        """Row index of each member's last token."""
        return torch.from_numpy(self.row.ends).to(self.device)

    @cached_property
    def blocks(self) -> list[Block]:
        """The work plan of the `segments` backend."""
        return plan_blocks(self.row.segments)

    def visible(
        self, queries: Int[Tensor, "queries"], keys: Int[Tensor, "keys"], window: int | None = None
    ) -> Bool[Tensor, "queries keys"]:
        """The predicate: query q sees key k iff k <= q < subtree_end[k], and within `window` positions if given."""
        q, k = queries[:, None], keys[None, :]
        seen = (k <= q) & (q < self.subtree_end[k])
        if window is not None:
            positions = self.position_ids[0]
            seen &= positions[q] - positions[k] < window
        return seen

    def block_masks(self, window: int | None, dtype: torch.dtype) -> list[Tensor]:
        """Per block the additive mask [queries, keys]: 0 where seen, -inf elsewhere; made once a row for all layers."""
        made = self._masks.get((window, dtype))
        if made is None:
            made = [self._additive(block, window, dtype) for block in self.blocks]
            self._masks[window, dtype] = made
        return made

    def _additive(self, block: Block, window: int | None, dtype: torch.dtype) -> Tensor:
        queries = torch.arange(block.start, block.stop, device=self.device)
        keys = torch.cat([torch.arange(start, stop, device=self.device) for start, stop in block.keys])
        mask = torch.zeros(len(queries), len(keys), dtype=dtype, device=self.device)
        return mask.masked_fill_(~self.visible(queries, keys, window), float("-inf"))

    def remember(self, key: Any, make: Any) -> Any:
        """What `make()` gave for `key`, made once a row (FlexAttention's block masks)."""
        if key not in self._masks:
            self._masks[key] = make()
        return self._masks[key]

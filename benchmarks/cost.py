"""Owns the floating-point operations that a model needs for given tokens; only matrix products are counted."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Llama-shaped decoder that cost matrix products."""

    dim: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int

    @classmethod
    def of(cls, model: Path) -> "Shape":
        """Read from a folder's config.json."""
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        heads, dim = config["num_attention_heads"], config["hidden_size"]
        return cls(
            dim=dim,
            intermediate=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or dim // heads,
        )

    @property
    def linears(self) -> list[tuple[int, int]]:
        """(in, out) of each linear map of one layer: query, key, value, output, gate, up, down."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        mlp = [(self.dim, self.intermediate), (self.dim, self.intermediate), (self.intermediate, self.dim)]
        return [(self.dim, q), (self.dim, kv), (self.dim, kv), (q, self.dim), *mlp]

    def forward_flops(self, tokens: int, products: int) -> int:
        """Of a forward pass.

        Args:
            tokens: computed.
            products: query-key products, that is, for each token the number of tokens that it sees.
        """
        linear = sum(2 * into * out for into, out in self.linears) * self.layers
        attention = 4 * self.heads * self.head_dim * self.layers
        return linear * tokens + attention * products

    def training_flops(self, tokens: int, products: int) -> int:
        """Of a forward and a backward pass: three times the forward's, recomputation not counted."""
        return 3 * self.forward_flops(tokens, products)

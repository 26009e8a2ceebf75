"""Where a run starts: a language model under a new head, or a reward model that keeps its own."""

from dataclasses import dataclass
from typing import Any

import torch

from palate.checkpoints import describe, load_for_training
from palate.errors import ConfigError
from palate.models import RewardModel
from palate.tokens import TokenPolicy, check_policy, load_tokenizer
from palate.tokens.tokenizer import token_id
from palate.training.config import TrainConfig


@dataclass(frozen=True)
class Beginning:
    """What a run trains.

    Attributes:
        model: on the CPU.
        tokenizer: with the policy applied.
        policy: the reward model's own, or detected.
        note: where the head comes from, in words.
        new_token: the id of an end token that this run added to the vocabulary, if it did.
    """

    model: RewardModel
    tokenizer: Any
    policy: TokenPolicy
    note: str
    new_token: int | None


def begin(config: TrainConfig) -> Beginning:
    """Load the model, decide its tokens, and give it a head if it has none.

    Raises:
        CheckpointError: no such model, a damaged one, or a head that palate cannot read.
        ModelError: weights missing, an architecture that cannot be scored, no language-model head for `lm_weight`.
        ConfigError: a pooling that is not the one a reward model's head was trained with.
        TokenPolicyError: no tokenizer, no end token that is certain, or an id without a row in the embedding.
    """
    start = load_for_training(
        config.model,
        options=config.tokens.options(),
        init=config.init,
        dtype=getattr(torch, config.weights_dtype),
        with_lm_head=config.lm_weight > 0,
        seed=config.seed,
    )
    new_token = start.policy.end_id if _is_new(config, start.policy) else None
    backbone: Any = start.backbone
    embedding = backbone.get_input_embeddings().weight
    check_policy(start.tokenizer, start.policy, embedding.shape[0])
    pooling = config.pooling or "end"
    if start.head_kept:
        contract = describe(config.model).contract
        own = "end" if contract is None else contract.pooling
        if config.pooling not in (None, own):
            raise ConfigError(
                f"pooling is {config.pooling!r}, but {config.model} is a reward model whose head reads {own!r}."
            )
        pooling = own
    model = RewardModel(start.backbone, start.head, pooling, start.lm_head)
    return Beginning(model, start.tokenizer, start.policy, start.note, new_token)


def _is_new(config: TrainConfig, policy: TokenPolicy) -> bool:
    """Whether the end token is one that the model's own tokenizer does not know."""
    return policy.strategy == "dedicated" and token_id(load_tokenizer(config.model), policy.end_token or "") is None

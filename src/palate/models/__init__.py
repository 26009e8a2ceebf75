"""Reward models: a backbone, a pooling and a head, and how packed rows run through them."""

from palate.models.backbone import load_backbone, load_config
from palate.models.pooling import POOLINGS, Pooling
from palate.models.proof import ExecutionPath
from palate.models.reward_model import TOKENS_PER_ROW, RewardModel, RowOutput, new_head, state_size

__all__ = [
    "POOLINGS",
    "TOKENS_PER_ROW",
    "ExecutionPath",
    "Pooling",
    "RewardModel",
    "RowOutput",
    "load_backbone",
    "load_config",
    "new_head",
    "state_size",
]

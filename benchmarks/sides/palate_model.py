"""Owns turning the workload's checkpoint into palate's reward model."""

from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from palate.models import RewardModel


def load_reward_model(folder: str, weights_dtype: str, device: str) -> RewardModel:
    """A sequence classifier with one label as a reward model: the same weights, the head in float32."""
    loaded: Any = AutoModelForSequenceClassification.from_pretrained(folder, dtype=getattr(torch, weights_dtype))
    return RewardModel(loaded.base_model, loaded.score.float()).to(device)

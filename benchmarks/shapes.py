"""Owns models with published shapes and random weights, for runs on an accelerator."""

import sys
from pathlib import Path
from typing import Any

from alternate import Side, run_side

SHAPES: dict[str, dict[str, Any]] = {
    # https://huggingface.co/Qwen/Qwen3-0.6B/blob/main/config.json
    "qwen3-0.6b": {
        "model_type": "qwen3",
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
    },
    # https://huggingface.co/meta-llama/Llama-3.1-8B/blob/main/config.json
    "llama-3.1-8b": {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
    },
}


def make_model(shape: str, folder: Path, device: str) -> Path:
    """Write a seeded random sequence classifier of a published shape, in bfloat16, where both sides can load it."""
    job = {"config": SHAPES[shape], "out": str(folder), "device": device}
    run_side(Side("make_model", sys.executable, "make_model.py", job), threads=8)
    return folder

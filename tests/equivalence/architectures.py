"""Tiny, random, seeded models of every architecture that the design names, built in memory."""

from typing import Any

import torch
from torch import nn

VOCAB = 97

SIZES: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attention_dropout": 0.0,
    "hidden_dropout": 0.0,
}

MOE = {"num_local_experts": 4, "num_experts_per_tok": 2, "num_experts": 4, "moe_intermediate_size": 24}

MLA = {
    "kv_lora_rank": 8,
    "q_lora_rank": 8,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 12,
    "n_routed_experts": 4,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "first_k_dense_replace": 1,
    "num_key_value_heads": 4,
    "head_dim": 8,
}

# Every architecture for which the packed path must be exact, and what its tiny config needs beside the sizes.
TRIE: dict[str, dict[str, Any]] = {
    "gpt2": {
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 64,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
    },
    "gpt_neox": {},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32, "dropout": 0.0},
    "llama": {},
    "mistral": {"sliding_window": 5},
    "mixtral": {**MOE, "sliding_window": 5},
    "qwen2": {},
    "qwen2_moe": {**MOE, "shared_expert_intermediate_size": 24},
    "qwen3": {},
    "qwen3_moe": MOE,
    "gemma": {},
    "gemma2": {"sliding_window": 5, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": 5, "query_pre_attn_scalar": 8},
    "phi": {"num_key_value_heads": 4, "embd_pdrop": 0.0, "resid_pdrop": 0.0},
    "phi3": {"sliding_window": 5, "embd_pdrop": 0.0, "resid_pdrop": 0.0},
    "olmo": {},
    "olmo2": {},
    "olmo3": {"sliding_window": 5},
    "starcoder2": {"sliding_window": 5, "residual_dropout": 0.0, "embedding_dropout": 0.0},
    "cohere": {},
    "cohere2": {"sliding_window": 5},
    "gpt_oss": {**MOE, "sliding_window": 5},
    "smollm3": {"no_rope_layers": [1, 0]},
    "granite": {},
    "granitemoe": MOE,
    "deepseek_v2": MLA,
    "deepseek_v3": MLA,
    "glm": {},
    "glm4": {},
    "internlm3": {},
    "persimmon": {"num_key_value_heads": 4},
    "exaone4": {"sliding_window": 5},
    "ernie4_5": {},
    "hunyuan_v1_dense": {},
    "seed_oss": {},
    "helium": {},
    "bitnet": {},
    "ministral": {"sliding_window": 5},
}

# Architectures that must be seen to be unfit for the packed path, and computed padded.
PADDED: dict[str, dict[str, Any]] = {
    "bloom": {"n_layer": 2, "n_head": 4, "hidden_dropout": 0.0},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64, "expansion_ratio": 2},
    "mamba": {"state_size": 4, "num_hidden_layers": 2},
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1},
    "lfm2": {"full_attn_idxs": [1]},
    "stablelm": {},
    "nemotron": {},
    "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "roberta": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
}


def make_backbone(model_type: str, seed: int = 0) -> nn.Module:
    """A tiny backbone with weights large enough for attention to matter."""
    from transformers import AutoConfig, AutoModel

    extra = {**TRIE, **PADDED}[model_type]
    config = AutoConfig.for_model(model_type, **{**SIZES, **extra})
    torch.manual_seed(seed)
    model = AutoModel.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2 and "norm" not in name:
                parameter.mul_(4.0)
    return model.eval()

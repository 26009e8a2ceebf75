"""Tiny reward models with a byte-level tokenizer, built in memory and seeded, and checkpoints made of them."""

from functools import cache
from pathlib import Path
from typing import Any

import torch

from equivalence.architectures import SIZES, TRIE
from palate.checkpoints import Contract, save_checkpoint
from palate.models import RewardModel, new_head, state_size
from palate.tokens import TokenOptions, TokenPolicy, apply_policy, detect_policy

END, VOCAB, POSITIONS = "<|endoftext|>", 260, 512
END_ID = 256  # behind the 256 bytes

CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}<|endoftext|>{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@cache
def _bytes(size: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*alphabet, *(f"unused {at}" for at in range(size - len(alphabet)))]
    made = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made.to_str()


def make_tokenizer(chat: str | None = None, size: int = 256) -> Any:
    """One token a byte, `<|endoftext|>` as EOS with the id `size`, no pad token: GPT-2's case."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer.from_str(_bytes(size))
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END, chat_template=chat)


def make_config(model_type: str = "llama", **more: Any) -> Any:
    """A config whose vocabulary has a few spare rows."""
    from transformers import AutoConfig

    own = {"vocab_size": VOCAB, "max_position_embeddings": POSITIONS, "n_positions": POSITIONS, "bos_token_id": None}
    ends = {"eos_token_id": END_ID, "pad_token_id": None}
    extra = {**TRIE, "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}}[model_type]
    return AutoConfig.for_model(model_type, **{**SIZES, **extra, **own, **ends, **more})


def make_backbone(config: Any, seed: int = 0) -> Any:
    """Random weights, large enough for attention and tokens to matter."""
    from transformers import AutoModel

    torch.manual_seed(seed)
    backbone = AutoModel.from_config(config)
    with torch.no_grad():
        for name, parameter in backbone.named_parameters():
            if parameter.ndim >= 2 and "norm" not in name:
                parameter.mul_(4.0)
    return backbone.eval()


def make_model(
    model_type: str = "llama",
    *,
    pooling: Any = "end",
    options: TokenOptions | None = None,
    chat: str | None = None,
    **more: Any,
) -> tuple[RewardModel, Any, TokenPolicy]:
    """A reward model, its tokenizer with the policy applied, and the policy."""
    backbone = make_backbone(make_config(model_type, **more))
    tokenizer = make_tokenizer(chat)
    policy = detect_policy(tokenizer, backbone.config, None, options or TokenOptions())
    apply_policy(tokenizer, policy)
    model = RewardModel(backbone, new_head(state_size(backbone), seed=1), pooling).eval()
    return model, tokenizer, policy


def make_checkpoint(out: Path, model_type: str = "llama", **options: Any) -> Path:
    """A saved reward model."""
    model, tokenizer, policy = make_model(model_type, **options)
    save_checkpoint(model, tokenizer, Contract(policy, pooling=model.pooling), out)
    return out


def save_language_model(folder: Path, model_type: str = "llama", **more: Any) -> Path:
    """A language model's folder as transformers writes it, with a tokenizer."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(make_config(model_type, **more)).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder

"""Writes the tables of docs/tokens.md: `python docs/make_tokens.py ../shared` detects every family's policy there."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palate.errors import TokenPolicyError
from palate.tokens import TokenPolicy, detect_policy, load_tokenizer
from palate.tokens.page import exceptions_table, families_table, filled, refusals_table

PAGE = Path(__file__).with_name("tokens.md")

Family = tuple[str, dict[str, Any], dict[str, Any]]  # folder, what config.json says, what generation_config.json says

REAL: Mapping[str, Family] = {
    "GPT-2": ("gpt2", {"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, "eos_token_id": 50256}, {}),
    "Phi-2 (CodeGen)": ("codegen-phi2", {"model_type": "phi", "vocab_size": 51200, "eos_token_id": 50256}, {}),
    "GPT-NeoX, Pythia": ("gpt-neox-20b", {"model_type": "gpt_neox", "vocab_size": 50432, "eos_token_id": 2}, {}),
    "Falcon": ("falcon", {"model_type": "falcon", "vocab_size": 65024, "eos_token_id": 11}, {"eos_token_id": 11}),
    "StarCoder": ("starcoder", {"model_type": "gpt_bigcode", "vocab_size": 49152, "eos_token_id": 0}, {}),
    "AquilaChat2": ("aquilachat2-7b", {"model_type": "llama", "vocab_size": 100008, "eos_token_id": 0}, {}),
    "Llama 2": ("llama2", {"model_type": "llama", "vocab_size": 32000}, {"eos_token_id": 2}),
    "Llama 3.1": (
        "llama3-tiktoken",
        {"model_type": "llama", "vocab_size": 128256},
        {"eos_token_id": [128001, 128008, 128009]},
    ),
    "Mistral 0.2": ("mistral-7b-v0.2", {"model_type": "mistral", "vocab_size": 32000}, {"eos_token_id": 2}),
    "Phi-3 mini": (
        "phi-3-mini",
        {"model_type": "phi3", "vocab_size": 32064},
        {"eos_token_id": [32000, 32001, 32007]},
    ),
    "Phi-4 mini": ("phi-4-mini-instruct", {"model_type": "phi3", "vocab_size": 200064}, {}),
    "Qwen2": ("qwen2", {"model_type": "qwen2", "vocab_size": 151936}, {}),
    "Qwen2.5 Instruct": (
        "qwen2.5-instruct",
        {"model_type": "qwen2", "vocab_size": 151936},
        {"eos_token_id": [151645, 151643]},
    ),
    "Qwen3": ("qwen3", {"model_type": "qwen3", "vocab_size": 151936}, {"eos_token_id": [151645, 151643]}),
    "SmolLM2": ("smollm2-135m-instruct-sft", {"model_type": "llama", "vocab_size": 49152}, {"eos_token_id": 2}),
    "T5": ("t5-small", {"model_type": "t5", "vocab_size": 32128, "eos_token_id": 1}, {}),
    "RoBERTa": ("roberta-base", {"model_type": "roberta", "vocab_size": 50265}, {}),
}
"""Families whose whole tokenizer is in ../shared/tokenizers; config values from its MANIFEST.md."""

REFUSED = {
    "ChatGLM 2 and 3": "chatglm3-6b",
    "Qwen 1": "qwen1-tiktoken",
    "Phi-3 small": "phi-3-small-tiktoken",
    "Mistral 0.3 as published (tokenizer.model alone)": "mistral-v3-spm",
    "ALBERT (spiece.model alone)": "albert-base-v1",
}

STOPS: Mapping[str, tuple[str, ...]] = {
    "glm-4.5": ("<|endoftext|>", "<|user|>", "<|observation|>"),
    "kimi-k2": ("<|im_end|>",),
    "cohere-command-r": ("<|END_OF_TURN_TOKEN|>",),
    "gemma": ("<eos>", "<end_of_turn>"),
}
"""The tokens that a family's generation_config.json stops at."""

CONFIG_ONLY: Mapping[str, tuple[str, str]] = {
    "Gemma 1 and 2": ("gemma", "gemma2"),
    "Gemma 4": ("gemma-4", "gemma4"),
    "BLOOM": ("bloom", "bloom"),
    "Baichuan": ("baichuan", "baichuan"),
    "GLM-4.5": ("glm-4.5", "glm4_moe"),
    "DeepSeek V3.1": ("deepseek-v3.1", "deepseek_v3"),
    "DeepSeek R1 distilled": ("deepseek-r1-distill-qwen-14b", "qwen2"),
    "Command R": ("cohere-command-r", "cohere"),
    "Kimi K2": ("kimi-k2", "kimi_k2"),
    "gpt-oss": ("gpt-oss", "gpt_oss"),
    "Nemotron on Mistral": ("nvidia-mistral", "mistral"),
    "Phi-3 medium": ("phi-3-medium", "phi3"),
    "Phi-4": ("phi-4-base", "phi3"),
    "Phi-4 mini reasoning": ("phi-4-mini-reasoning", "phi3"),
    "Qwen3 30B thinking": ("qwen3-30b-thinking", "qwen3_moe"),
    "Qwen3 Coder": ("qwen3-coder", "qwen3_moe"),
    "SmolLM3": ("smollm3", "smollm3"),
}
"""Families of which only the tokenizer's config and chat template are there: folder, model_type."""

WRITTEN_BY_TEMPLATE = {
    "glm-4.5": ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    "gpt-oss": ("<|start|>", "<|message|>", "<|channel|>", "<|end|>"),
    "kimi-k2": ("<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>"),
    "gemma-4": ("<|turn>", "<turn|>"),
    "gemma": ("<start_of_turn>", "<end_of_turn>"),
    "nvidia-mistral": ("<extra_id_0>", "<extra_id_1>"),
}
"""Tokens that a config without its vocabulary leaves out."""


def stand_in(folder: Path) -> Any:
    """A tokenizer with a family's special tokens and template over a vocabulary of bytes. Its ids are its own."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={char: at for at, char in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    added = [AddedToken(one, special=True, normalized=False) for one in WRITTEN_BY_TEMPLATE.get(folder.name, ())]
    for token in config.get("added_tokens_decoder", {}).values():
        flags = {name: token[name] for name in ("lstrip", "rstrip", "single_word", "special")}
        added.append(AddedToken(token["content"], normalized=False, **flags))
    named = {name: _text(config.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **{k: v for k, v in named.items() if v})
    tokenizer.add_tokens([one for one in added if one.special], special_tokens=True)
    tokenizer.add_tokens([one for one in added if not one.special])
    tokenizer.chat_template = _template(folder, config)
    return tokenizer


def _text(token: Any) -> str | None:
    return token["content"] if isinstance(token, dict) else token


def _template(folder: Path, config: Mapping[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template")
    return (
        next(one["template"] for one in template if one["name"] == "default")
        if isinstance(template, list)
        else template
    )


def real_policies(tokenizers: Path) -> dict[str, TokenPolicy]:
    """The policy of every family whose tokenizer is there."""
    return {
        name: detect_policy(load_tokenizer(tokenizers / folder), config, generation)
        for name, (folder, config, generation) in REAL.items()
    }


def config_only_policies(tokenizers: Path) -> dict[str, TokenPolicy]:
    """The policy of every family of which the template is there."""
    return {name: config_only_policy(tokenizers, *family) for name, family in CONFIG_ONLY.items()}


def config_only_policy(tokenizers: Path, folder: str, model_type: str) -> TokenPolicy:
    """The policy of one such family, by its stand-in."""
    tokenizer = stand_in(tokenizers / "CONFIG-ONLY" / folder)
    stops = [tokenizer.convert_tokens_to_ids(one) for one in STOPS.get(folder, ())]
    return detect_policy(tokenizer, {"model_type": model_type}, {"eos_token_id": stops or None})


def refusals(tokenizers: Path) -> dict[str, str]:
    """What is said of the tokenizers that are refused, without the folder's name."""
    said: dict[str, str] = {}
    for name, folder in REFUSED.items():
        try:
            load_tokenizer(tokenizers / folder)
        except TokenPolicyError as error:
            said[name] = str(error).removeprefix(str(tokenizers / folder)).lstrip(": ")
    return said


def page(shared: Path, real: Mapping[str, TokenPolicy] | None = None) -> str:
    """docs/tokens.md with its tables as the code makes them now; `real` saves loading tokenizers anew."""
    tokenizers = shared / "tokenizers"
    real = real_policies(tokenizers) if real is None else real
    return filled(
        PAGE.read_text(encoding="utf-8"),
        {
            "exceptions": exceptions_table(),
            "families": families_table(real, ids=True),
            "config-only": families_table(config_only_policies(tokenizers), ids=False),
            "refused": refusals_table(refusals(tokenizers)),
        },
    )


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])), encoding="utf-8")

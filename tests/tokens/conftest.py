"""Tokenizers for these tests: real ones from the shared folder, loaded once, and small ones built in memory."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from palate.tokens import Renderer, TokenPolicy, apply_policy, detect_policy, load_tokenizer

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Ready:
    """A tokenizer with its policy applied, and the renderer of both."""

    tokenizer: Any
    policy: TokenPolicy
    renderer: Renderer


def ready(tokenizer: Any, config: Any = None, generation: Any = None, **options: Any) -> Ready:
    """Detect, apply, and make the renderer."""
    from palate.tokens import TokenOptions

    policy = detect_policy(tokenizer, config, generation, TokenOptions(**options))
    apply_policy(tokenizer, policy)
    return Ready(tokenizer, policy, Renderer(tokenizer, policy))


def byte_tokenizer(*special: str, plain: tuple[str, ...] = (), normalizer: Any = None, **kwargs: Any) -> Any:
    """A tokenizer over bytes with the given added tokens: a character is a token or several."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={char: at for at, char in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if normalizer is not None:
        backend.normalizer = normalizer
    normalized = normalizer is not None  # then the tokens are looked for in the normalised text
    backend.add_special_tokens([AddedToken(one, special=True, normalized=normalized) for one in special])
    backend.add_tokens([AddedToken(one, normalized=normalized) for one in plain])
    return PreTrainedTokenizerFast(tokenizer_object=backend, **kwargs)


def chatml(**kwargs: Any) -> Any:
    """A byte tokenizer with ChatML's tokens and template."""
    named = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", **kwargs}
    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", **named)
    tokenizer.chat_template = CHATML
    return tokenizer


@pytest.fixture(scope="session")
def families() -> ModuleType:
    """docs/make_tokens.py: where each family's files are, and what its configs say."""
    file = Path(__file__).parents[2] / "docs" / "make_tokens.py"
    spec = importlib.util.spec_from_file_location("make_tokens", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def real(shared: Path, families: ModuleType) -> Callable[[str], Ready]:
    """A real family by its name in docs/tokens.md, its policy applied; loaded once."""

    @cache
    def load(name: str) -> Ready:
        folder, config, generation = families.REAL[name]
        return ready(load_tokenizer(shared / "tokenizers" / folder), config, generation)

    return load

"""TokenPolicy and TokenOptions: plain JSON both ways, and no policy that contradicts itself."""

import json
from dataclasses import replace

import pytest

from palate.errors import TokenPolicyError, UsageError
from palate.tokens import TokenOptions, TokenPolicy

POLICY = TokenPolicy(
    strategy="native",
    end_token="<|end|>",
    end_id=7,
    pad_token="<|pad|>",
    pad_id=9,
    pad_source="new_row",
    bos_id=None,
    template="chat",
    template_text="{{ messages }}",
    template_date="2024-07-26",
    max_tokens=64,
    overlong="truncate",
    vocab_rows=8,
    evidence={"end": "the template says so"},
)


def test_a_policy_survives_json() -> None:
    assert TokenPolicy.from_json(json.loads(json.dumps(POLICY.to_json()))) == POLICY


@pytest.mark.parametrize("change", [{"colour": 1}, {"end_id": None}, {"strategy": "magic"}, {"overlong": "shrink"}])
def test_json_that_is_no_policy_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(TokenPolicyError):
        TokenPolicy.from_json({**POLICY.to_json(), **change})


def test_a_missing_field_is_named() -> None:
    values = POLICY.to_json()
    del values["pad_id"]
    with pytest.raises(TokenPolicyError, match="pad_id"):
        TokenPolicy.from_json(values)


def test_pad_is_never_the_end_token() -> None:
    with pytest.raises(TokenPolicyError, match="both the pad and the end token"):
        replace(POLICY, pad_id=7)


def test_a_chat_policy_carries_its_template() -> None:
    with pytest.raises(TokenPolicyError, match="template"):
        replace(POLICY, template_text=None)


def test_rows_needed_counts_the_tokens_to_add() -> None:
    assert POLICY.rows_needed == 10
    assert replace(POLICY, pad_id=3).rows_needed == 8


def test_the_template_hash_follows_its_text() -> None:
    assert POLICY.template_sha256 != replace(POLICY, template_text="{{ other }}").template_sha256
    assert replace(POLICY, template="raw", template_text=None).template_sha256 is None


@pytest.mark.parametrize(
    "options",
    [
        {"end_strategy": "remap"},
        {"end_strategy": "native", "end_token": "</s>"},
        {"end_strategy": "last"},
        {"template": "chatml"},
        {"template": "raw", "chat_template": "{{ messages }}"},
        {"overlong": "shrink"},
        {"max_tokens": 0},
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        TokenOptions(**options)  # type: ignore[arg-type]

"""Renderer: the ids are those of the model's own template, each response whole, the shared part exactly shared."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from palate.errors import DataError, OverlongError, TokenPolicyError
from palate.records import Message, as_prompt
from palate.tokens import Renderer, TokenOptions, detect_policy

from .conftest import CHATML, byte_tokenizer, chatml, ready

CHAT = ("Llama 3.1", "Mistral 0.2", "Phi-3 mini", "Phi-4 mini", "Qwen2", "Qwen2.5 Instruct", "Qwen3", "SmolLM2")
PLAIN = (
    "GPT-2",
    "Phi-2 (CodeGen)",
    "GPT-NeoX, Pythia",
    "Falcon",
    "StarCoder",
    "AquilaChat2",
    "Llama 2",
    "T5",
    "RoBERTa",
)

RESPONSES = (
    "Fine, thanks. And you?",
    "",
    "  two blanks before and after  ",
    "\n\n\nline ends\r\n\tand a tab\n",
    "naïve 中文 🦊 \u200b\u202e é e\u0301",
    "def f(x):\n        return   x\n",
    "<",
    "a|>",
)


def own_ids(one: Any, messages: list[dict[str, str]]) -> list[int]:
    """The family's own ids of a conversation, its date frozen as the policy says."""
    text = one.tokenizer.apply_chat_template(messages, tokenize=False)
    if one.policy.template_date is not None:
        day = datetime.now().strftime("%d %b %Y")  # noqa: DTZ005 the template asks for local time
        text = text.replace(day, "26 Jul 2024")
    return one.tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name", CHAT)
def test_a_chats_ids_are_those_of_the_models_own_template_up_to_the_end_token(name: str, real: Any) -> None:
    one = real(name)
    prompt = (Message("system", "Be kind."), Message("user", "How are you?"), Message("assistant", "Well."))
    prompt = (*prompt, Message("user", "  Sure?\n"))
    together = one.renderer.render(prompt, RESPONSES).sequences
    for response, ids in zip(RESPONSES, together, strict=True):
        turns = [{"role": turn.role, "content": turn.content} for turn in (*prompt, Message("assistant", response))]
        whole = own_ids(one, turns)
        assert ids == whole[: len(ids)]
        rest = one.tokenizer.decode(whole[len(ids) :]).replace("<|endoftext|>", "")
        assert rest.strip() == ""


@pytest.mark.parametrize("name", [*CHAT, *PLAIN])
def test_responses_together_get_the_ids_they_get_alone(name: str, real: Any) -> None:
    renderer = real(name).renderer
    prompt = as_prompt("What does the fox say? \n")
    together = renderer.render(prompt, RESPONSES).sequences
    assert list(together) == [renderer.render(prompt, [one]).sequences[0] for one in RESPONSES]


@pytest.mark.parametrize("name", PLAIN)
def test_a_transcripts_prompt_has_the_same_ids_whatever_follows(name: str, real: Any) -> None:
    renderer = real(name).renderer
    prompt = as_prompt("What does the fox say?")
    bare = renderer.render(prompt, [""]).sequences[0][:-1]
    for ids in renderer.render(prompt, RESPONSES).sequences:
        assert ids[: len(bare)] == bare


@pytest.mark.parametrize("name", ["GPT-2", "StarCoder", "Falcon", "GPT-NeoX, Pythia"])
def test_a_transcripts_text_comes_back_from_its_ids(name: str, real: Any) -> None:
    one = real(name)
    prompt = (
        Message("system", "Be kind."),
        Message("user", "Hi"),
        Message("assistant", "Yes?"),
        Message("user", "Who?"),
    )
    text = one.tokenizer.decode(one.renderer.render(prompt, ["  Me. "]).sequences[0][:-1])
    assert text == "\n\nSystem: Be kind.\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Who?\n\nAssistant:   Me. "


def test_words_carry_their_blank_at_the_boundary(real: Any) -> None:
    for name, word in (("GPT-2", "ĠFine"), ("Llama 2", "▁Fine")):
        one = real(name)
        tokens = one.tokenizer.convert_ids_to_tokens(one.renderer.render(as_prompt("q"), ["Fine"]).sequences[0])
        assert tokens[-2] == word


def test_raw_joins_contents_as_they_are() -> None:
    one = ready(chatml(), template="raw")
    prompt = (Message("user", "Q: 1+1?\n"), Message("user", "A:"))
    ids = one.renderer.render(prompt, [" 2", "\n3"]).sequences
    assert [one.tokenizer.decode(each) for each in ids] == ["Q: 1+1?\nA: 2<|im_end|>", "Q: 1+1?\nA:\n3<|im_end|>"]


def test_a_score_does_not_change_with_the_day(real: Any) -> None:
    one = real("Llama 3.1")
    text = one.tokenizer.decode(one.renderer.render(as_prompt("q"), ["r"]).sequences[0])
    assert "Today Date: 26 Jul 2024" in text
    assert one.policy.template_date == "2024-07-26"


@pytest.mark.parametrize("code", ["'%d %B %Y'", '"%Y-%m-%d"', "fmt"])
def test_every_way_to_ask_for_the_date_is_frozen(code: str) -> None:
    template = "{% set fmt = '%x' %}{{ strftime_now(" + code + ") }}|" + CHATML
    one = ready(chatml(), chat_template=template)
    text = one.tokenizer.decode(one.renderer.render(as_prompt("q"), ["r"]).sequences[0])
    assert text.split("|")[0] == {"'%d %B %Y'": "26 July 2024"}.get(code, "2024-07-26")


def test_a_template_that_starts_with_a_line_end_keeps_it_beside_the_clock() -> None:
    one = ready(chatml(), chat_template="\n{{ strftime_now('%Y') }}" + CHATML)
    assert one.tokenizer.decode(one.renderer.render(as_prompt("q"), ["r"]).sequences[0]).startswith(
        "\n2024<|im_start|>"
    )


def test_a_template_that_needs_a_system_turn_gets_an_empty_one(real: Any) -> None:
    one = real("Mistral 0.2")
    own = own_ids(
        one,
        [
            {"role": "system", "content": ""},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "r"},
        ],
    )
    assert one.renderer.render(as_prompt("q"), ["r"]).sequences[0] == own
    assert "'system_message' is undefined" in one.policy.evidence["system turn"]


DROPS = "{% for m in messages %}{% if m.role == 'user' %}<|im_start|>{{ m.content }}<|im_end|>{% endif %}{% endfor %}"
TWICE = CHATML + "{{ messages[-1].content }}"
FAILS = "{{ raise_exception('no') }}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (DROPS, "writes the response 0 times"),
        (TWICE, "writes the response 2 times"),
        (FAILS, "fails"),
        ("{% if", "fails"),
    ],
)
def test_a_template_that_eats_the_response_is_refused(template: str, words: str) -> None:
    with pytest.raises(TokenPolicyError, match=words):
        detect_policy(chatml(), None, options=TokenOptions(chat_template=template))


def test_a_template_that_eats_the_question_is_refused() -> None:
    template = "{{ messages[-1].content }}<|im_end|>"
    with pytest.raises(TokenPolicyError, match="drops the user's turn"):
        detect_policy(chatml(), None, options=TokenOptions(chat_template=template))


THOUGHTLESS = "{% for m in messages %}<|im_start|>{{ m.content.split('</think>')[-1] }}<|im_end|>{% endfor %}"


def test_a_response_of_which_the_template_would_drop_a_part_is_put_in_whole() -> None:
    one = ready(chatml(), chat_template=THOUGHTLESS)
    response = "<think>much</think>little"
    both = one.renderer.render(as_prompt("q"), [response, "plain"]).sequences
    assert one.tokenizer.decode(both[0]) == f"<|im_start|>q<|im_end|><|im_start|>{response}<|im_end|>"
    assert one.tokenizer.decode(both[1]) == "<|im_start|>q<|im_end|><|im_start|>plain<|im_end|>"
    assert "</think>" in one.policy.evidence["thoughts"]


def test_a_system_turn_that_the_template_drops_is_refused() -> None:
    template = "{% for m in messages if m.role != 'system' %}{{ m.content }}<|im_end|>{% endfor %}"
    one = ready(chatml(), chat_template=template)
    with pytest.raises(TokenPolicyError, match="drops it without a word"):
        one.renderer.render((Message("system", "s"), Message("user", "q")), ["r"])


def test_a_turn_that_the_template_refuses_is_named() -> None:
    template = "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}"
    one = ready(chatml(), chat_template=template + "{{ m.content }}<|im_end|>{% endfor %}")
    with pytest.raises(TokenPolicyError, match=r"tool.*no tools"):
        one.renderer.render((Message("tool", "1"), Message("user", "q")), ["r"])


def test_a_closing_that_depends_on_the_response_is_refused() -> None:
    template = (
        "{% for m in messages %}{{ m.content }}{% endfor %}{% if messages | length > 2 %}<|endoftext|>{% endif %}"
    )
    template += "<|im_end|>"
    one = ready(chatml(), chat_template=template)
    with pytest.raises(TokenPolicyError, match="would depend on the text"):
        one.renderer.render((Message("user", "a"), Message("assistant", "b"), Message("user", "c")), ["r"])


def test_a_tokenizer_that_splits_special_tokens_by_default_does_not_break_the_template() -> None:
    one = ready(chatml(split_special_tokens=True))
    ids = one.renderer.render(as_prompt("q"), ["r"]).sequences[0]
    assert ids.count(one.tokenizer.convert_tokens_to_ids("<|im_start|>")) == 2


def test_too_long_is_an_error_where_cutting_is_off() -> None:
    one = ready(chatml(), max_tokens=40, overlong="error")
    with pytest.raises(OverlongError, match=r"takes \d+ tokens, max_tokens is 40"):
        one.renderer.render(as_prompt("q" * 50), ["r"])


def test_too_long_is_dropped_where_the_policy_says_so() -> None:
    one = ready(chatml(), max_tokens=40, overlong="drop")
    assert one.renderer.render(as_prompt("q" * 50), ["r"]).dropped
    assert not one.renderer.render(as_prompt("q"), ["r"]).dropped


@pytest.mark.parametrize("text", ["half \ud83d an emoji", "\udc00"])
def test_a_lone_surrogate_is_a_data_error(text: str) -> None:
    for one in (ready(chatml()), ready(chatml(), template="transcript")):
        with pytest.raises(DataError, match="lone surrogate"):
            one.renderer.render(as_prompt("q"), [text])
        with pytest.raises(DataError, match="lone surrogate"):
            one.renderer.render(as_prompt(text), ["r"])


def test_no_response_and_no_turn_are_data_errors() -> None:
    one = ready(chatml())
    with pytest.raises(DataError):
        one.renderer.render(as_prompt("q"), [])
    with pytest.raises(DataError):
        one.renderer.render((), ["r"])


def test_a_policy_of_another_tokenizer_does_not_render() -> None:
    one = ready(chatml())
    wrong = replace(one.policy, bos_id=5)
    with pytest.raises(TokenPolicyError, match="not with BOS"):
        Renderer(one.tokenizer, wrong).render(as_prompt("q"), ["r"])


def test_transcripts_of_a_tokenizer_without_any_template_need_none() -> None:
    one = ready(byte_tokenizer("</s>", eos_token="</s>"))
    assert one.policy.template == "transcript"
    assert (
        one.tokenizer.decode(one.renderer.render(as_prompt("q"), ["r"]).sequences[0])
        == "\n\nHuman: q\n\nAssistant: r</s>"
    )

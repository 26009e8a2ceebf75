"""Cutting: what gives way, in which order, and what never does."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from palate.errors import OverlongError
from palate.records import Message, Prompt, as_prompt
from palate.tokens import Renderer
from palate.tokens.truncate import drop_first, drop_last

from .conftest import Ready, byte_tokenizer, chatml, ready

BOS_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>{% endfor %}"
)


def with_bos() -> Any:
    names = ("<s>", "<|im_start|>", "<|im_end|>", "<pad>")
    tokenizer = byte_tokenizer(*names, bos_token="<s>", eos_token="<|im_end|>", pad_token="<pad>")
    tokenizer.chat_template = BOS_TEMPLATE
    return tokenizer


LAYOUTS: dict[str, Ready] = {
    "chat": ready(chatml()),
    "chat with BOS, trimming": ready(with_bos()),
    "transcript": ready(byte_tokenizer("</s>", eos_token="</s>")),
    "raw with BOS": ready(
        byte_tokenizer("<s>", "</s>", bos_token="<s>", eos_token="</s>"), {"model_type": "mistral"}, template="raw"
    ),
}


def limited(one: Ready, max_tokens: int) -> Renderer:
    return Renderer(one.tokenizer, replace(one.policy, max_tokens=max_tokens))


TEXT = st.text(st.sampled_from("abc é中🦊<|>\n "), max_size=30)
TURNS = st.lists(st.tuples(TEXT, TEXT), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> Prompt:
    """An optional system turn, some exchanges, and a question."""
    system = [Message("system", draw(TEXT))] if draw(st.booleans()) else []
    exchanges = [
        Message(role, text) for pair in draw(TURNS) for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    return (*system, *exchanges, Message("user", draw(TEXT)))


@pytest.mark.parametrize("name", LAYOUTS)
@settings(max_examples=60, deadline=None)
@given(prompt=conversations(), responses=st.lists(TEXT, min_size=1, max_size=3), max_tokens=st.integers(20, 120))
def test_cutting_keeps_its_promises(name: str, prompt: Prompt, responses: list[str], max_tokens: int) -> None:
    one = LAYOUTS[name]
    whole = one.renderer.render(prompt, responses).sequences
    kept = tuple(replace(turn, content="") if turn.role != "system" else turn for turn in prompt)
    kept = tuple(turn for turn in kept[:-1] if turn.role == "system") + kept[-1:]
    frame = len(one.renderer.render(kept, [""]).sequences[0])
    try:
        cut = limited(one, max_tokens).render(prompt, responses)
    except OverlongError:
        assert frame > max_tokens
        return
    for before, after, count in zip(whole, cut.sequences, cut.cut_tokens, strict=True):
        assert len(after) <= max_tokens
        assert after[-1] == one.policy.end_id
        assert count == len(before) - len(after)
        assert one.policy.bos_id is None or (after[0], after.count(one.policy.bos_id)) == (one.policy.bos_id, 1)
        assert after == before or max(map(len, whole)) > max_tokens
    if name != "raw with BOS" and prompt[0].role == "system":
        texts = [one.tokenizer.decode(ids, clean_up_tokenization_spaces=False) for ids in cut.sequences]
        assert all(prompt[0].content.strip() in text for text in texts)


@settings(max_examples=60, deadline=None)
@given(prompt=conversations(), responses=st.lists(TEXT, min_size=2, max_size=4), max_tokens=st.integers(40, 120))
def test_all_responses_keep_the_same_prompt_and_are_cut_only_where_they_do_not_fit_alone(
    prompt: Prompt, responses: list[str], max_tokens: int
) -> None:
    one = LAYOUTS["chat"]
    try:
        cut = limited(one, max_tokens).render(prompt, responses)
    except OverlongError:
        assume(False)
    start, end = "<|im_start|>assistant\n", "<|im_end|>"
    texts = [one.tokenizer.decode(ids, clean_up_tokenization_spaces=False).removesuffix(end) for ids in cut.sequences]
    heads, tails = zip(*(text.rsplit(start, 1) for text in texts), strict=True)
    assert len(set(heads)) == 1
    frame = (*(turn for turn in prompt if turn.role == "system"), Message("user", ""))
    for response, tail in zip(responses, tails, strict=True):
        assert response.startswith(tail)
        alone = len(one.renderer.render(frame, [response]).sequences[0])
        assert (tail == response) == (alone <= max_tokens)


def text_of(one: Ready, max_tokens: int, prompt: Prompt, response: str = "RESPONSE") -> str:
    return one.tokenizer.decode(limited(one, max_tokens).render(prompt, [response]).sequences[0])


LONG = (
    Message("system", "SYSTEM"),
    Message("user", "first " * 10),
    Message("assistant", "second " * 10),
    Message("user", "third " * 10),
)


def test_oldest_turns_go_first_and_a_conversation_starts_with_a_user_turn_again() -> None:
    text = text_of(LAYOUTS["chat"], 150, LONG)
    assert "first" not in text
    assert "second" not in text
    assert text.count("third ") == 10
    assert "SYSTEM" in text


def test_then_the_oldest_tokens_of_the_remaining_turn_go() -> None:
    text = text_of(LAYOUTS["chat"], 80, LONG)
    kept = text.split("user\n")[1].split("<|im_end|>")[0]
    assert 0 < len(kept) < 60
    assert ("third " * 10).endswith(kept)
    assert "RESPONSE<|im_end|>" in text


def test_then_the_responses_tail_goes() -> None:
    text = text_of(LAYOUTS["chat"], 60, LONG, "R" * 100)
    assert "third" not in text
    assert "SYSTEM" in text
    assert text.endswith("R<|im_end|>")


def test_not_even_the_frame_fitting_is_an_error() -> None:
    with pytest.raises(OverlongError, match="the system turn and the template's frame alone take"):
        text_of(LAYOUTS["chat"], 20, LONG)


@pytest.mark.parametrize(
    "name", ["Llama 3.1", "Mistral 0.2", "Qwen3", "Phi-3 mini", "GPT-2", "Llama 2", "T5", "RoBERTa"]
)
def test_real_tokenizers_cut_exactly_and_not_much_more_than_needed(name: str, real: Any) -> None:
    one = real(name)
    prompt = as_prompt([{"role": "user", "content": "Why is the sky blue, said the fox? 🦊 中文 " * 20}])
    responses = ["Because of Rayleigh's scattering. " * 5, "Who knows?"]
    frame = max(map(len, one.renderer.render(as_prompt(""), responses).sequences))
    for max_tokens in (frame + 1, frame + 40, frame - 20):
        cut = limited(one, max_tokens).render(prompt, responses)
        longest = max(map(len, cut.sequences))
        assert max_tokens - 4 <= longest <= max_tokens
        assert all(ids[-1] == one.policy.end_id for ids in cut.sequences)


def test_dropping_tokens_drops_the_text_they_stand_for(real: Any) -> None:
    tokenizer = real("GPT-2").tokenizer
    assert drop_first(tokenizer, "one two three", 1) == " two three"
    assert drop_last(tokenizer, "one two three", 1) == "one two"
    assert drop_first(tokenizer, "one", 5) == ""
    assert drop_last(tokenizer, "one", 5) == ""


def test_a_character_of_several_tokens_always_gives_way_whole() -> None:
    tokenizer = LAYOUTS["chat"].tokenizer
    assert drop_first(tokenizer, "🦊a", 1) == "a"
    assert drop_last(tokenizer, "a🦊", 1) == "a"

"""The demo's model folder: a tokenizer that loses nothing, an end token of its own, a config that trains."""

import json

import pytest
import torch

from palate.demo import make_lists, make_model
from palate.errors import ModelError, StorageError, UsageError
from palate.models import load_backbone
from palate.records import Message
from palate.tokens import Renderer, detect_policy, load_tokenizer


@pytest.fixture(scope="module")
def lists():
    return make_lists(300, seed=0)


@pytest.fixture(scope="module")
def folder(lists, tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("demo") / "model", lists)


@pytest.fixture(scope="module")
def renderer(folder):
    from transformers import AutoConfig

    tokenizer = load_tokenizer(folder)
    return Renderer(tokenizer, detect_policy(tokenizer, AutoConfig.from_pretrained(folder)))


def test_the_reward_is_read_at_the_templates_end_token_and_padding_is_another(renderer):
    policy = renderer.policy
    assert (policy.end_token, policy.pad_token, policy.template) == ("<|end|>", "<|pad|>", "chat")
    assert policy.end_id != policy.pad_id


def test_a_response_reads_as_turns_and_ends_with_the_end_token_once_in_its_turn(renderer, folder):
    rendered = renderer.render((Message("user", "List 2 fruits."),), ["- pear\n- plum"])
    text = load_tokenizer(folder).decode(rendered.sequences[0])
    assert text == "<|user|>List 2 fruits.<|end|><|assistant|>- pear\n- plum<|end|>"


def test_any_text_survives_the_tokenizer(folder):
    tokenizer = load_tokenizer(folder)
    for text in ("pear,  plum\n\n- fig ", "Grüße 東京 🙂\t1234", "<b>x</b> = {y}"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_responses_of_the_demo_are_short_in_tokens(renderer, lists):
    lengths = [len(ids) for one in lists[:100] for ids in renderer.render(one.prompt, one.responses).sequences]
    assert sum(lengths) / len(lengths) < 28


def test_the_folder_holds_no_weights_so_it_trains_only_from_random_ones(folder):
    assert not list(folder.glob("*.safetensors"))
    with pytest.raises(ModelError):
        load_backbone(folder, dtype=torch.float32)
    backbone, _ = load_backbone(folder, dtype=torch.float32, init="random")
    assert sum(weight.numel() for weight in backbone.parameters()) < 1_500_000


def test_the_same_lists_give_the_same_tokenizer(lists, folder, tmp_path):
    again = make_model(tmp_path / "again", lists)
    assert (again / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    assert json.loads((again / "config.json").read_text()) == json.loads((folder / "config.json").read_text())


def test_sizes_that_make_no_model_are_refused(lists, tmp_path):
    with pytest.raises(UsageError, match="dim is 100"):
        make_model(tmp_path, lists, dim=100)
    with pytest.raises(UsageError, match="vocab 100"):
        make_model(tmp_path, lists, vocab=100)


def test_a_folder_that_cannot_be_written_is_an_error_in_words(lists, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        make_model(tmp_path / "file", lists)

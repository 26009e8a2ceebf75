"""`palate inspect`: the same facts as a table and as JSON, for a model, for a checkpoint, for broken ones."""

import json
import shutil

import pytest


def test_a_model_shows_its_tokens_and_that_it_has_no_head(palate, model):
    drawn = palate("inspect", model).out
    assert "none: training gives it one" in drawn
    assert "<|end|> (256), strategy native" in drawn
    found = json.loads(palate("inspect", model, "--json").out)
    assert (found["format"], found["head"], found["contract"]) == (None, {}, None)
    assert found["token_policy"]["end_id"] == 256
    assert found["example"][-1] == {"id": 256, "token": "<|end|>"}


def test_a_reward_model_shows_its_head_and_contract(palate, rm):
    found = json.loads(palate("inspect", rm, "--json").out)
    assert found["head"] == {"score.weight": [1, 32]}
    assert found["contract"]["pooling"] == "end"
    assert found["token_policy"]["end_token"] == "<|end|>"
    assert "language-model head" in palate("inspect", rm).out


def test_with_the_weights_it_names_the_path_and_checks_the_probes(palate, rm):
    found = json.loads(palate("inspect", rm, "--load", "--json").out)
    assert found["path"]["kind"] == "trie"
    assert found["probes_hold"] == len(found["contract"]["probes"]) > 0
    assert "trie: a packed probe equals" in palate("inspect", rm, "--load").out


def test_a_model_without_a_tokenizer_is_an_error(palate, model, tmp_path):
    shutil.copy(model / "config.json", tmp_path)
    ended = palate("inspect", tmp_path)
    assert ended.code == 2
    assert ended.err.startswith(f"TokenPolicyError: {tmp_path} has no tokenizer")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_vocabulary_larger_than_the_embedding_is_an_error(palate, model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "vocab_size": 100}))
    ended = palate("inspect", copy)
    assert ended.code == 2
    assert "TokenPolicyError: the tokenizer's vocabulary is larger than the model's embedding" in ended.err


@pytest.mark.parametrize("name", ["nowhere/at/all", "nowhere.safetensors"])
def test_a_folder_that_is_not_there_is_an_error(name, palate):
    ended = palate("inspect", name)
    assert (ended.code, ended.err) == (2, f"CheckpointError: {name}: there is no such folder.\n")

"""Who loads a checkpoint with plain transformers gets palate's scores; where that can't be, the checkpoint says so."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from checkpoints.tiny import CHAT, make_checkpoint, make_model
from palate.checkpoints import Contract, load_checkpoint, save_checkpoint
from palate.records import Message
from palate.tokens import Renderer

TEXTS = ("Yes.", "It depends on what you mean by that, and on whom you ask.", "No, never: see above.")


def plain_scores(folder: Path, sequences: list[list[int]]) -> list[float]:
    """As transformers' documentation scores a batch: its own tokenizer pads, its own class reads the last token."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model: Any = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer.pad({"input_ids": sequences}, padding=True, return_tensors="pt")
    assert batch["input_ids"].shape[0] == len(sequences)
    with torch.no_grad():
        logits = model(**batch).logits
    assert logits.shape == (len(sequences), 1)
    return [float(value) for value in logits[:, 0]]


@pytest.mark.parametrize("model_type", ["llama", "qwen2", "gpt2", "gpt_neox", "opt", "mixtral"])
@pytest.mark.filterwarnings("ignore:.*fast tokenizer.*")
def test_plain_transformers_gives_the_same_scores_on_a_padded_batch(model_type: str, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "rm", model_type)
    loaded = load_checkpoint(folder)
    prompt = (Message("user", "Is it so?"),)
    sequences = list(Renderer(loaded.tokenizer, loaded.contract.token_policy).render(prompt, TEXTS).sequences)
    assert len({len(ids) for ids in sequences}) == 3  # so that two of them are padded
    wanted = loaded.model.score_ids([sequences])[0]
    assert plain_scores(folder, sequences) == pytest.approx(wanted, abs=1e-5)
    assert max(wanted) - min(wanted) > 1e-3


def test_config_is_what_servers_expect(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    policy = json.loads((saved / "palate.json").read_text())["token_policy"]
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    assert config["id2label"] == {"0": "LABEL_0"}
    assert config["problem_type"] == "regression"
    assert config["pad_token_id"] == policy["pad_id"] != policy["end_id"]
    assert "palate_trie" not in json.dumps(config)


def test_saving_leaves_the_model_as_it_was() -> None:
    model, tokenizer, policy = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    config, attention = model.config.to_dict(), model.config._attn_implementation
    rewards = model.score_ids([[[1, 2, 3], [1, 2, 4]]])
    model.train()
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(model, tokenizer, Contract(policy), Path(folder) / "rm")
    assert model.training
    assert model.config.to_dict() == config
    assert model.config._attn_implementation == attention
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.score_ids([[[1, 2, 3], [1, 2, 4]]]) == rewards


@pytest.mark.parametrize(
    ("model_type", "pooling", "word"),
    [("bert", "end", "bert"), ("llama", "mean", "mean"), ("ernie4_5", "end", "class")],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_plain_transformers_cannot_score_is_saved_for_palate_and_says_so(
    model_type: str, pooling: str, word: str, tmp_path: Path
) -> None:
    model, tokenizer, policy = make_model(model_type, pooling=pooling)
    contract = save_checkpoint(model, tokenizer, Contract(policy, pooling=pooling), tmp_path / "rm")  # type: ignore[arg-type]
    assert contract.plain_transformers is not None
    assert not contract.plain_transformers.scores
    assert word in contract.plain_transformers.reason.lower()
    assert "cannot score this checkpoint" in (tmp_path / "rm" / "README.md").read_text()
    loaded = load_checkpoint(tmp_path / "rm")
    lists = [[[5, 6, 7, 256], [5, 6, 8, 9, 256]]]
    assert loaded.model.score_ids(lists) == model.score_ids(lists)


def test_a_chat_template_is_saved_where_other_tools_find_it(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = make_checkpoint(tmp_path / "rm", chat=CHAT)
    loaded = load_checkpoint(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    theirs = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
    ours = Renderer(loaded.tokenizer, loaded.contract.token_policy).render((Message("user", "Hi"),), ["Hello"])
    assert theirs[: len(ours.sequences[0])] == ours.sequences[0]
    assert len(theirs) - len(ours.sequences[0]) == 1  # the line end that the template writes behind the end token

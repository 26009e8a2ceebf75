"""What loading leaves behind in transformers: nothing; and what growing an embedding leaves to chance: nothing."""

import logging
from typing import Any

import pytest
import torch

from checkpoints.tiny import make_backbone, make_config
from palate.models import grow_embedding, quiet_transformers


def test_transformers_is_as_loud_afterwards_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging as theirs

    logger = logging.getLogger("transformers.modeling_utils")
    before = theirs.is_progress_bar_enabled(), list(logger.filters), logger.level
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        with quiet_transformers():
            assert list(theirs.tqdm([1, 2], desc="Loading weights")) == [1, 2]
            logger.warning("LlamaModel LOAD REPORT from: somewhere")
            logger.warning("something else")
        assert capsys.readouterr().err.count("Loading weights") == 0
        assert seen == ["something else"]
        assert list(theirs.tqdm([1], desc="afterwards")) == [1]
        assert "afterwards" in capsys.readouterr().err
    finally:
        logger.removeHandler(handler)
    assert (theirs.is_progress_bar_enabled(), list(logger.filters), logger.level) == before


def test_a_failure_within_leaves_nothing_either() -> None:
    logger = logging.getLogger("transformers.modeling_utils")
    before = list(logger.filters)
    with pytest.raises(KeyError), quiet_transformers():
        raise KeyError
    assert list(logger.filters) == before


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_start_from_a_row_that_is_named_and_no_old_row_changes(tied: bool) -> None:
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    language_model: Any = AutoModelForCausalLM.from_config(make_config(tie_word_embeddings=tied))
    backbone, head = language_model.model, language_model.lm_head
    old, old_head = backbone.embed_tokens.weight.detach().clone(), head.weight.detach().clone()
    assert grow_embedding(backbone, 263, like=7, lm_head=head)
    new = backbone.embed_tokens.weight
    assert backbone.config.vocab_size == len(new) == len(head.weight) == head.out_features == 263
    assert torch.equal(new[:260], old)
    assert torch.equal(head.weight[:260], old_head)
    assert all(torch.equal(row, old[7]) for row in new[260:])
    assert all(torch.equal(row, old_head[7]) for row in head.weight[260:])
    assert (head.weight is new) == tied
    assert new.requires_grad


def test_without_a_row_to_start_from_new_rows_are_the_mean() -> None:
    backbone = make_backbone(make_config())
    old = backbone.embed_tokens.weight.detach().clone()
    grow_embedding(backbone, 262)
    assert torch.allclose(backbone.embed_tokens.weight[260:], old.mean(0).expand(2, -1), atol=1e-6)


def test_an_embedding_that_is_large_enough_is_left_alone() -> None:
    backbone = make_backbone(make_config())
    before = backbone.embed_tokens.weight
    assert not grow_embedding(backbone, 200)
    assert backbone.embed_tokens.weight is before

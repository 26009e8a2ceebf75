"""One loaded reward model for all tests of `palate.scoring`."""

from pathlib import Path

import pytest

from checkpoints.tiny import make_model
from palate.checkpoints import Contract, save_checkpoint
from palate.scoring import Scorer, load


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved reward model with a reference mean and std."""
    out = tmp_path_factory.mktemp("saved") / "rm"
    model, tokenizer, policy = make_model()
    save_checkpoint(model, tokenizer, Contract(policy, reward_mean=0.5, reward_std=2.0), out)
    return out


@pytest.fixture(scope="session")
def rm(folder: Path) -> Scorer:
    """It, loaded."""
    return load(folder)

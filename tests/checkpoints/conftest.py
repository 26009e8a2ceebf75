"""One saved reward model for all tests of `palate.checkpoints`; those that damage it work on a copy."""

import shutil
from pathlib import Path

import pytest

from checkpoints.tiny import make_checkpoint


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model as palate saves it; not to be changed."""
    return make_checkpoint(tmp_path_factory.mktemp("saved") / "rm")


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return shutil.copytree(saved, tmp_path / "rm")

"""Small and deterministic: one thread, so that sums run in one order; and a model and data that several tests share."""

import gc

import pytest
import torch

from training.places import write_data, write_model


@pytest.fixture(scope="session", autouse=True)
def little_garbage():
    """transformers collects garbage at the start of every training: 0.7 s each time, if it looks at every import."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A language model's folder."""
    return write_model(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """40 ranked lists in a file."""
    return write_data(tmp_path_factory.mktemp("data") / "lists.jsonl")

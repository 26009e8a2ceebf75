"""A side: plain transformers at its best: sequences sorted by length, padded, in the best batch size of several."""

import time
from importlib.metadata import version
from typing import Any

import torch
from sides.exchange import peak_memory_bytes, read_job, write_figures
from transformers import AutoModelForSequenceClassification

BATCH_SIZES = (1, 4, 8, 16)


def main() -> None:
    job = read_job()
    dtype = getattr(torch, job["dtype"])
    model: Any = AutoModelForSequenceClassification.from_pretrained(job["model"], dtype=dtype).eval()
    sequences = [sequence for ranked in job["lists"] for sequence in ranked]
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index]))
    score(model, sequences, order[:4], 4)
    tried: dict[int, float] = {}
    rewards: list[float] = []
    for size in BATCH_SIZES:
        start = time.perf_counter()
        rewards = score(model, sequences, order, size)
        tried[size] = time.perf_counter() - start
    write_figures(
        {
            "seconds": min(tried.values()),
            "seconds_by_batch_size": tried,
            "rewards": rewards,
            "peak_memory_bytes": peak_memory_bytes("cpu"),
            "versions": {name: version(name) for name in ("transformers", "torch")},
        }
    )


@torch.inference_mode()
def score(model: Any, sequences: list[list[int]], order: list[int], size: int) -> list[float]:
    """Rewards of the sequences named in `order`, `size` at a time; 0 for the others."""
    rewards = [0.0] * len(sequences)
    for at in range(0, len(order), size):
        batch = order[at : at + size]
        longest = max(len(sequences[index]) for index in batch)
        ids = torch.full((len(batch), longest), model.config.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, index in enumerate(batch):
            ids[row, : len(sequences[index])] = torch.tensor(sequences[index])
            mask[row, : len(sequences[index])] = 1
        values = model(input_ids=ids, attention_mask=mask).logits[:, 0].tolist()
        for index, value in zip(batch, values, strict=True):
            rewards[index] = value
    return rewards


if __name__ == "__main__":
    main()

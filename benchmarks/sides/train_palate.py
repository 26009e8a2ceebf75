"""A side: palate's trainer on the job's lists: as tries, as padded responses, or as padded pairs (`layout`)."""

import tempfile
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

from sides.exchange import Meter, peak_memory_bytes, read_job, write_figures
from sides.palate_model import load_reward_model

from palate.training import FitSettings
from palate.training.batch import TokenList
from palate.training.fit import fit


def main() -> None:
    job = read_job()
    device = job["device"]
    model = load_reward_model(job["model"], job["weights_dtype"], device)
    if job["layout"] != "trie":
        model.use_padded_path("asked for by the benchmark")
    elif model.path.kind != "trie":
        raise SystemExit(f"the trie path was refused: {model.path.reason}")
    steps = [split_pairs(step) if job["layout"] == "pairs" else step for step in job["steps"]]
    lists = [as_list(ranked) for step in steps for ranked in step]
    settings = FitSettings(
        lists_per_step=len(steps[0]),
        tokens_per_row=job["tokens_per_row"],
        max_steps=len(steps),
        shuffle=False,
        learning_rate=job["learning_rate"],
        scheduler="constant",
        warmup=0,
        max_grad_norm=1.0,
        dtype=job["dtype"],
        torch_compile=job["compile"],
        device="cpu" if device == "cpu" else "auto",
        save_every=None,
        progress=False,
    )
    meter = Meter(model.backbone.get_input_embeddings(), device, compiled=job["compile"])
    with tempfile.TemporaryDirectory() as folder:
        done = fit(model, lists, settings, Path(folder))
    write_figures(
        {
            "seconds": meter.seconds(done.seconds, job["warmup_steps"]),
            "step_seconds": meter.step_seconds,
            "losses": done.losses,
            "tokens_computed": meter.tokens,
            "path": model.path.kind,
            "peak_memory_bytes": peak_memory_bytes(device),
            "versions": {name: version(name) for name in ("palate", "transformers", "torch")},
        }
    )


def split_pairs(step: list[Any]) -> list[Any]:
    """Every ordered pair of every list as a list of its own: K(K-1)/2 of them a list."""
    return [[better, worse] for ranked in step for better, worse in combinations(ranked, 2)]


def as_list(ranked: list[list[int]]) -> TokenList:
    """Sequences, best first, as palate's trainer takes them."""
    return TokenList(sequences=tuple(ranked), ranks=tuple(range(1, len(ranked) + 1)))


if __name__ == "__main__":
    main()

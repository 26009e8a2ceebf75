"""A side: palate scores the job's lists, each prompt computed once."""

import time
from importlib.metadata import version

from sides.exchange import Meter, peak_memory_bytes, read_job, write_figures
from sides.palate_model import load_reward_model


def main() -> None:
    job = read_job()
    model = load_reward_model(job["model"], job["dtype"], "cpu").eval()
    model.score_ids(job["lists"][-2:])
    meter = Meter(model.backbone.get_input_embeddings(), "cpu")
    start = time.perf_counter()
    rewards = model.score_ids(job["lists"])
    seconds = time.perf_counter() - start
    write_figures(
        {
            "seconds": seconds,
            "rewards": [value for own in rewards for value in own],
            "tokens_computed": meter.tokens,
            "path": model.path.kind,
            "peak_memory_bytes": peak_memory_bytes("cpu"),
            "versions": {name: version(name) for name in ("palate", "transformers", "torch")},
        }
    )


if __name__ == "__main__":
    main()

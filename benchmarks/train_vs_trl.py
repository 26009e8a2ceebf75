"""Owns the comparison of training speed with TRL's RewardTrainer.

    python benchmarks/train_vs_trl.py --workload WORKLOAD --trl-python TRL_ENVIRONMENT/bin/python

Both sides make the same updates: the same pairs in the same order, the same number a step, AdamW, the same learning
rate and clipping, from the same weights. They run in turn, several rounds; the ratio is that of the medians. With
`--device cuda` the shapes of Qwen3-0.6B and Llama-3.1-8B (random weights) can be asked for with `--shape`.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peaks
from alternate import Figures, Side, machine, medians, print_table, rounds, write_result
from cost import Shape
from shapes import SHAPES, make_model
from workload import count_tokens, in_steps, read_lists


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", type=Path, required=True, help="folder with model/ and lists.jsonl")
    parser.add_argument("--trl-python", required=True, help="the interpreter of an environment that has TRL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16, help="pairs a step")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--tokens-per-row", type=int, default=8192, help="palate's, in distinct tokens")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--shape", choices=["workload", *SHAPES], default="workload", help="the model's shape")
    parser.add_argument(
        "--weights-dtype", choices=["float32", "bfloat16"], default="float32", help="of weights and optimiser"
    )
    parser.add_argument("--warmup-steps", type=int, default=None, help="not timed; default 0 on cpu, 2 on cuda")
    parser.add_argument("--trl-attention", default="sdpa", help="for TRL's side: sdpa, flash_attention_2, ...")
    parser.add_argument("--compile", action="store_true", help="torch.compile on both sides")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--name", default=None, help="of the result file")
    args = parser.parse_args()
    if args.warmup_steps is None:
        args.warmup_steps = 2 if args.device == "cuda" else 0
    if args.warmup_steps >= args.steps:
        parser.error(f"--warmup-steps {args.warmup_steps} leaves none of {args.steps} steps to time.")
    return args


def sides(args: argparse.Namespace, model: Path, steps: Any, dtype: str) -> list[Side]:
    job = {
        "model": str(model),
        "tokenizer": str(args.workload / "model"),
        "steps": steps,
        "dtype": dtype,
        "device": args.device,
        "weights_dtype": args.weights_dtype,
        "learning_rate": 1e-4,
        "warmup_steps": args.warmup_steps,
        "compile": args.compile,
        "attention": args.trl_attention,
        "layout": "trie",
        "tokens_per_row": args.tokens_per_row,
    }
    return [Side("palate", sys.executable, "train_palate.py", job), Side("trl", args.trl_python, "train_trl.py", job)]


def summarise(
    done: Sequence[dict[str, Figures]], args: argparse.Namespace, counts: Any, shape: Shape, peak: float
) -> Figures:
    """What the rounds say, for one dtype; `counts` are all steps' and the timed steps' token counts."""
    every, timed = counts
    seconds = medians(done)
    pairs = args.batch * (args.steps - args.warmup_steps)
    useful = shape.training_flops(timed["distinct_prefixes"], timed["query_key_products"])
    last = done[-1]
    ours, theirs = last["palate"]["losses"], last["trl"]["losses"]
    return {
        "ratio_of_medians": seconds["trl"] / seconds["palate"],
        "ratios_by_round": [figures["trl"]["seconds"] / figures["palate"]["seconds"] for figures in done],
        "median_seconds": seconds,
        "pairs_per_s": {name: pairs / value for name, value in seconds.items()},
        "distinct_tokens_per_s": {name: timed["distinct_prefixes"] / value for name, value in seconds.items()},
        "tokens_computed": {name: last[name]["tokens_computed"] for name in seconds},
        "distinct_prefixes": every["distinct_prefixes"],
        "losses": {"palate": ours, "trl": theirs},
        "largest_loss_difference": max(abs(a - b) for a, b in zip(ours, theirs, strict=True)),
        "matmul_peak_tflops": peak / 1e12,
        "share_of_peak": {name: useful / value / peak for name, value in seconds.items()},
        "ratio_at_peak": seconds["trl"] * peak / useful,
        "peak_memory_bytes": {name: last[name]["peak_memory_bytes"] for name in seconds},
        "versions": {name: last[name]["versions"] for name in seconds},
    }


def show(summaries: dict[str, Figures]) -> None:
    header = [
        "",
        "palate pairs/s",
        "TRL pairs/s",
        "ratio",
        "at peak",
        "share of peak",
        "tokens / distinct",
        "loss differs by",
    ]
    lines = []
    for dtype, said in summaries.items():
        computed = said["tokens_computed"]["palate"] or "not counted"
        lines.append(
            [
                dtype,
                f"{said['pairs_per_s']['palate']:.2f}",
                f"{said['pairs_per_s']['trl']:.2f}",
                f"{said['ratio_of_medians']:.1f}x",
                f"{said['ratio_at_peak']:.1f}x",
                f"{said['share_of_peak']['palate']:.0%}",
                f"{computed} / {said['distinct_prefixes']}",
                f"{said['largest_loss_difference']:.1e}",
            ]
        )
    print_table(header, lines)


def main() -> None:
    args = parse()
    steps = in_steps(read_lists(args.workload, args.steps * args.batch), args.batch)
    counts = (count_tokens(steps), count_tokens(steps[args.warmup_steps :]))
    with tempfile.TemporaryDirectory() as folder:
        model = (
            args.workload / "model" if args.shape == "workload" else make_model(args.shape, Path(folder), args.device)
        )
        rates = peaks.measured(
            model,
            args.dtypes,
            args.device,
            args.threads,
            tokens=max(3000, counts[0]["distinct_prefixes"] // args.steps),
        )
        settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()}
        result: dict[str, Any] = {
            "benchmark": "train_vs_trl",
            "machine": machine(args.threads),
            "settings": {
                key: value for key, value in settings.items() if key not in ("workload", "trl_python", "name")
            },
            "tokens": counts[0],
            "peaks": rates,
            "summary": {},
            "rounds": {},
        }
        name = args.name or f"train_vs_trl_{args.device}_{args.shape}"
        for dtype in args.dtypes:
            done: list[dict[str, Figures]] = []
            for figures in rounds(sides(args, model, steps, dtype), args.rounds, args.threads):
                done.append(figures)
                result["rounds"][dtype] = done
                result["summary"][dtype] = summarise(done, args, counts, Shape.of(model), peaks.peak(rates, dtype))
                written = write_result(name, result)
    show(result["summary"])
    print(f"written to {written}")


if __name__ == "__main__":
    main()

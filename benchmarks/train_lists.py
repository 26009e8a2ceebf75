"""Owns the comparison of tries with the same lists computed in the two usual ways, in palate's own code.

    python benchmarks/train_lists.py --model WORKLOAD/model

Lists as in Summarize: a prompt of 350 tokens, K = 9 responses of 30. The three sides make the same updates:

    tries   every distinct prefix once
    padded  each response with its own copy of the prompt, padded batches
    pairs   each of the 36 pairs with two copies of the prompt, padded batches
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peaks
from alternate import Figures, Side, machine, medians, print_table, rounds, write_result
from cost import Shape
from workload import count_tokens, in_steps, summarize_like

LAYOUTS = {"tries": "trie", "padded": "padded", "pairs": "pairs"}

PADDED_TOKENS_PER_ROW = 2048
"""The padded sides hold several times a row's distinct tokens at once; short rows keep them within a few GB."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a sequence classifier with one label")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4, help="lists a step")
    parser.add_argument("--k", type=int, default=9)
    parser.add_argument("--prompt-tokens", type=int, default=350)
    parser.add_argument("--response-tokens", type=int, default=30)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--without-pairs", action="store_true", help="leave out the slowest side")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--name", default="train_lists", help="of the result file")
    return parser.parse_args()


def sides(args: argparse.Namespace, steps: Any, dtype: str) -> list[Side]:
    common = {
        "model": str(args.model),
        "steps": steps,
        "dtype": dtype,
        "device": "cpu",
        "weights_dtype": "float32",
        "learning_rate": 1e-4,
        "warmup_steps": 0,
        "compile": False,
    }
    chosen: list[Side] = []
    for name, layout in LAYOUTS.items():
        if name == "pairs" and args.without_pairs:
            continue
        own = {"layout": layout, "tokens_per_row": 8192 if layout == "trie" else PADDED_TOKENS_PER_ROW}
        chosen.append(Side(name, sys.executable, "train_palate.py", {**common, **own}))
    return chosen


def summarise(done: Sequence[dict[str, Figures]], tokens: dict[str, int], shape: Shape, peak: float) -> Figures:
    """What the rounds say, for one dtype."""
    seconds = medians(done)
    last = done[-1]
    useful = shape.training_flops(tokens["distinct_prefixes"], tokens["query_key_products"])
    ours = last["tries"]["losses"]
    return {
        "ratio_of_medians": {name: value / seconds["tries"] for name, value in seconds.items()},
        "ratios_by_round": [
            {name: own["seconds"] / figures["tries"]["seconds"] for name, own in figures.items()} for figures in done
        ],
        "median_seconds": seconds,
        "tokens_computed": {name: last[name]["tokens_computed"] for name in seconds},
        "distinct_prefixes": tokens["distinct_prefixes"],
        "losses": {name: last[name]["losses"] for name in seconds},
        "largest_loss_difference": {
            name: max(abs(a - b) for a, b in zip(ours, last[name]["losses"], strict=True)) for name in seconds
        },
        "matmul_peak_tflops": peak / 1e12,
        "share_of_peak": {name: useful / value / peak for name, value in seconds.items()},
        "peak_memory_bytes": {name: last[name]["peak_memory_bytes"] for name in seconds},
        "versions": last["tries"]["versions"],
    }


def show(summaries: dict[str, Figures]) -> None:
    header = ["", "", "seconds", "tries are", "tokens", "distinct", "share of peak", "loss differs by"]
    lines: list[list[str]] = []
    for dtype, said in summaries.items():
        for name, seconds in said["median_seconds"].items():
            figures = [f"{seconds:.2f}", f"{said['ratio_of_medians'][name]:.1f}x", str(said["tokens_computed"][name])]
            peak, differs = f"{said['share_of_peak'][name]:.0%}", f"{said['largest_loss_difference'][name]:.1e}"
            lines.append([dtype, name, *figures, str(said["distinct_prefixes"]), peak, differs])
    print_table(header, lines)


def main() -> None:
    args = parse()
    lists = summarize_like(args.steps * args.batch, args.k, args.prompt_tokens, args.response_tokens)
    steps = in_steps(lists, args.batch)
    tokens = count_tokens(steps)
    rates = peaks.measured(args.model, args.dtypes, "cpu", args.threads)
    result: dict[str, Any] = {
        "benchmark": "train_lists",
        "machine": machine(args.threads),
        "settings": {key: value for key, value in vars(args).items() if key not in ("model", "name")},
        "tokens": tokens,
        "peaks": rates,
        "summary": {},
        "rounds": {},
    }
    for dtype in args.dtypes:
        done: list[dict[str, Figures]] = []
        for figures in rounds(sides(args, steps, dtype), args.rounds, args.threads):
            done.append(figures)
            result["rounds"][dtype] = done
            result["summary"][dtype] = summarise(done, tokens, Shape.of(args.model), peaks.peak(rates, dtype))
            write_result(args.name, result)
    show(result["summary"])
    print(f"written to benchmarks/results/{args.name}.json")


if __name__ == "__main__":
    main()

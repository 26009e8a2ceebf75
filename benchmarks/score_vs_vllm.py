"""Owns the comparison of scoring speed with vLLM's CPU build and with plain transformers.

    python benchmarks/score_vs_vllm.py --workload WORKLOAD --vllm-python VLLM_ENVIRONMENT/bin/python

Each side loads the model, warms up on the last two lists, and is timed on all lists, from token ids to rewards. They
run in turn, several rounds; the ratio is that of the medians.
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
from workload import count_tokens, read_lists


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", type=Path, required=True, help="folder with model/ and lists.jsonl")
    parser.add_argument("--vllm-python", required=True, help="the interpreter of an environment that has vLLM")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lists", type=int, default=100)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--without-transformers", action="store_true", help="leave out the slowest side")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--name", default="score_vs_vllm", help="of the result file")
    return parser.parse_args()


def sides(args: argparse.Namespace, lists: Any, dtype: str) -> list[Side]:
    job = {"model": str(args.workload / "model"), "lists": lists, "dtype": dtype}
    # 4 GiB of cache hold every token of the workload; the default asks for a share of the machine's memory.
    vllm = Side("vllm", args.vllm_python, "score_vllm.py", job, {"VLLM_CPU_KVCACHE_SPACE": "4"})
    chosen = [Side("palate", sys.executable, "score_palate.py", job), vllm]
    if not args.without_transformers:
        chosen.append(Side("transformers", sys.executable, "score_transformers.py", job))
    return chosen


def summarise(done: Sequence[dict[str, Figures]], tokens: dict[str, int], shape: Shape, peak: float) -> Figures:
    """What the rounds say, for one dtype."""
    seconds = medians(done)
    last = done[-1]
    useful = shape.forward_flops(tokens["distinct_prefixes"], tokens["query_key_products"])
    ours = last["palate"]["rewards"]
    return {
        "ratio_of_medians": {name: value / seconds["palate"] for name, value in seconds.items()},
        "ratios_by_round": [figures["vllm"]["seconds"] / figures["palate"]["seconds"] for figures in done],
        "median_seconds": seconds,
        "sequences_per_s": {name: len(ours) / value for name, value in seconds.items()},
        "tokens_computed": last["palate"]["tokens_computed"],
        "distinct_prefixes": tokens["distinct_prefixes"],
        "largest_reward_difference": {
            name: max(abs(a - b) for a, b in zip(ours, last[name]["rewards"], strict=True)) for name in seconds
        },
        "matmul_peak_tflops": peak / 1e12,
        "share_of_peak": {name: useful / value / peak for name, value in seconds.items()},
        "sequences_per_s_at_peak": len(ours) * peak / useful,
        "versions": {name: last[name]["versions"] for name in seconds},
    }


def show(summaries: dict[str, Figures]) -> None:
    names = list(next(iter(summaries.values()))["median_seconds"])
    header = ["sequences/s", *names, "at peak", "palate / vllm", "tokens / distinct", "rewards differ by"]
    lines: list[list[str]] = []
    for dtype, said in summaries.items():
        rates = [f"{said['sequences_per_s'][name]:.1f}" for name in names]
        ratio, most = said["ratio_of_medians"]["vllm"], max(said["largest_reward_difference"].values())
        computed = f"{said['tokens_computed']} / {said['distinct_prefixes']}"
        at_peak = f"{said['sequences_per_s_at_peak']:.1f}"
        lines.append([dtype, *rates, at_peak, f"{ratio:.2f}x", computed, f"{most:.1e}"])
    print_table(header, lines)


def main() -> None:
    args = parse()
    lists = read_lists(args.workload, args.lists)
    tokens = count_tokens([lists])
    model = args.workload / "model"
    rates = peaks.measured(model, args.dtypes, "cpu", args.threads)
    result: dict[str, Any] = {
        "benchmark": "score_vs_vllm",
        "machine": machine(args.threads),
        "settings": {"lists": args.lists, "rounds": args.rounds, "threads": args.threads},
        "tokens": tokens,
        "peaks": rates,
        "summary": {},
        "rounds": {},
    }
    for dtype in args.dtypes:
        done: list[dict[str, Figures]] = []
        for figures in rounds(sides(args, lists, dtype), args.rounds, args.threads):
            done.append(figures)
            seconds = [{name: own["seconds"] for name, own in each.items()} for each in done]
            result["rounds"][dtype] = seconds
            result["summary"][dtype] = summarise(done, tokens, Shape.of(model), peaks.peak(rates, dtype))
            write_result(args.name, result)
    show(result["summary"])
    print(f"written to benchmarks/results/{args.name}.json")


if __name__ == "__main__":
    main()

"""Owns this machine's matrix-product peak: `python benchmarks/peaks.py [--model MODEL] [--device cuda]`.

The best of many short rounds over the shapes of a model's linear maps and a square: what a run could reach at most if
it did nothing but multiply matrices. On CPU two kernels are timed: the one behind `torch.nn.functional.linear`, and
oneDNN's, which for float32 need not be the same and on some processors is more than twice as fast.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

from alternate import Side, print_table, run_side
from cost import Shape

ROUNDS = 60


def measure(
    linears: Sequence[tuple[int, int]], tokens: int, dtypes: Sequence[str], device: str
) -> list[dict[str, Any]]:
    """Time x[tokens, into] @ W[out, into]^T for each linear map and for a square.

    The rounds go over all shapes in turn, so that a short disturbance spoils no shape's best.

    Returns:
        One row per dtype, kernel and shape, with the best rate in GFLOP/s.
    """
    square = 2048 if device == "cpu" else 8192
    shapes = sorted({(tokens, into, out) for into, out in linears} | {(square, square, square)})
    products = {
        (dtype, kernel, shape): product
        for dtype in dtypes
        for shape in shapes
        for kernel, product in _products(shape, dtype, device).items()
    }
    best = dict.fromkeys(products, float("inf"))
    for _ in range(ROUNDS):
        for key, product in products.items():
            best[key] = min(best[key], _seconds(product, device))
    return [
        {"dtype": dtype, "kernel": kernel, "shape": list(shape), "gflops": round(2 * prod(shape) / seconds / 1e9, 1)}
        for (dtype, kernel, shape), seconds in best.items()
    ]


def _products(shape: tuple[int, int, int], dtype: str, device: str) -> dict[str, Callable[[], Any]]:
    import torch

    tokens, into, out = shape
    x = torch.randn(tokens, into, dtype=getattr(torch, dtype), device=device)
    w = torch.randn(out, into, dtype=getattr(torch, dtype), device=device)
    kernels: dict[str, Callable[[], Any]] = {"linear": lambda: torch.nn.functional.linear(x, w)}
    if device == "cpu" and torch.backends.mkldnn.is_available():
        kernels["onednn"] = lambda: torch.ops.mkldnn._linear_pointwise(x, w, None, "none", [], "")
    return kernels


def _seconds(product: Callable[[], Any], device: str) -> float:
    import torch

    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    product()
    wait()
    return time.perf_counter() - start


def peak(rows: Sequence[dict[str, Any]], dtype: str) -> float:
    """The best rate of a dtype over kernels and shapes, in FLOP/s."""
    return 1e9 * max(row["gflops"] for row in rows if row["dtype"] == dtype)


def measured(model: Path, dtypes: Sequence[str], device: str, threads: int, tokens: int = 3000) -> list[dict[str, Any]]:
    """`measure` for a model's linear maps, in a process of its own with `threads` threads."""
    job = {"linears": Shape.of(model).linears, "tokens": tokens, "dtypes": list(dtypes), "device": device}
    return run_side(Side("peaks", sys.executable, "measure_peaks.py", job), threads)["rows"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder whose config.json gives the shapes")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    args = parser.parse_args()
    rows = measured(args.model, args.dtypes, args.device, args.threads)
    if args.json:
        print(json.dumps(rows))
        return
    lines = [[row["dtype"], row["kernel"], " x ".join(map(str, row["shape"])), f"{row['gflops']:.0f}"] for row in rows]
    print_table(["dtype", "kernel", "tokens x in x out", "GFLOP/s"], lines)


if __name__ == "__main__":
    main()

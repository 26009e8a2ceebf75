"""The arguments that several tests of the command line pass."""

from collections.abc import Sequence
from pathlib import Path


def training(model: Path, data: Path, out: Path, *more: object) -> Sequence[str]:
    """The arguments of a run of two steps."""
    fixed = ["train", "--model", model, "--init", "random", "--data", data, "--out", out, "--max-steps", 2]
    return [str(arg) for arg in [*fixed, "--eval-fraction", 0.3, "--lists-per-step", 4, *more]]

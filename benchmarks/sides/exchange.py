"""Owns what passes between a side's process and the one that started it: a job in, figures out."""

import json
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any


def read_job() -> dict[str, Any]:
    """The job, from the file named first on the command line."""
    return json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


def write_figures(figures: dict[str, Any]) -> None:
    """Write the figures to the file named second on the command line."""
    Path(sys.argv[2]).write_text(json.dumps(figures), encoding="utf-8")


class Meter:
    """Counts what a training run computes: when each optimiser step ends, and every token that goes into the embedding.

    Both sides are watched by the same two hooks, so neither says of itself what it did.

    Attributes:
        marks: the clock after each step.
    """

    def __init__(self, embedding: Any, device: str, *, compiled: bool = False):
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self.device = device
        self.marks: list[float] = []
        self._counts: list[int] | None = None
        if not compiled:  # a counting hook inside a compiled graph would break it
            self._counts = []  # a list: rows may run on several threads, and an append is never lost
            embedding.register_forward_pre_hook(self._count)
        register_optimizer_step_post_hook(self._mark)

    @property
    def tokens(self) -> int | None:
        """Embedded so far, padding included; None where nothing is counted."""
        return None if self._counts is None else sum(self._counts)

    def seconds(self, whole: float, warmup_steps: int) -> float:
        """The time of the steps after the warm-up; without one, the `whole` training time as the trainer gives it."""
        return whole if warmup_steps == 0 else self.marks[-1] - self.marks[warmup_steps - 1]

    @property
    def step_seconds(self) -> list[float]:
        """Of each step but the first, with everything between it and the step before: fetching, collating, logging."""
        return [after - before for before, after in pairwise(self.marks)]

    def _mark(self, *_: Any) -> None:
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
        self.marks.append(time.perf_counter())

    def _count(self, _module: Any, inputs: tuple[Any, ...]) -> None:
        assert self._counts is not None
        self._counts.append(inputs[0].numel())


def peak_memory_bytes(device: str) -> int:
    """The most memory this process has held: on the accelerator as torch counts it, else resident."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

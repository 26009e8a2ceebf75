"""Owns running the sides of a comparison in turn, each in a process of its own, and what is kept of their figures."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Side:
    """One side: a script that takes a job file and writes its figures to a result file."""

    name: str
    python: str
    script: str
    job: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)


def run_side(side: Side, threads: int) -> Figures:
    """Run one side once.

    Raises:
        SystemExit: the side failed; the message ends with what it wrote last.
    """
    with tempfile.TemporaryDirectory() as folder:
        job, out, log = Path(folder, "job.json"), Path(folder, "out.json"), Path(folder, "log.txt")
        job.write_text(json.dumps(dict(side.job)), encoding="utf-8")
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONPATH": str(HERE),
            **side.environment,
        }
        command = [side.python, str(HERE / "sides" / side.script), str(job), str(out)]
        with log.open("wb") as written:
            code = subprocess.run(command, env=environment, stdout=written, stderr=written, check=False).returncode
        if not out.exists():
            tail = log.read_text(encoding="utf-8", errors="replace")[-3000:]
            raise SystemExit(f"{side.name} failed with exit code {code}:\n{tail}")
        return json.loads(out.read_text(encoding="utf-8"))


def rounds(sides: Sequence[Side], count: int, threads: int) -> Iterator[dict[str, Figures]]:
    """Run all sides `count` times, in an order that turns round each time, so that a drifting machine hurts all alike.

    Yields:
        Per round, the figures of each side under its name.
    """
    for number in range(count):
        order = sides if number % 2 == 0 else list(reversed(sides))
        figures: dict[str, Figures] = {}
        for side in order:
            print(f"round {number + 1} of {count}: {side.name} ...", file=sys.stderr, flush=True)
            figures[side.name] = run_side(side, threads)
            print(f"    {figures[side.name]['seconds']:.2f} s", file=sys.stderr, flush=True)
        yield figures


def medians(done: Sequence[dict[str, Figures]], key: str = "seconds") -> dict[str, float]:
    """Per side the median of a figure over the rounds."""
    return {name: statistics.median(figures[name][key] for figures in done) for name in done[0]}


def machine(threads: int) -> dict[str, Any]:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return {"cpu": name, "cores": os.cpu_count(), "threads": threads, "load_at_start": round(os.getloadavg()[0], 2)}


def write_result(name: str, result: Mapping[str, Any]) -> Path:
    """Write a result file, also after each round, so that an interrupted run leaves what it has."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


def print_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; the first is a name, the others are figures."""
    widths = [max(len(row[at]) for row in [header, *lines]) for at in range(len(header))]
    for row in [header, *lines]:
        cells = [
            text.ljust(width) if at == 0 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())

"""`palate demo`: the whole way on data that palate makes, in minutes, without network or GPU."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from palate.cli.screen import note, one_line, print_json, show, table

if TYPE_CHECKING:
    from palate.demo.run import DemoResult

BARS = "▁▂▃▄▅▆▇█"
SHOWN_CHARACTERS = 60


def add_to(root: typer.Typer) -> None:
    """Register `palate demo`."""
    root.command("demo")(demo)


def demo(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where everything goes; an earlier demo there is replaced.")
    ] = Path("demo-out"),
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Another one makes other data and another model.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON and nothing else.")] = False,
) -> None:
    """Train, score and rank on data that palate makes; no network, no GPU.

    Makes small instructions with 4 to 9 responses of known quality, trains a
    reward model from scratch on their rankings, and judges it on prompts that
    it never saw.
    """
    from palate.demo.run import figures, run_demo

    made = run_demo(out, seed, note)
    if as_json:
        print_json(figures(made))
        return
    _draw(made)


def _draw(made: "DemoResult") -> None:
    ranked = [
        (place, f"{one.reward:+.2f}", f"{grade:g}", one_line(one.response.replace("\n", " / "), SHOWN_CHARACTERS))
        for place, (one, grade) in enumerate(zip(made.ranked, made.grades, strict=True), start=1)
    ]
    columns = ("", "reward", "true grade", "response")
    accuracy, longer = made.accuracy, made.longer_wins
    judged = [
        ("this model", *_share(accuracy)),
        ("the longer wins", *_share(longer)),
    ]
    show(
        table(columns, ranked, title=f"A prompt it never saw: {one_line(made.example, 200)}", right=columns[:-1]),
        table(
            ("", "right pairs", "95 % interval"),
            judged,
            title=f"{accuracy.pairs:,} pairs of {accuracy.lists} unseen prompts, against the known grades",
            right=("right pairs", "95 % interval"),
        ),
        f"Best of n: the largest reward is at a best response in {made.best_of_n.value:.0%} of the prompts "
        f"(picking at random: {made.best_of_n.chance:.0%}).",
        _curves(made.history),
        table(("", ""), _places(made)),
        Text.assemble(("Go on with\n", "bold"), _next(made)),
    )


def _share(found: Any) -> tuple[str, str]:
    interval = found.by_pair_interval
    return f"{found.by_pair:.1%}", f"{interval.low:.1%} to {interval.high:.1%}"


def _curves(history: Sequence[Mapping[str, Any]]) -> str:
    lines: list[str] = []
    for name, said in (("loss", "training loss"), ("eval_accuracy", "accuracy")):
        values = [float(entry[name]) for entry in history if name in entry]
        if len(values) > 1:
            shown = _means(values, 40)
            lines.append(f"{said:<14} {sparkline(shown)}  {shown[0]:.3f} to {shown[-1]:.3f}")
    return "\n".join(lines)


def sparkline(values: Sequence[float]) -> str:
    """The values as a row of small bars, the lowest empty and the highest full."""
    low, high = min(values), max(values)
    steps = len(BARS) - 1
    return "".join(BARS[round((value - low) / (high - low) * steps) if high > low else 0] for value in values)


def _means(values: Sequence[float], points: int) -> list[float]:
    """The means of equal stretches, at most so many."""
    width = -(-len(values) // points)
    stretches = [values[at : at + width] for at in range(0, len(values), width)]
    return [sum(one) / len(one) for one in stretches]


def _places(made: "DemoResult") -> list[tuple[str, str]]:
    return [
        ("reward model", str(made.reward_model)),
        ("curves", str(made.reward_model / "curves.png")),
        ("model card", str(made.reward_model / "README.md")),
        ("data", f"{made.out / 'train.jsonl'}, {made.out / 'unseen.jsonl'}"),
        ("took", f"{made.seconds:.0f} s"),
    ]


def _next(made: "DemoResult") -> str:
    rm, best, worst = made.reward_model, made.ranked[0].response, made.ranked[-1].response
    asked = f"--prompt {_quoted(made.example)} --response {_quoted(best)} --response {_quoted(worst)}"
    commands = (
        f"palate score {rm} {asked}",
        f"palate score {rm} {made.out / 'unseen.jsonl'} --out scores.jsonl",
        f"palate inspect {rm}",
        f"palate data check {made.out / 'train.jsonl'} --model {rm}",
        "palate train --model MODEL --data DATA --out RM",
    )
    return "\n".join(commands)


def _quoted(text: str) -> str:
    """The text as one word of a shell, on one line: bash and zsh read line breaks in $'...'."""
    if "\n" not in text:
        return quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"$'{escaped}'"

"""`palate data`: check, split and convert preference data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.console import RenderableType
from rich.text import Text

from palate.cli.screen import note, print_json, show, table

if TYPE_CHECKING:
    from palate.data import ReadResult
    from palate.data.check import DataReport, TokenReport

Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...", help="Files, folders, globs or names of datasets on the Hub (owner/name[:split])."
    ),
]
DataFormat = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="The data's format; found by the first rows if not given."),
]
OnBadRow = Annotated[
    str, typer.Option(metavar="error|skip", help="What a row that can't be used does: stop, or be counted.")
]
Quarantine = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --on-bad-row skip: where bad rows go, with their reasons.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]


def add_to(root: typer.Typer) -> None:
    """Register `palate data` and its three verbs."""
    from palate.cli.main import summary_of

    group = typer.Typer(no_args_is_help=True)
    group.command("check")(check)
    group.command("split")(split)
    group.command("convert")(convert)
    root.add_typer(group, name="data", help=summary_of("data"))


def check(
    data: Data,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Also count tokens, as this model would read them."),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --model: the longest sequence, end token included.")
    ] = None,
    format: DataFormat = None,  # noqa: A002  (the name of the option)
    on_bad_row: OnBadRow = "error",
    quarantine: Quarantine = None,
    as_json: AsJson = False,
) -> None:
    """Say what is in the data, what is wrong with it, and what it will cost.

    Exits with 0 whatever is found; 2 if it can't be read.
    """
    from palate.data.check import check_lists
    from palate.errors import UsageError
    from palate.tokens import Renderer, TokenOptions

    if max_tokens is not None and model is None:
        raise UsageError("--max-tokens needs --model: tokens are counted by a model's tokenizer.")
    read = read_data(data, format, on_bad_row, quarantine)
    renderer = None
    if model is not None:
        from palate.cli.model_facts import read_facts

        facts = read_facts(model, TokenOptions(max_tokens=max_tokens))
        renderer = Renderer(facts.tokenizer, facts.policy)
    report = check_lists(read.lists, renderer, skipped=read.skipped)
    if as_json:
        print_json({"format": read.format, "files": list(read.files), "read": read.read, **report.to_json()})
    else:
        _draw(read, report)


def split(
    data: Data,
    train: Annotated[Path, typer.Option(metavar="FILE", help="Where the training lists go.")],
    evaluation: Annotated[Path, typer.Option("--eval", metavar="FILE", help="Where the evaluation lists go.")],
    fraction: Annotated[float, typer.Option(metavar="SHARE", help="Share of the prompts for evaluation.")] = 0.05,
    seed: Annotated[int, typer.Option(metavar="N", help="Another one draws other prompts.")] = 0,
    format: DataFormat = None,  # noqa: A002
    on_bad_row: OnBadRow = "error",
    quarantine: Quarantine = None,
) -> None:
    """Split by prompt, so that no prompt is on both sides; both files are palate's own JSON lines.

    A prompt's side depends on its text and the seed alone: more data later moves no prompt.
    """
    from palate.data import split_by_prompt, write_lists

    read = read_data(data, format, on_bad_row, quarantine)
    left, right = split_by_prompt(read.lists, fraction, seed)
    for lists, path in ((left, train), (right, evaluation)):
        show(f"{write_lists(lists, path)} lists in {path}")


def convert(
    data: Data,
    to: Annotated[Path, typer.Option("--out", metavar="FILE", help="The new file; packed where it ends in .gz.")],
    format: DataFormat = None,  # noqa: A002
    on_bad_row: OnBadRow = "error",
    quarantine: Quarantine = None,
) -> None:
    """Write any format that palate reads as palate's own: one ranked list a line, in JSON."""
    from palate.data import write_lists

    read = read_data(data, format, on_bad_row, quarantine)
    show(f"{write_lists(read.lists, to)} lists in {to} (read as {read.format})")


def read_data(data: list[str], format: str | None, on_bad_row: str, quarantine: Path | None) -> "ReadResult":  # noqa: A002
    """Read ranked lists as the options say; how many rows were skipped, and why, is said on stderr."""
    from palate.data import read_lists
    from palate.errors import UsageError

    if quarantine is not None and on_bad_row != "skip":
        raise UsageError("--quarantine is where skipped rows go: pass --on-bad-row skip.")
    read = read_lists(data, format=format, on_bad_row=bad_row_choice(on_bad_row), quarantine=quarantine)
    if read.skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in read.skipped.items())
        note(f"{sum(read.skipped.values())} of {read.read} rows skipped: {reasons}")
    return read


def bad_row_choice(given: str) -> Literal["error", "skip"]:
    """The choice of --on-bad-row.

    Raises:
        UsageError: it is neither.
    """
    from palate.errors import UsageError

    if given not in ("error", "skip"):
        raise UsageError(f"--on-bad-row is {given!r}; it can be error or skip.")
    return cast("Any", given)


def _draw(read: "ReadResult", report: "DataReport") -> None:
    ks = ", ".join(f"{size} ({count})" for size, count in report.k.items())
    wins, chars = report.longer_wins, report.response_chars
    rows: list[tuple[str, str]] = [
        ("lists", f"{report.lists:,}, read as {read.format} from {len(read.files)} file{'s' * (len(read.files) != 1)}"),
        ("prompts", f"{report.prompts:,}"),
        ("responses", f"{report.responses:,}"),
        ("K (lists)", ks),
        ("pairs", f"{report.pairs:,} of different rank, {report.tied_pairs:,} tied"),
        ("longer wins", f"{wins.accuracy:.1%} of the pairs: the baseline that a reward model must beat"),
        ("response length", f"median {chars.median:,.0f}, longest {chars.max:,} characters"),
        ("repeated", f"{report.duplicate_lists:,} lists; {report.contradictions:,} pairs ordered both ways"),
        ("fingerprint", report.fingerprint[:16]),
    ]
    parts: list[RenderableType] = [table(("", ""), rows, title="What is in the data")]
    if report.tokens is not None:
        parts += _of_tokens(report.tokens)
    colours = {"error": "bold red", "warning": "yellow", "note": "dim"}
    found = [
        (Text(one.level, style=colours[one.level]), f"{one.sentence} {one.remedy}", one.example)
        for one in report.findings
    ]
    findings = table(("level", "what, and what to do", "seen at"), found, title="What to know before training")
    show(*parts, findings if found else Text("Nothing is wrong with it."))


def _of_tokens(tokens: "TokenReport") -> list[RenderableType]:
    costs = [
        ("each pair on its own", f"{tokens.as_pairs:,}", f"{tokens.as_pairs / max(tokens.shared, 1):.1f}x"),
        ("each response on its own", f"{tokens.separate:,}", f"{tokens.saving:.1f}x"),
        ("palate: each distinct prefix once", f"{tokens.shared:,}", "1.0x"),
    ]
    limits = [
        (one.max_tokens, one.lists, one.sequences, one.cut_tokens, one.identical_pairs) for one in tokens.truncation
    ]
    cuts = [[f"{number:,}" for number in limit] for limit in limits]
    columns = ("max_tokens", "lists cut", "sequences cut", "tokens lost", "pairs made equal")
    heads = ("computed", "tokens", "against palate")
    return [
        table(heads, costs, title="Tokens to compute in one epoch", right=("tokens",)),
        table(columns, cuts, title="What a limit would cut", right=columns),
    ]

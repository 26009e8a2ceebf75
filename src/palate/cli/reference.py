"""docs/cli.md: every verb with its arguments and options, written from the commands themselves.

`python -m palate.cli.reference docs/cli.md` writes it anew.
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.text import Text
from typer.main import get_command

from palate.cli.main import VERBS, build

INTRODUCTION = """\
# The command line

Written from the commands themselves by `python -m palate.cli.reference docs/cli.md`; a test keeps it so.

Results go to stdout, everything else to stderr: progress, notes, mistakes. In a pipe nothing is coloured, cut or
wrapped. `--json` prints one JSON value and nothing else.

| exit code | means |
| --- | --- |
| 0 | done |
| 2 | a mistake: one message on stderr says what was found, where, and what to do |
| 130 | interrupted |
| 1 | a fault of palate's own, with its traceback: please report it |

`palate --debug VERB ...` shows the traceback of a mistake, too. `palate --version` names the version.
"""

HEADING = ("| option | values | default | meaning |", "| --- | --- | --- | --- |")


def render() -> str:
    """The page."""
    root: Any = get_command(build({verb.name for verb in VERBS}))
    sections = [section for verb in VERBS for section in _sections(f"palate {verb.name}", root.commands[verb.name])]
    return "\n".join([INTRODUCTION, *sections])


def _sections(name: str, command: Any) -> Iterator[str]:
    if hasattr(command, "commands"):  # typer's group, as `palate data`
        for own, inner in command.commands.items():
            yield from _sections(f"{name} {own}", inner)
        return
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join([name, *(one.metavar if one.required else f"[{one.metavar}]" for one in arguments), "[OPTIONS]"])
    lines = [f"## {name}", "", f"    {usage}", "", _paragraphs(command.help), ""]
    panel = ""
    for one in command.params:
        if getattr(one, "hidden", False) or one.name == "help":
            continue
        if (getattr(one, "rich_help_panel", None) or "") != panel:
            panel = one.rich_help_panel
            lines += ["", f"### {name}: {panel}"]
        if lines[-1] == "" or lines[-1].startswith("###"):
            lines += [
                *([""] if lines[-1] else []),
                "| option | values | default | meaning |",
                "| --- | --- | --- | --- |",
            ]
        lines.append(_row(one))
    yield "\n".join([*lines, ""])


def _row(one: Any) -> str:
    flag = bool(getattr(one, "is_flag", False))
    name = one.metavar if one.param_type_name == "argument" else ", ".join(one.opts)
    values = "" if flag or one.param_type_name == "argument" else one.metavar or ""
    shown = one.show_default if isinstance(one.show_default, str) else one.default
    default = "" if flag or shown is None or shown is False else str(shown)
    meaning = Text.from_markup(one.help or "").plain
    return (
        "| "
        + " | ".join(_cell(text) for text in (f"`{name}`", f"`{values}`" if values else "", default, meaning))
        + " |"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _paragraphs(text: str | None) -> str:
    """The help as Markdown: lines that are commands are shown as code."""
    lines = inspect.cleandoc(text or "").splitlines()
    return "\n".join(f"    {line}" if line.startswith("palate ") else line for line in lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")

"""The tables of docs/tokens.md, written from policies and from the table of exceptions."""

from collections.abc import Mapping

from palate.tokens.exceptions import EXCEPTIONS
from palate.tokens.policy import TokenPolicy

_PAD_SOURCES = {
    "tokenizer": "the tokenizer's own",
    "unused_special": "exists, unused",
    "spare_row": "new, in a spare row",
    "new_row": "new row",
}
_NOTES = ("date", "system turn", "inserted", "white space", "thoughts")


def families_table(policies: Mapping[str, TokenPolicy], *, ids: bool) -> str:
    """A Markdown table: what was detected for each family.

    Args:
        policies: the family's name -> the policy detected from its files.
        ids: show ids; not where a stand-in vocabulary has others than the family.
    """
    rows = [
        (
            name,
            policy.template,
            "nothing" if policy.bos_id is None else f"BOS{f' ({policy.bos_id})' if ids else ''}",
            f"{_code(policy.end_token or '')}{f' ({policy.end_id})' if ids else ''}",
            f"{_code(policy.pad_token)}{f' ({policy.pad_id})' if ids else ''}: {_PAD_SOURCES[policy.pad_source]}",
            ". ".join([policy.evidence["end"], *_notes(policy)]),
        )
        for name, policy in policies.items()
    ]
    return _table(("family", "template", "starts with", "ends with", "pad", "why, and what to know"), rows)


def _notes(policy: TokenPolicy) -> list[str]:
    return [f"{note.capitalize()}: {policy.evidence[note]}" for note in _NOTES if note in policy.evidence]


def refusals_table(refusals: Mapping[str, str]) -> str:
    """A Markdown table: the tokenizers that palate refuses, and with which words."""
    return _table(("files", "refused with"), list(refusals.items()))


def exceptions_table() -> str:
    """A Markdown table of `palate.tokens.EXCEPTIONS`."""
    rows = [
        (
            _code(model_type),
            {True: "always", False: "never", None: "as detected"}[row.bos],
            "as detected" if row.end_token is None else _code(row.end_token),
            row.why,
        )
        for model_type, row in EXCEPTIONS.items()
    ]
    return _table(("model_type", "BOS without a chat template", "end token without one", "why"), rows)


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with each table between its marks `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, table in tables.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, rest = page.split(start)
        page = f"{before}{start}{table}{end}{rest.split(end)[1]}"
    return page


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *rows]
    return "".join(f"| {' | '.join(_cell(value) for value in line)} |\n" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else "the last token"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

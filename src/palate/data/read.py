"""Reading ranked data: from names to lists, with every row accounted for."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from palate.data.formats import Format, choose, named
from palate.data.ledger import Ledger, OnBadRow
from palate.data.rows import Rejected, Row
from palate.data.sources import Source, find_sources
from palate.errors import DataError, UsageError
from palate.records import RankedList

SAMPLE_ROWS = 32  # rows that a format is chosen by


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Lists and the account of how they were read.

    Attributes:
        lists: the usable lists, in the order of files and rows.
        read: rows seen; `read == len(lists) + sum(skipped.values())`.
        skipped: rows left out, by reason.
        format: the format's name; several are joined with a comma.
        files: the names of what was read.
    """

    lists: list[RankedList]
    read: int
    skipped: Mapping[str, int]
    format: str
    files: tuple[str, ...]


def read_lists(
    paths: Path | str | Sequence[Path | str],
    *,
    format: str | None = None,  # noqa: A002  (the name of the option)
    on_bad_row: OnBadRow = "error",
    quarantine: Path | None = None,
) -> ReadResult:
    """Read rankings from files, folders, globs, saved datasets or Hub names.

    Args:
        paths: one name or several; see `find_sources`.
        format: a format's name; by default it is chosen by the first rows, per file.
        on_bad_row: `error` raises at the end of the file with the first bad row and the number of all;
            `skip` leaves bad rows out and counts them.
        quarantine: with `skip`, the file that bad rows are written to, with their reasons.

    Raises:
        DataError: nothing to read, no fitting format, a damaged file, a bad row, no good row.
        UsageError: an unknown format, or a quarantine file that is one of the inputs.
        StorageError: the quarantine file can't be written.
    """
    sources = find_sources([paths] if isinstance(paths, str | Path) else paths)
    _check_quarantine(quarantine, sources)
    override = named(format) if format else None
    lists: list[RankedList] = []
    names: dict[str, None] = {}
    with Ledger(on_bad_row, quarantine) as ledger:
        for source in sources:
            chosen = override or choose_format(source)
            names[chosen.name] = None
            for made in chosen.read(ledger.good(source.rows(chosen.quotes))):
                if isinstance(made, Rejected):
                    ledger.refuse(made)
                else:
                    lists.append(made)
        ledger.settle()
    if not lists:
        raise DataError(f"{sources[0].label}: there is not one row in it.")
    return ReadResult(lists, ledger.read, dict(ledger.skipped), ",".join(names), tuple(one.label for one in sources))


def choose_format(source: Source) -> Format:
    """The format that a source's first rows are in.

    Raises:
        DataError: none or several fit, or there is no row that can be parsed.
    """
    return choose(source.label, samples(source))


def samples(source: Source) -> dict[bool, list[Row]]:
    """The first good rows, with quotation marks as quotes (True) and as text (False)."""
    found: dict[bool, list[Row]] = {}
    for quotes in (True, False):
        with closing(source.rows(quotes)) as rows:
            first = list(islice(rows, SAMPLE_ROWS))
        found[quotes] = [row for row in first if isinstance(row, Row)]
        if not first:
            raise DataError(f"{source.label}: there is not one row in it.")
        if not any(found.values()) and isinstance(first[0], Rejected):
            raise DataError(f"{first[0].place}: {first[0].detail} None of the first {len(first)} rows can be parsed.")
    return found


def _check_quarantine(quarantine: Path | None, sources: Sequence[Source]) -> None:
    labels = {getattr(source, "path", None) for source in sources}
    if quarantine is not None and quarantine.resolve() in {path.resolve() for path in labels if path is not None}:
        raise UsageError(f"the quarantine file {quarantine} is one of the data files; name another.")

"""The formats of ranked data, one small file each, and how one is chosen: by columns and content, never by name."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from palate.data.formats.hh import HH
from palate.data.formats.ranked import Ranked
from palate.data.formats.trl import TRL
from palate.data.formats.ukp import UKP
from palate.data.rows import Rejected, Row
from palate.errors import DataError, UsageError
from palate.records import RankedList

__all__ = ["FORMATS", "Format", "choose", "named"]


class Format(Protocol):
    """How one publisher writes rankings down.

    Attributes:
        name: for `--format`, and the `source` of its lists.
        columns: the evidence in words, for messages and the documentation's table.
        quotes: False where quotation marks in a delimited file are text like any other.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def columns(self) -> str: ...  # noqa: D102
    @property
    def quotes(self) -> bool: ...  # noqa: D102

    def matches(self, sample: Sequence[Row]) -> bool:
        """Whether these first rows are in this format: judged by their columns and content."""
        ...

    def read(self, rows: Iterable[Row]) -> Iterator[RankedList | Rejected]:
        """Turn rows into lists, in order; a row that can't be used comes out as a Rejected."""
        ...


FORMATS: tuple[Format, ...] = (Ranked(), HH(), TRL(), UKP())


def named(name: str) -> Format:
    """The format of this name.

    Raises:
        UsageError: no such format; the message names the near ones.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    names = [known.name for known in FORMATS]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"there is no data format {name!r}.{hint} Known: {', '.join(names)}.")


def choose(label: str, samples: Mapping[bool, Sequence[Row]]) -> Format:
    """The one format that the first rows are in.

    Args:
        label: the file, for messages.
        samples: the first rows, read with quotation marks as quotes (True) and as text (False).

    Raises:
        DataError: no format matches, or more than one; the message shows the columns seen.
    """
    fitting = [known for known in FORMATS if samples[known.quotes] and known.matches(samples[known.quotes])]
    if len(fitting) == 1:
        return fitting[0]
    columns = ", ".join(dict.fromkeys(name for row in samples[True] for name in row.values))
    if fitting:
        names = " and ".join(known.name for known in fitting)
        raise DataError(f"{label}: its columns ({columns}) fit several formats, {names}. Name one with --format.")
    wanted = "; ".join(f"{known.name} ({known.columns})" for known in FORMATS)
    raise DataError(
        f"{label}: its columns are {columns or 'none'}, and its first rows fit no known format: {wanted}. "
        "Rename the columns, or name the format with --format."
    )

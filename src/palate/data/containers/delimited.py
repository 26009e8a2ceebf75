"""CSV and TSV into rows: with quotation marks as quotes, or as text like any other."""

import csv
from collections.abc import Generator, Iterator, Sequence

from palate.data.rows import Place, Rejected, Row
from palate.errors import DataError

_FIELD_CHARACTERS = 1 << 30  # the csv module's own limit is 131072; one response can be longer


def quoted_rows(lines: Iterator[str], label: str) -> Generator[Row | Rejected]:
    """CSV or TSV as RFC 4180 has it: a quoted field may hold the delimiter, line ends and doubled quotes.

    Raises:
        DataError: no header, a column twice, or a quote that is never closed.
    """
    header_line = next(lines)
    # The limit is the process's; it is only ever raised, and nothing else in palate depends on it.
    csv.field_size_limit(max(_FIELD_CHARACTERS, csv.field_size_limit()))
    delimiter = _delimiter(header_line)
    header = _header(next(csv.reader([header_line], delimiter=delimiter)))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        place = Place(label, reader.line_num + 2)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise DataError(f"the quote opened in the record of line {place.number} is never closed.") from None
            yield Rejected(place, "not CSV", f"the line is not CSV: {error}.", None)
            continue
        if cells:
            yield _row(header, cells, place)


def unquoted_rows(lines: Iterator[str], label: str) -> Generator[Row | Rejected]:
    """TSV (or CSV) in which a quotation mark is text: a line is a row, a delimiter always ends a field.

    Raises:
        DataError: no header, or a column twice.
    """
    header_line = next(lines)
    delimiter = _delimiter(header_line)
    header = _header(header_line.rstrip("\r\n").split(delimiter))
    for number, line in enumerate(lines, 2):
        content = line.removesuffix("\n").removesuffix("\r")
        if content:
            yield _row(header, content.split(delimiter), Place(label, number))


def _delimiter(header: str) -> str:
    if "\t" in header:
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _header(cells: Sequence[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"the header has the column {twice[0]!r} twice. Rename one: which of them is meant can't be known."
        )
    return names


def _row(header: tuple[str, ...], cells: Sequence[str], place: Place) -> Row | Rejected:
    if len(cells) != len(header):
        detail = f"the row has {len(cells)} fields, the header {len(header)}."
        return Rejected(place, "number of fields", detail, list(cells))
    return Row(dict(zip(header, cells, strict=True)), place, untyped=True)

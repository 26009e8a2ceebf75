"""JSON arrays and JSON lines into rows, with line numbers."""

import itertools
import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from palate.data.rows import Place, Rejected, Row
from palate.errors import DataError

_SPACE = " \t\r\n"
_SPACES = re.compile(r"[ \t\r\n]*")


class _RepeatedKeyError(ValueError):
    """An object that has one key twice: which of the values is meant can't be known."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RepeatedKeyError(f"the key {twice!r} stands there twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


@dataclass(slots=True)
class _Cursor:
    """Walks over a text of JSON values and knows its line.

    Attributes:
        text: the whole file.
        at: the next character.
        line: the line that `at` is on, from 1.
    """

    text: str
    at: int = 0
    line: int = 1

    def skip(self) -> str:
        """Go on to the next character that is no white space, and return it; "" at the end."""
        match = _SPACES.match(self.text, self.at)
        self._move(match.end() if match else self.at)
        return self.text[self.at : self.at + 1]

    def step(self) -> None:
        """Go on by one character."""
        self.at += 1

    def value(self) -> Any:
        """Decode the value at the cursor and go on behind it; ValueError or RecursionError where it can't be."""
        found, end = _DECODER.raw_decode(self.text, self.at)
        self._move(end)
        return found

    def _move(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end


def line_rows(lines: Iterator[str], label: str) -> Generator[Row | Rejected]:
    """JSON lines. Objects printed over several lines, as `jq` prints them, are read too."""
    blank = 0
    for first in lines:
        if first.strip(_SPACE):
            break
        blank += 1
    else:
        raise DataError("the file is empty.")
    if isinstance(_line(first, Place(label, 1)), Rejected):
        text = first + "".join(lines)
        if _is_printed_over_lines(text):
            yield from _printed(_Cursor(text, line=blank + 1), label)
            return
        rest: Iterator[str] = iter(text.split("\n"))
    else:
        rest = itertools.chain([first], lines)
    for number, line in enumerate(rest, blank + 1):
        if line.strip(_SPACE):
            yield _line(line, Place(label, number))


def _is_printed_over_lines(text: str) -> bool:
    cursor = _Cursor(text)
    try:
        cursor.skip()
        cursor.value()
    except (ValueError, RecursionError):
        return False
    return cursor.line > 1


def _printed(cursor: _Cursor, label: str) -> Generator[Row | Rejected]:
    while cursor.skip():
        line = cursor.line
        try:
            found = cursor.value()
        except (ValueError, RecursionError) as error:
            raise DataError(f"the record that starts on line {line} is not whole JSON: {_why(error)}.") from None
        yield _row(found, Place(label, line))


def array_rows(lines: Iterator[str], label: str) -> Generator[Row | Rejected]:
    """A JSON array of objects, one at a time.

    Raises:
        DataError: the array is cut off or broken; where the next record starts can't be known then.
    """
    cursor = _Cursor("".join(lines))
    cursor.skip()
    cursor.step()
    more = cursor.skip() != "]"
    while more:
        line = cursor.line
        try:
            found = cursor.value()
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"the JSON array can't be read beyond line {line}, where a record starts: {_why(error)}. "
                "Is the file cut off? Copy it again, or write it as JSON lines, where one bad row can be skipped."
            ) from None
        yield _row(found, Place(label, line))
        follows = cursor.skip()
        if follows not in (",", "]"):
            raise DataError(
                f"the JSON array breaks off on line {cursor.line}: neither a comma nor its end. Is the file cut off?"
            )
        more = follows == ","
        cursor.step()
        cursor.skip()
    if not more and cursor.text[cursor.at :].lstrip("]").strip(_SPACE):
        raise DataError(f"there is more text after the end of the JSON array, on line {cursor.line}.")


def _line(line: str, place: Place) -> Row | Rejected:
    try:
        return _row(_DECODER.decode(line.strip(_SPACE)), place)
    except (ValueError, RecursionError) as error:
        return Rejected(place, "not JSON", f"the line is not whole JSON: {_why(error)}.", line.rstrip("\r\n"))


def _row(found: object, place: Place) -> Row | Rejected:
    if isinstance(found, dict):
        return Row(found, place)
    return Rejected(place, "not an object", f"the record is a {type(found).__name__}, not an object of columns.", found)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.removesuffix(' at')} at column {error.colno}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)

"""Opening a file: gzip unpacked by its magic bytes, text decoded by its byte order mark."""

import gzip
import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HEAD_BYTES = 4096
_GZIP = b"\x1f\x8b"
_BLOCK_BYTES = 1 << 20


@contextmanager
def opened(path: Path) -> Generator[io.BufferedReader]:
    """The file's bytes, unpacked if they are gzip, with `peek`."""
    with path.open("rb") as plain:
        if plain.peek(2)[:2] != _GZIP:
            yield plain
            return
        packed: Any = gzip.GzipFile(fileobj=plain)
        with packed, io.BufferedReader(packed, _BLOCK_BYTES) as stream:
            yield stream


def encoding(stream: io.BufferedReader) -> str:
    """`utf-16` where a byte order mark says so, else UTF-8 (with or without a mark)."""
    return "utf-16" if stream.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


@contextmanager
def text_lines(stream: io.BufferedReader) -> Generator[Iterator[str]]:
    """Lines with their ends, split at line feeds only.

    A byte that does not decode becomes a lone surrogate, so that the row it stands in can be refused, not the file.
    """
    text = io.TextIOWrapper(stream, encoding=encoding(stream), errors="surrogateescape", newline="\n")
    try:
        yield iter(text)
    finally:
        text.detach()  # the stream is closed by whoever opened it

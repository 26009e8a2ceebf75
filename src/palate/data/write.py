"""Writing lists as palate's own JSON lines, the format that `formats/ranked.py` reads back unchanged."""

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from palate.errors import StorageError
from palate.records import RankedList


def write_lists(lists: Iterable[RankedList], path: Path | str) -> int:
    """Write one list a line, packed with gzip where the name ends in `.gz`; the file appears whole or not at all.

    Returns:
        How many lists were written.

    Raises:
        StorageError: the disk is full or the folder can't be written; an older file of that name is untouched.
    """
    target = Path(path)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    written = 0
    try:
        with partial.open("wb") as file:
            # no name and no time in the header: the same lists give the same bytes
            packed = gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) if target.suffix == ".gz" else None
            out = packed or file
            for one in lists:
                out.write(json.dumps(as_row(one), ensure_ascii=False).encode() + b"\n")
                written += 1
            if packed is not None:
                packed.close()
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise StorageError(f"{target}: the lists can't be written there: {error}.") from None
    finally:
        partial.unlink(missing_ok=True)
    return written


def as_row(one: RankedList) -> dict[str, Any]:
    """The list as the JSON object that `formats/ranked.py` describes; fields at their defaults are left out."""
    row: dict[str, Any] = {
        "id": one.id,
        "prompt": [{"role": turn.role, "content": turn.content} for turn in one.prompt],
        "responses": list(one.responses),
        "ranks": list(one.ranks),
        "grades": None if one.grades is None else list(one.grades),
        "margin": one.margin,
        "confidence": one.confidence,
        "weight": None if one.weight == 1.0 else one.weight,
        "source": one.source,
        "extra": dict(one.extra) or None,
    }
    return {name: value for name, value in row.items() if value is not None}

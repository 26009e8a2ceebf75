"""The same rows, whatever they are packed in."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.written import as_csv, as_jsonl, as_parquet
from palate.data import read_lists

Write = Callable[..., Path]
ROWS = [
    {"prompt": 'Say "hi",\nthen go', "chosen": "Hi; there\tfriend", "rejected": "你好, ok"},
    {"prompt": "line\u2028separator", "chosen": "a\r\nb", "rejected": " x "},
]


CONTAINERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "json lines": as_jsonl,
    "json lines, CRLF": lambda rows: as_jsonl(rows).replace(b"\n", b"\r\n"),
    "json lines, blank lines": lambda rows: b"\n  \n" + as_jsonl(rows).replace(b"\n", b"\n\n") + b"\n\n",
    "json lines, BOM": lambda rows: b"\xef\xbb\xbf" + as_jsonl(rows),
    "json lines, UTF-16": lambda rows: as_jsonl(rows).decode().encode("utf-16"),
    "json array": lambda rows: json.dumps(rows).encode(),
    "json array, indented, BOM": lambda rows: b"\xef\xbb\xbf" + json.dumps(rows, indent=2).encode(),
    "json objects, indented": lambda rows: "\n".join(json.dumps(row, indent=2) for row in rows).encode(),
    "csv": as_csv,
    "csv, BOM": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
    "csv, UTF-16": lambda rows: as_csv(rows).decode().encode("utf-16"),
    "csv, semicolons": lambda rows: as_csv(rows, ";"),
    "tsv": lambda rows: as_csv(rows, "\t"),
    "parquet": as_parquet,
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_lists(raw: Write, container: str, packed: bool) -> None:
    content = CONTAINERS[container](ROWS)
    path = raw(gzip.compress(content) if packed else content, "any-name")
    result = read_lists(path)
    assert [(one.prompt[0].content, *one.responses) for one in result.lists] == [tuple(row.values()) for row in ROWS]
    assert (result.format, result.read, result.skipped) == ("trl", 2, {})


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (as_jsonl(ROWS), ["f:1", "f:2"]),
        (b"\n\n" + as_jsonl(ROWS), ["f:3", "f:4"]),
        (json.dumps(ROWS).encode(), ["f:1", "f:1"]),
        (json.dumps(ROWS, indent=1).encode(), ["f:2", "f:7"]),
        (b"\n".join(json.dumps(row, indent=1).encode() for row in ROWS), ["f:1", "f:6"]),
        (as_csv(ROWS), ["f:2", "f:4"]),
        (as_parquet(ROWS), ["f:1", "f:2"]),
    ],
    ids=["json lines", "after blank lines", "array", "indented array", "indented objects", "csv", "parquet"],
)
def test_an_id_is_the_line_that_the_record_starts_on(raw: Write, content: bytes, ids: list[str]) -> None:
    assert [one.id for one in read_lists(raw(content, "f")).lists] == ids


def test_lists_in_csv_cells_are_json(raw: Write) -> None:
    row = {"prompt": "p", "responses": '["a", "b"]', "grades": "[1, 2.5]", "margin": "0.5", "weight": ""}
    found = read_lists(raw(as_csv([row]))).lists[0]
    assert (found.responses, found.ranks, found.margin, found.weight) == (("a", "b"), (2, 1), 0.5, 1.0)


def test_parquet_keeps_nested_conversations_and_drops_its_nulls(raw: Write) -> None:
    rows = [
        {
            "prompt": [{"role": "user", "content": "Sky?"}],
            "chosen": [{"role": "assistant", "content": side}],
            "rejected": [{"role": "assistant", "content": "Red."}],
            "margin": margin,
        }
        for side, margin in (("Blue.", None), ("Grey.", 1.5))
    ]
    lists = read_lists(raw(as_parquet(rows))).lists
    assert [(one.responses[0], one.margin) for one in lists] == [("Blue.", None), ("Grey.", 1.5)]


@pytest.mark.parametrize("write", [as_jsonl, as_csv], ids=["json lines", "csv"])
def test_a_field_of_ten_megabytes_is_read_whole(raw: Write, write: Callable[..., bytes]) -> None:
    long = "abcdefghi\n" * 1_000_000
    found = read_lists(raw(write([{"prompt": "p", "chosen": long, "rejected": long + "x"}]))).lists[0]
    assert found.responses == (long, long + "x")

"""What is written reads back the same, and a file appears whole or not at all."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palate.data import fingerprint, read_lists, write_lists
from palate.errors import StorageError
from palate.records import Message, RankedList

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
SEEN = TEXT.filter(lambda text: bool(text.strip()))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def ranked_lists(draw: st.DrawFn) -> RankedList:
    """Any list that palate accepts."""
    k = draw(st.integers(2, 5))
    before = draw(st.lists(st.builds(Message, st.sampled_from(["user", "assistant", "tool"]), TEXT), max_size=2))
    system = draw(st.lists(st.builds(Message, st.just("system"), TEXT), max_size=1))
    last = draw(st.builds(Message, st.sampled_from(["user", "tool"]), SEEN))

    def each_of(values: st.SearchStrategy[object]) -> tuple[object, ...]:
        return tuple(draw(st.lists(values, min_size=k, max_size=k)))

    return RankedList(
        (*system, *before, last),
        each_of(SEEN),  # type: ignore[arg-type]
        each_of(st.integers(1, 9)),  # type: ignore[arg-type]
        id=draw(TEXT),
        grades=each_of(FINITE) if draw(st.booleans()) else None,  # type: ignore[arg-type]
        margin=draw(st.none() | st.floats(0, 1e9)),
        confidence=draw(st.none() | st.floats(0.5, 1, exclude_min=True)),
        weight=draw(st.floats(0, 1e9)),
        source=draw(TEXT),
        extra=draw(st.dictionaries(TEXT, JSON, max_size=3)),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(lists=st.lists(ranked_lists(), min_size=1, max_size=3), name=st.sampled_from(["out.jsonl", "out.jsonl.gz"]))
def test_any_list_reads_back_the_same(lists: list[RankedList], name: str, tmp_path: Path) -> None:
    assert write_lists(lists, tmp_path / name) == len(lists)
    result = read_lists(tmp_path / name)
    assert result.lists == lists
    assert result.format == "ranked"
    assert fingerprint(result.lists) == fingerprint(lists)


ONE = RankedList((Message("user", "p"),), ("a", "b"), (1, 2), id="x", source="here")


def test_a_row_holds_what_the_format_describes_and_no_defaults(tmp_path: Path) -> None:
    write_lists([ONE], tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text("utf-8")) == {
        "id": "x",
        "prompt": [{"role": "user", "content": "p"}],
        "responses": ["a", "b"],
        "ranks": [1, 2],
        "source": "here",
    }


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_the_same_lists_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_lists([ONE], tmp_path / folder / name)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write_lists([ONE], path)
    before = path.read_bytes()

    def lists() -> object:
        yield ONE
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        write_lists(lists(), path)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be written there"):
        write_lists([ONE], tmp_path / "no" / "out.jsonl")


def test_the_fingerprint_is_of_the_content_and_nothing_else() -> None:
    base = RankedList((Message("user", "p"),), ("a", "b"), (1, 2), grades=(2.0, 1.0), margin=1.0, confidence=0.9)
    same = [
        RankedList(base.prompt, base.responses, base.ranks, "id", (2.0, 1.0), 1.0, 0.9, 1.0, "source", {"x": 1}),
    ]
    other = [
        RankedList((Message("user", "p "),), base.responses, base.ranks, "", (2.0, 1.0), 1.0, 0.9),
        RankedList((Message("tool", "p"),), base.responses, base.ranks, "", (2.0, 1.0), 1.0, 0.9),
        RankedList(base.prompt, ("b", "a"), base.ranks, "", (2.0, 1.0), 1.0, 0.9),
        RankedList(base.prompt, base.responses, (1, 1), "", (2.0, 1.0), 1.0, 0.9),
        RankedList(base.prompt, base.responses, base.ranks, "", None, 1.0, 0.9),
        RankedList(base.prompt, base.responses, base.ranks, "", (2.0, 1.0), None, 0.9),
        RankedList(base.prompt, base.responses, base.ranks, "", (2.0, 1.0), 1.0, None),
        RankedList(base.prompt, base.responses, base.ranks, "", (2.0, 1.0), 1.0, 0.9, 2.0),
    ]
    assert {fingerprint([one]) for one in same} == {fingerprint([base])}
    assert len({fingerprint([one]) for one in [base, *other]}) == 1 + len(other)
    assert fingerprint([base, other[0]]) != fingerprint([other[0], base])
    assert fingerprint([base]) != fingerprint([base, base])

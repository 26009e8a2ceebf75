"""The work plan of the `segments` backend: complete, and no dearer than its pieces."""

from hypothesis import given
from hypothesis import strategies as st

from palate.trie import plan_rows
from palate.trie.blocks import MAX_QUERIES, plan_blocks

shapes = st.lists(
    st.tuples(st.integers(1, 700), st.lists(st.integers(1, 300), min_size=1, max_size=5)), min_size=1, max_size=4
)


def row_of(shape: list[tuple[int, list[int]]]):
    lists = [[[7] * prompt + [100 + k] * length for k, length in enumerate(lengths)] for prompt, lengths in shape]
    (row,) = plan_rows(lists, 1 << 20)
    return row


@given(shapes)
def test_every_query_is_in_one_block_with_all_the_keys_it_sees(shape: list[tuple[int, list[int]]]) -> None:
    row = row_of(shape)
    blocks = plan_blocks(row.segments)
    assert [q for block in blocks for q in range(block.start, block.stop)] == list(range(len(row)))
    for block in blocks:
        assert block.stop - block.start <= MAX_QUERIES
        keys = {k for start, stop in block.keys for k in range(start, stop)}
        for segment in row.segments:
            if segment.start < block.stop and block.start < segment.stop:
                needed = {k for start, stop in segment.ancestors for k in range(start, stop)}
                needed |= set(range(segment.start, min(segment.stop, block.stop)))
                assert needed <= keys


def test_short_neighbours_share_a_block_and_long_strangers_do_not() -> None:
    together = plan_blocks(row_of([(10, [5, 5]), (10, [5, 5])]).segments)
    assert len(together) == 1
    apart = plan_blocks(row_of([(5, [250, 250, 250])]).segments)
    assert len(apart) == 3
    assert max(block.key_count for block in apart) <= 260

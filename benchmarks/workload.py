"""Owns the lists that every side of a comparison computes: the common workload, and lists in the shape of Summarize."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

List = list[list[int]]
"""One prompt's sequences of token ids (prompt and response together), best first."""

END_ID = 0
"""The workload tokenizer's end token."""


def read_lists(workload: Path, count: int) -> list[List]:
    """The first `count` lists of a workload folder (`lists.jsonl`), in file order."""
    lists: list[List] = []
    with (workload / "lists.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            if len(lists) == count:
                break
            row = json.loads(line)
            lists.append([row["prompt_ids"] + ids for ids in row["responses_ids"]])
    if len(lists) < count:
        raise SystemExit(
            f"{workload}/lists.jsonl has {len(lists)} lists; {count} are asked for. Make it again with --lists {count}."
        )
    return lists


def summarize_like(
    count: int, k: int = 9, prompt_tokens: int = 350, response_tokens: int = 30, *, vocab: int = 16000
) -> list[List]:
    """Lists as in Summarize: a long prompt, K short responses. The ids are random: only their number costs time."""
    draw = random.Random(0)
    lists: list[List] = []
    for _ in range(count):
        prompt = [draw.randrange(2, vocab) for _ in range(prompt_tokens)]
        responses = [[draw.randrange(2, vocab) for _ in range(response_tokens - 1)] + [END_ID] for _ in range(k)]
        lists.append([prompt + response for response in responses])
    return lists


def in_steps(lists: Sequence[List], per_step: int) -> list[list[List]]:
    """Cut lists into optimiser steps of `per_step` lists."""
    return [list(lists[at : at + per_step]) for at in range(0, len(lists), per_step)]


def distinct_prefixes(sequences: List) -> tuple[int, int]:
    """What exact causal attention cannot do without, counted by walking each sequence down a dictionary.

    Returns:
        The distinct prefixes (tokens to compute), and the sum of their lengths (query-key products to compute).
    """
    nodes: dict[tuple[int, int], int] = {}
    products = 0
    for sequence in sequences:
        node = 0
        for depth, token in enumerate(sequence, start=1):
            if (node, token) not in nodes:
                nodes[node, token] = len(nodes) + 1
                products += depth
            node = nodes[node, token]
    return len(nodes), products


def count_tokens(steps: Sequence[Sequence[List]]) -> dict[str, int]:
    """Tokens of a run under three ways of computing it, and the query-key products of the cheapest."""
    distinct = products = alone = padded = 0
    for step in steps:
        sequences = [sequence for ranked in step for sequence in ranked]
        alone += sum(map(len, sequences))
        padded += max(map(len, sequences)) * len(sequences)
        for ranked in step:
            tokens, pairs = distinct_prefixes(ranked)
            distinct += tokens
            products += pairs
    return {
        "distinct_prefixes": distinct,
        "each_alone": alone,
        "one_padded_batch_a_step": padded,
        "query_key_products": products,
    }

"""Splitting lists by prompt, so that no prompt is on both sides."""

import hashlib
import json
from collections.abc import Iterable

from palate.errors import DataError, UsageError
from palate.records import Prompt, RankedList


def prompt_key(prompt: Prompt) -> str:
    """What makes two prompts the same: roles and words; runs of white space count as one space."""
    return json.dumps([[turn.role, " ".join(turn.content.split())] for turn in prompt])


def split_by_prompt(
    lists: Iterable[RankedList], eval_fraction: float, seed: int = 0
) -> tuple[list[RankedList], list[RankedList]]:
    """Split into (train, evaluation) by a hash of each prompt.

    A prompt's side depends on its text and the seed alone: neither other rows nor their order can move it. So the
    share of the evaluation side is `eval_fraction` in expectation, over prompts, not to the row.

    Args:
        lists: in any order; the order within a side is kept.
        eval_fraction: from 0 to below 1; 0 puts everything on the training side.
        seed: another seed gives another split.

    Raises:
        UsageError: a fraction outside [0, 1).
        DataError: a side that should have lists has none.
    """
    if not 0 <= eval_fraction < 1:
        raise UsageError(f"eval_fraction is {eval_fraction}; it must be at least 0 and below 1.")
    train: list[RankedList] = []
    evaluation: list[RankedList] = []
    threshold = int(eval_fraction * 2**64)
    for one in lists:
        digest = hashlib.sha256(f"{seed}:{prompt_key(one.prompt)}".encode()).digest()
        side = evaluation if int.from_bytes(digest[:8], "big") < threshold else train
        side.append(one)
    if not train or (eval_fraction and not evaluation):
        empty = "evaluation" if train else "training"
        prompts = len({prompt_key(one.prompt) for one in train + evaluation})
        raise DataError(
            f"splitting {prompts} prompts with eval_fraction {eval_fraction} and seed {seed} leaves the {empty} side "
            "empty. Use more data, another fraction or another seed, or give a file for evaluation."
        )
    return train, evaluation

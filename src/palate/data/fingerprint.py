"""The identity of a set of lists: what was learned from, whatever file it came in."""

import hashlib
import json
from collections.abc import Iterable

from palate.records import RankedList


def fingerprint(lists: Iterable[RankedList]) -> str:
    """sha256 in hex over what training reads, in order: prompts, responses, ranks, grades, margin, confidence, weight.

    `id`, `source` and `extra` don't count: they change with the file's name and format, not with what is learned.
    """
    digest = hashlib.sha256()
    for one in lists:
        content = (
            [(turn.role, turn.content) for turn in one.prompt],
            one.responses,
            one.ranks,
            one.grades,
            one.margin,
            one.confidence,
            one.weight,
        )
        digest.update(json.dumps(content, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()

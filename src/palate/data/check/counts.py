"""Counting over lists in one pass: sizes, pairs, repeats, contradictions, and the first list that shows each fault."""

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from palate.data.split import prompt_key
from palate.records import RankedList

# Layouts that a template writes. In a text they mean that a template was applied before, and would be applied twice.
MARKUP: tuple[str, ...] = (
    "<|im_start|>",
    "<|start_header_id|>",
    "<start_of_turn>",
    "<|user|>",
    "[INST]",
    "\n\nHuman:",
    "\n\n### Response:",
)


@dataclass(slots=True)
class Tally:
    """A fault: how often, and where first."""

    count: int = 0
    example: str = ""

    def add(self, example: str, count: int = 1) -> None:
        """Count it; the first example stays."""
        if count:
            self.example = self.example or example
            self.count += count


@dataclass(slots=True)
class Counts:
    """What one pass over the lists counts. Lengths are in characters.

    Pairs of texts are remembered by 64-bit hashes: 2 million of them collide with a probability of 1e-7.
    """

    k: Counter[int] = field(default_factory=Counter[int])
    pairs: int = 0
    tied: int = 0
    longer: int = 0
    shorter: int = 0
    prompts: Counter[int] = field(default_factory=Counter[int])
    prompt_chars: list[int] = field(default_factory=list[int])
    response_chars: list[int] = field(default_factory=list[int])
    duplicates: Tally = field(default_factory=Tally)
    contradictions: Tally = field(default_factory=Tally)
    identical: Tally = field(default_factory=Tally)
    empty: Tally = field(default_factory=Tally)
    all_tied: Tally = field(default_factory=Tally)
    off_grades: Tally = field(default_factory=Tally)
    same_role: Tally = field(default_factory=Tally)
    markup: Tally = field(default_factory=Tally)
    echoes: Tally = field(default_factory=Tally)
    _seen: set[int] = field(default_factory=set[int])
    _orders: dict[int, int] = field(default_factory=dict[int, int])

    def add(self, one: RankedList) -> None:
        """Count one list."""
        prompt = hash(prompt_key(one.prompt))
        self.k[one.k] += 1
        self.prompts[prompt] += 1
        self.prompt_chars.append(sum(len(turn.content) for turn in one.prompt))
        self.response_chars.extend(map(len, one.responses))
        identity = hash((prompt, tuple(sorted(zip(one.ranks, one.responses, strict=True)))))
        repeated = identity in self._seen
        self._seen.add(identity)
        self.duplicates.add(one.id, int(repeated))
        self._add_pairs(one, prompt, repeated)
        self._add_faults(one)

    def _add_pairs(self, one: RankedList, prompt: int, repeated: bool) -> None:
        pairs = one.pairs()
        self.pairs += len(pairs)
        self.tied += one.k * (one.k - 1) // 2 - len(pairs)
        self.all_tied.add(one.id, int(not pairs))
        for better, worse in pairs:
            left, right = one.responses[better], one.responses[worse]
            self.longer += len(left) > len(right)
            self.shorter += len(left) < len(right)
            if left == right:
                self.identical.add(one.id)
            elif not repeated:
                order, opposite = (1, 2) if left < right else (2, 1)
                texts = hash((prompt, *sorted((left, right))))
                before = self._orders.get(texts, 0)
                self._orders[texts] = before | order
                self.contradictions.add(one.id, int(before == opposite))

    def _add_faults(self, one: RankedList) -> None:
        self.empty.add(one.id, sum(not text.strip() for text in one.responses))
        roles = [turn.role for turn in one.prompt]
        self.same_role.add(one.id, int(any(a == b for a, b in itertools.pairwise(roles))))
        texts = "\0".join([*(turn.content for turn in one.prompt), *one.responses])
        self.markup.add(one.id, int(any(mark in texts for mark in MARKUP)))
        asked = one.prompt[-1].content.strip()
        self.echoes.add(one.id, sum(text.strip() == asked for text in one.responses))
        if one.grades is not None:
            graded = zip(one.ranks, one.grades, strict=True)
            grades = [grade for _, grade in sorted(graded, key=lambda pair: pair[0])]
            ordered = all(a >= b for a, b in itertools.pairwise(grades))
            self.off_grades.add(one.id, int(not ordered))


def count(lists: Iterable[RankedList]) -> Counts:
    """Count over all lists in one pass."""
    counts = Counts()
    for one in lists:
        counts.add(one)
    return counts

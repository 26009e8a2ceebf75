"""What a check of the data found: frozen numbers and sentences, plain JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Spread:
    """How a length is distributed.

    Attributes:
        min, median, mean, p95, max: in the unit of what was measured (characters or tokens).
    """

    min: int
    median: float
    mean: float
    p95: float
    max: int


@dataclass(frozen=True, slots=True)
class LongerWins:
    """How far the rule "the longer response is better" gets; lengths in characters.

    Attributes:
        accuracy: over untied pairs, equal lengths a half; NaN-free: 0.5 where there are no pairs.
        longer, shorter, equal: untied pairs in which the better response is longer, shorter, as long.
    """

    accuracy: float
    longer: int
    shorter: int
    equal: int


@dataclass(frozen=True, slots=True)
class Truncation:
    """What cutting every sequence to `max_tokens` would do.

    Attributes:
        max_tokens: the limit, end token included.
        lists: lists with at least one sequence that is cut.
        sequences: sequences that are cut.
        cut_tokens: tokens lost, over all sequences.
        identical_pairs: untied pairs whose two sequences differ before the cut and not after it.
        refused: lists of which not even the system turn and the template's frame fit.
    """

    max_tokens: int
    lists: int
    sequences: int
    cut_tokens: int
    identical_pairs: int
    refused: int


@dataclass(frozen=True, slots=True)
class TokenReport:
    """What the lists cost in tokens under a model's policy.

    Attributes:
        separate: tokens of all sequences, each with its own prompt.
        shared: distinct prefixes: what palate computes.
        as_pairs: tokens if every untied pair were two sequences of their own.
        saving: separate / shared.
        sequence: lengths of prompt + response + end token.
        truncation: at several limits, the smallest first.
        refused: lists that the policy's template refuses; they are in none of the numbers above.
        refusal: what it said about the first of them, and the list's id.
    """

    separate: int
    shared: int
    as_pairs: int
    saving: float
    sequence: Spread
    truncation: tuple[Truncation, ...]
    refused: int = 0
    refusal: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the data that a person should know.

    Attributes:
        kind: a fixed word for programs.
        level: `error` spoils training, `warning` biases it, `note` is worth knowing.
        count: how many (pairs, lists or prompts: the sentence says).
        share: of all of them.
        sentence: what was found, with numbers.
        example: the id of a list that shows it.
        remedy: what to do.
    """

    kind: str
    level: Level
    count: int
    share: float
    sentence: str
    example: str
    remedy: str


@dataclass(frozen=True, slots=True)
class DataReport:
    """The result of `check_lists`.

    Attributes:
        lists, responses, prompts: how many; prompts that differ in white space only count once.
        k: number of responses to number of lists.
        pairs, tied_pairs: over all lists; `pairs` counts the untied ones.
        longer_wins: the baseline that a reward model must beat.
        prompt_chars, response_chars: lengths in characters.
        duplicate_lists: lists that repeat an earlier one exactly.
        contradictions: pairs of texts that are ordered both ways under one prompt.
        tokens: under a model's policy; None where no renderer was given.
        findings: by harm, the worst first.
        fingerprint: sha256 of the lists' content.
    """

    lists: int
    responses: int
    prompts: int
    k: Mapping[int, int]
    pairs: int
    tied_pairs: int
    longer_wins: LongerWins
    prompt_chars: Spread
    response_chars: Spread
    duplicate_lists: int
    contradictions: int
    tokens: TokenReport | None
    findings: tuple[Finding, ...]
    fingerprint: str

    def to_json(self) -> dict[str, Any]:
        """The report as what `json.dumps` takes; the keys of `k` are text, in order."""
        return {**asdict(self), "k": {str(size): count for size, count in sorted(self.k.items())}}

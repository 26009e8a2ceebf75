"""What is in the data and what is wrong with it, before a single step is paid for."""

from collections.abc import Mapping, Sequence

from palate.data.check.counts import count
from palate.data.check.findings import find, longer_accuracy
from palate.data.check.report import DataReport, Finding, LongerWins, Spread, TokenReport, Truncation
from palate.data.check.tokens import count_tokens, spread
from palate.data.fingerprint import fingerprint
from palate.errors import DataError
from palate.records import RankedList
from palate.tokens.render import Renderer

__all__ = ["DataReport", "Finding", "LongerWins", "Spread", "TokenReport", "Truncation", "check_lists"]

LENGTHS = (256, 512, 1024, 2048, 4096)


def check_lists(
    lists: Sequence[RankedList],
    renderer: Renderer | None = None,
    lengths: Sequence[int] = LENGTHS,
    *,
    skipped: Mapping[str, int] | None = None,
) -> DataReport:
    """Count what training would see and say what is wrong with it.

    Args:
        lists: what was read, at least one.
        renderer: a model's, for what needs tokens: costs and truncation. Its policy's limit is tried besides `lengths`.
        lengths: values of max_tokens to try.
        skipped: `ReadResult.skipped`: rows left out, by reason.

    Raises:
        DataError: there is no list.
        TokenPolicyError: the model's chat template refuses every list.
    """
    if not lists:
        raise DataError("there are no lists to check.")
    counts = count(lists)
    limit = renderer.policy.max_tokens if renderer is not None else 0
    tokens = None if renderer is None else count_tokens(lists, renderer, (*lengths, limit))
    equal = counts.pairs - counts.longer - counts.shorter
    return DataReport(
        lists=len(lists),
        responses=len(counts.response_chars),
        prompts=len(counts.prompts),
        k=dict(sorted(counts.k.items())),
        pairs=counts.pairs,
        tied_pairs=counts.tied,
        longer_wins=LongerWins(longer_accuracy(counts), counts.longer, counts.shorter, equal),
        prompt_chars=spread(counts.prompt_chars),
        response_chars=spread(counts.response_chars),
        duplicate_lists=counts.duplicates.count,
        contradictions=counts.contradictions.count,
        tokens=tokens,
        findings=tuple(find(counts, skipped or {}, tokens, limit)),
        fingerprint=fingerprint(lists),
    )

"""What lists cost in tokens under a model's policy, and what cutting them would do."""

import dataclasses
import statistics
from collections.abc import Iterable, Sequence

from palate.data.check.report import Spread, TokenReport, Truncation
from palate.data.prefixes import distinct_prefixes
from palate.errors import OverlongError, TokenPolicyError
from palate.records import RankedList
from palate.tokens.render import Renderer

_NO_LIMIT = 1 << 30


@dataclasses.dataclass(slots=True)
class _Cut:
    """A limit, its renderer, and what it has cut so far."""

    renderer: Renderer
    lists: int = 0
    sequences: int = 0
    cut_tokens: int = 0
    identical_pairs: int = 0
    refused: int = 0

    def add(self, one: RankedList, whole: Sequence[Sequence[int]]) -> None:
        """Cut one list and count; `whole` is its sequences before the cut."""
        if max(map(len, whole)) <= self.renderer.policy.max_tokens:
            return
        try:
            rendered = self.renderer.render(one.prompt, one.responses)
        except OverlongError:
            self.refused += 1
            return
        self.lists += 1
        self.sequences += sum(cut > 0 for cut in rendered.cut_tokens)
        self.cut_tokens += sum(rendered.cut_tokens)
        self.identical_pairs += sum(
            whole[better] != whole[worse] and rendered.sequences[better] == rendered.sequences[worse]
            for better, worse in one.pairs()
        )


def count_tokens(lists: Iterable[RankedList], renderer: Renderer, lengths: Sequence[int]) -> TokenReport:
    """Render every list once without a limit, and the long ones once more per limit.

    Args:
        lists: at least one.
        renderer: the model's; its own limit is not used unless it is among the lengths.
        lengths: values of max_tokens to try.

    Raises:
        TokenPolicyError: the policy's template refuses every list.
    """
    whole = _limited(renderer, _NO_LIMIT)
    cuts = [_Cut(_limited(renderer, length)) for length in sorted(set(lengths))]
    sizes: list[int] = []
    refusals: list[tuple[str, str]] = []
    shared = as_pairs = 0
    for one in lists:
        try:
            sequences = whole.render(one.prompt, one.responses).sequences
        except TokenPolicyError as error:
            refusals.append((str(error), one.id))
            continue
        sizes.extend(map(len, sequences))
        shared += distinct_prefixes(sequences)
        as_pairs += sum(len(sequences[better]) + len(sequences[worse]) for better, worse in one.pairs())
        for cut in cuts:
            cut.add(one, sequences)
    if not sizes:
        raise TokenPolicyError(f"not one list can be rendered; of {refusals[0][1]} it is said: {refusals[0][0]}")
    return TokenReport(
        separate=sum(sizes),
        shared=shared,
        as_pairs=as_pairs,
        saving=sum(sizes) / shared,
        sequence=spread(sizes),
        truncation=tuple(map(_truncation, cuts)),
        refused=len(refusals),
        refusal=refusals[0] if refusals else ("", ""),
    )


def _truncation(cut: _Cut) -> Truncation:
    limit = cut.renderer.policy.max_tokens
    return Truncation(limit, cut.lists, cut.sequences, cut.cut_tokens, cut.identical_pairs, cut.refused)


def spread(sizes: Sequence[int]) -> Spread:
    """How lengths are distributed; at least one. The 95th percentile is the nearest rank."""
    ordered = sorted(sizes)
    p95 = ordered[-(-len(ordered) * 95 // 100) - 1]
    return Spread(ordered[0], statistics.median(ordered), statistics.fmean(ordered), p95, ordered[-1])


def _limited(renderer: Renderer, max_tokens: int) -> Renderer:
    policy = dataclasses.replace(renderer.policy, max_tokens=max_tokens, overlong="truncate")
    return type(renderer)(renderer.tokenizer, policy)

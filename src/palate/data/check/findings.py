"""Counts into sentences: what is wrong with the data, how much of it, where, and what to do; the worst first."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from palate.data.check.counts import Counts, Tally
from palate.data.check.report import Finding, Level, TokenReport

ENOUGH_PAIRS = 50_000  # "over 50k pairs is a safe amount": Summarize had 64k pairs, InstructGPT 32k prompts of 4 to 9
_LEVELS: tuple[Level, ...] = ("error", "warning", "note")
_STRONG_RULE = 0.6  # a one-line rule that gets this far will be learned before anything else
_FEW_PROMPTS = 200  # a tenth of them is 20: an accuracy over 20 prompts has an interval of 20 points and more
_MUCH_CUT = 0.01


@dataclass(frozen=True, slots=True)
class _Rule:
    """A fault that was counted: how it is said. `{}` is "3 of 9 lists (33.33%)"."""

    kind: str
    level: Level
    noun: str
    tally: Callable[[Counts], Tally]
    sentence: str
    remedy: str


_RULES: tuple[_Rule, ...] = (
    _Rule(
        "contradictions",
        "error",
        "pair",
        lambda counts: counts.contradictions,
        "{} put two texts in one order that another list with the same prompt puts the other way round.",
        "Decide which is right, or drop both.",
    ),
    _Rule(
        "identical_responses",
        "error",
        "pair",
        lambda counts: counts.identical,
        "{} have the same text on both sides: their loss is log 2 whatever the model does.",
        "Drop one of the two responses, or give them the same rank.",
    ),
    _Rule("empty_responses", "error", "response", lambda counts: counts.empty, "{} are empty.", "Drop them."),
    _Rule(
        "duplicate_lists",
        "warning",
        "list",
        lambda counts: counts.duplicates,
        "{} repeat an earlier one exactly, so they count more than once.",
        "Drop the repeats.",
    ),
    _Rule(
        "all_tied",
        "warning",
        "list",
        lambda counts: counts.all_tied,
        "{} have only ties, and so no pair to learn from.",
        "Drop them, or train with ties that count as a half.",
    ),
    _Rule(
        "grades_against_ranks",
        "warning",
        "list",
        lambda counts: counts.off_grades,
        "{} have grades in another order than their ranks; the ranks are followed.",
        "Drop the column that is wrong.",
    ),
    _Rule(
        "chat_markup",
        "warning",
        "list",
        lambda counts: counts.markup,
        "{} have the marks of a chat template in their texts: one was applied before, and would be applied again.",
        "Give the prompts as messages, without a template.",
    ),
    _Rule(
        "response_is_prompt",
        "warning",
        "response",
        lambda counts: counts.echoes,
        "{} repeat the last turn of the prompt word for word.",
        "See whether two columns were exchanged.",
    ),
    _Rule(
        "same_role_twice",
        "note",
        "list",
        lambda counts: counts.same_role,
        "{} have two turns of one role in a row; some chat templates refuse that.",
        "Join the turns, or train with --template transcript.",
    ),
)


def find(counts: Counts, skipped: Mapping[str, int], tokens: TokenReport | None, max_tokens: int) -> list[Finding]:
    """All findings, by level and then by the share of the data that they touch.

    Args:
        counts: of one pass over the lists.
        skipped: rows that the reader left out, by reason.
        tokens: what the lists cost and what truncation does to them, if a renderer was there.
        max_tokens: the limit that training would use.
    """
    totals = {"list": counts.k.total(), "pair": counts.pairs, "response": len(counts.response_chars)}
    found = [_said(rule, rule.tally(counts), totals[rule.noun]) for rule in _RULES if rule.tally(counts).count]
    found += [*_of_rows(counts, skipped), *_of_pairs(counts), *_of_amount(counts)]
    if tokens is not None:
        found += _of_tokens(tokens, counts, max_tokens)
    return sorted(found, key=lambda one: (_LEVELS.index(one.level), -one.share))


def _said(rule: _Rule, tally: Tally, total: int) -> Finding:
    sentence = rule.sentence.format(_of(tally.count, total, rule.noun))
    share = tally.count / max(total, 1)
    return Finding(rule.kind, rule.level, tally.count, share, sentence, tally.example, rule.remedy)


def _of_rows(counts: Counts, skipped: Mapping[str, int]) -> Iterator[Finding]:
    left_out = sum(skipped.values())
    rows = left_out + counts.k.total()
    if left_out:
        by_count = sorted(skipped.items(), key=lambda pair: -pair[1])
        reasons = ", ".join(f"{count} {reason}" for reason, count in by_count)
        sentence = f"{_of(left_out, rows, 'row')} can't be used: {reasons}."
        remedy = "See them with --on-bad-row skip --quarantine FILE; repair them, or leave them out."
        yield Finding("bad_rows", "warning", left_out, left_out / rows, sentence, "", remedy)


def _of_pairs(counts: Counts) -> Iterator[Finding]:
    everything = counts.pairs + counts.tied
    if not counts.pairs:
        sentence = f"Not one of {everything} pairs has a better and a worse side: there is nothing to train on."
        remedy = "Give rankings with an order, or grades that differ."
        yield Finding("no_pairs", "error", everything, 1.0, sentence, counts.all_tied.example, remedy)
        return
    rule = longer_accuracy(counts)
    side, accuracy = ("longer", rule) if rule > 0.5 else ("shorter", 1 - rule)
    if accuracy >= _STRONG_RULE:
        sentence = (
            f'The rule "the {side} response is better" is right for {accuracy:.1%} of {counts.pairs} pairs; '
            "a reward model learns it first."
        )
        remedy = "Compare accuracies with this number, not with 50 %; add pairs in which length says nothing."
        yield Finding("length_bias", "warning", round(accuracy * counts.pairs), accuracy, sentence, "", remedy)
    if counts.tied:
        sentence = f"{_of(counts.tied, everything, 'pair')} are ties; by default they form no pair in the loss."
        remedy = "To learn from them, train with ties that count as a half."
        yield Finding("ties", "note", counts.tied, counts.tied / everything, sentence, "", remedy)


def longer_accuracy(counts: Counts) -> float:
    """How often the longer response is the better one, over untied pairs; as long counts a half; 0.5 without pairs."""
    equal = counts.pairs - counts.longer - counts.shorter
    return (counts.longer + equal / 2) / counts.pairs if counts.pairs else 0.5


def _of_amount(counts: Counts) -> Iterator[Finding]:
    lists, prompts = counts.k.total(), len(counts.prompts)
    shared = sum(times for times in counts.prompts.values() if times > 1)
    if shared:
        few = prompts < _FEW_PROMPTS
        sentence = f"{_of(shared, lists, 'list')} share their prompt with another list; there are {prompts} prompts."
        remedy = "Split by prompt, as palate does."
        if few:
            remedy = f"A split by prompt keeps few of {prompts} out: name whole files for evaluation."
        yield Finding("shared_prompts", "warning" if few else "note", shared, shared / lists, sentence, "", remedy)
    if 0 < counts.pairs < ENOUGH_PAIRS:
        sentence = f"There are {counts.pairs} pairs; published reward models had {ENOUGH_PAIRS} and more."
        remedy = "Rank more responses per prompt (K = 9 gives 36 pairs), or start from a reward model."
        yield Finding("few_pairs", "note", counts.pairs, 1.0, sentence, "", remedy)


def _of_tokens(tokens: TokenReport, counts: Counts, max_tokens: int) -> Iterator[Finding]:
    lists = counts.k.total()
    if tokens.refused:
        refusal, example = tokens.refusal
        sentence = f"{_of(tokens.refused, lists, 'list')} are refused by the chat template: {refusal}"
        remedy = "Change their turns, or use another template (--template transcript)."
        yield Finding("refused_by_template", "error", tokens.refused, tokens.refused / lists, sentence, example, remedy)
    limit = next(one for one in tokens.truncation if one.max_tokens == max_tokens)
    if limit.refused:
        sentence = f"{_of(limit.refused, lists, 'list')} do not fit into {max_tokens} tokens even without their turns."
        remedy = f"Raise --max-tokens; the longest sequence has {tokens.sequence.max} tokens."
        yield Finding("refused_as_too_long", "error", limit.refused, limit.refused / lists, sentence, "", remedy)
    if limit.identical_pairs:
        said = _of(limit.identical_pairs, counts.pairs, "pair")
        sentence = f"{said} become identical when cut to {max_tokens} tokens; training drops them."
        remedy = f"Raise --max-tokens; the longest sequence has {tokens.sequence.max} tokens."
        share = limit.identical_pairs / counts.pairs
        yield Finding("identical_after_cut", "error", limit.identical_pairs, share, sentence, "", remedy)
    if limit.sequences:
        share = limit.sequences / len(counts.response_chars)
        said = _of(limit.sequences, len(counts.response_chars), "sequence")
        sentence = f"{said} are longer than {max_tokens} tokens and lose {limit.cut_tokens} tokens together."
        remedy = f"Raise --max-tokens (the longest has {tokens.sequence.max}), or pass --overlong drop."
        level: Level = "warning" if share > _MUCH_CUT else "note"
        yield Finding("truncation", level, limit.sequences, share, sentence, "", remedy)


def _of(count: int, total: int, noun: str) -> str:
    return f"{count} of {total} {noun}{'' if total == 1 else 's'} ({count / max(total, 1):.2%})"

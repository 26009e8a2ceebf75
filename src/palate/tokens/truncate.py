"""What gives way when a sequence is longer than max_tokens: old turns, then old tokens, at last the response's tail."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from palate.errors import OverlongError
from palate.records import Prompt
from palate.tokens.tokenizer import Tokenizer, encode

Sequences = list[list[int]]


@dataclass(frozen=True)
class Fitter:
    """Cuts texts until the ids fit. Texts are cut, not ids, so that the frame (BOS, roles, end token) stays whole.

    Attributes:
        tokenizer: says where a text's tokens lie.
        lay_out: prompt and responses -> ids, whole.
        max_tokens: the longest sequence allowed, the end token included.
    """

    tokenizer: Tokenizer
    lay_out: Callable[[Prompt, Sequence[str]], Sequences]
    max_tokens: int

    def fit(self, prompt: Prompt, responses: Sequence[str], sequences: Sequences) -> Sequences:
        """The sequences of a prompt and responses that are too long, cut.

        All responses keep the same prompt: it is cut for the longest, so that none is judged with more context than
        another. A response is cut only where it does not fit with the system turn and the frame alone.

        Args:
            prompt: the turns given.
            responses: [k] texts.
            sequences: [k] their ids, uncut.

        Raises:
            OverlongError: the system turn and the template's frame fill `max_tokens` without any response.
        """
        longest = responses[max(range(len(sequences)), key=lambda at: len(sequences[at]))]
        prompt = self._shorten_prompt(prompt, longest)
        fitted = self.lay_out(prompt, responses)
        too_long = [at for at, ids in enumerate(fitted) if len(ids) > self.max_tokens]
        if not too_long:
            return fitted
        shortened = list(responses)
        for at in too_long:
            shortened[at] = self._shorten_response(prompt, responses[at], len(fitted[at]))
        return self.lay_out(prompt, shortened)

    def _excess(self, prompt: Prompt, response: str) -> int:
        return len(self.lay_out(prompt, [response])[0]) - self.max_tokens

    def _shorten_prompt(self, prompt: Prompt, longest: str) -> Prompt:
        """The prompt without its oldest turns, then without its oldest tokens; system turns stay."""
        candidates = _without_oldest_turns(prompt)
        fits = bisect_left(candidates, True, key=lambda one: self._excess(one, longest) <= 0)
        if fits < len(candidates):
            return candidates[fits]
        turns = list(candidates[-1])
        for at, turn in enumerate(turns):
            if turn.role == "system":
                continue
            while turns[at].content and (excess := self._excess(tuple(turns), longest)) > 0:
                turns[at] = replace(turns[at], content=drop_first(self.tokenizer, turns[at].content, excess))
        return tuple(turns)

    def _shorten_response(self, prompt: Prompt, response: str, tokens: int) -> str:
        excess = tokens - self.max_tokens
        while excess > 0:
            if not response:
                raise OverlongError(
                    f"max_tokens is {self.max_tokens}, and the system turn and the template's frame alone take "
                    f"{self.max_tokens + excess}: raise max_tokens or shorten the system turn."
                )
            response = drop_last(self.tokenizer, response, excess)
            excess = self._excess(prompt, response)
        return response


def _without_oldest_turns(prompt: Prompt) -> list[Prompt]:
    """The prompt, then without its oldest turns, shorter and shorter; each part starts with a user turn."""
    first = next((at for at, turn in enumerate(prompt) if turn.role != "system"), len(prompt))
    front = prompt[:first]
    starts = [at for at in range(first + 1, len(prompt)) if prompt[at].role == "user"]
    return [prompt, *((*front, *prompt[at:]) for at in starts)]


def drop_first(tokenizer: Tokenizer, text: str, tokens: int) -> str:
    """The text without its first `tokens` tokens; at least one character shorter."""
    starts = _starts(tokenizer, text)
    return text[max(1, starts[tokens]) :] if tokens < len(starts) else ""


def drop_last(tokenizer: Tokenizer, text: str, tokens: int) -> str:
    """The text without its last `tokens` tokens; at least one character shorter."""
    starts = _starts(tokenizer, text)
    return text[: min(len(text) - 1, starts[len(starts) - tokens])] if tokens < len(starts) else ""


def _starts(tokenizer: Tokenizer, text: str) -> list[int]:
    """The character at which each token of the text starts."""
    if tokenizer.is_fast:
        found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [start for start, _ in found["offset_mapping"]]
    count = len(encode(tokenizer, text))  # no offsets: as if every token were equally long; the caller measures again
    return [len(text) * at // max(count, 1) for at in range(count)]

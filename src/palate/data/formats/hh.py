"""HH: pairs of whole transcripts, as Anthropic published its helpful and harmless dialogues."""

import re
from collections.abc import Iterable, Iterator, Sequence

from palate.data.fields import as_asked, has, text
from palate.data.formats.build import each, finish, mostly
from palate.data.rows import BadRowError, Rejected, Row
from palate.records import Message, Prompt, RankedList, Role

_TURN = re.compile(r"\n\n(Human|Assistant): ?")
_LAST = "\n\nAssistant:"
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}
_USED = frozenset({"prompt", "chosen", "rejected"})


class HH:
    r"""Two transcripts that share everything up to the last assistant turn.

        {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: What?"}
        {"prompt": "\n\nHuman: Hi\n\nAssistant:", "chosen": " Hello!", "rejected": " What?"}

    The one space after a turn's colon belongs to the layout and is taken off; the rest of the text is kept as it is.
    Transcripts whose prompts differ are no comparison, and a bad row.

    Source: https://github.com/anthropics/hh-rlhf (Bai et al. 2022, arXiv 2204.05862).
    """

    name = "hh"
    columns = 'chosen, rejected: transcripts that start with "\\n\\nHuman:", or a prompt that does'
    quotes = True

    def matches(self, sample: Sequence[Row]) -> bool:
        """Any first row whose prompt, or else whose chosen transcript, starts with a human turn."""
        paired = mostly(sample, lambda row: {"chosen", "rejected"} <= row.values.keys())
        return paired and any(_is_transcript(row.values.get("prompt") or row.values.get("chosen")) for row in sample)

    def read(self, rows: Iterable[Row]) -> Iterator[RankedList | Rejected]:
        """One list of two per row."""
        return each(rows, self._parse)

    def _parse(self, row: Row) -> RankedList:
        if has(row, "prompt"):
            asked, after = _split(text(row, "prompt"), "prompt")
            if after.strip():
                raise BadRowError("no end of the prompt", "'prompt' does not end with \"\\n\\nAssistant:\".")
            chosen, rejected = (text(row, side).removeprefix(" ") for side in ("chosen", "rejected"))
        else:
            asked, chosen = _split(text(row, "chosen"), "chosen")
            other, rejected = _split(text(row, "rejected"), "rejected")
            if asked != other:
                raise BadRowError("prompts differ", "'chosen' and 'rejected' differ before the last assistant turn.")
        prompt = as_asked(_turns(asked), "the transcript")
        return finish(
            RankedList(prompt, (chosen, rejected), (1, 2), source=self.name), row, _USED, ("chosen", "rejected")
        )


def _is_transcript(found: object) -> bool:
    return isinstance(found, str) and found.lstrip("\n").startswith("Human:") and _LAST in found


def _split(transcript: str, name: str) -> tuple[str, str]:
    asked, last, response = transcript.rpartition(_LAST)
    if not last or _TURN.search(response):
        raise BadRowError(
            "no last assistant turn", f'{name!r} does not end with an assistant turn ("\\n\\nAssistant: ...").'
        )
    return asked, response.removeprefix(" ")


def _turns(asked: str) -> Prompt:
    before, *parts = _TURN.split(asked)
    if before.strip() or not parts:
        raise BadRowError(
            "no first human turn", 'the transcript does not start with a human turn ("\\n\\nHuman: ...").'
        )
    return tuple(Message(_ROLES[who], content) for who, content in zip(parts[::2], parts[1::2], strict=True))

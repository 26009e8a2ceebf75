"""Control tokens, and how to encode text from users so that it never becomes one."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from palate.errors import DataError, TokenPolicyError
from palate.tokens.tokenizer import Tokenizer, encode

_PRIVATE_USE = range(0xF0000, 0xFFFFE)  # code points that mean nothing in Unicode; two that no text has become marks


@dataclass(frozen=True)
class Marks:
    """Characters put into users' texts while a chat template is rendered.

    Attributes:
        opening: stands before a control string.
        closing: stands behind it.
        edge: stands where a text begins or ends with a part of a control string, which the template might complete.
    """

    opening: str
    closing: str
    edge: str

    @classmethod
    def absent_from(cls, texts: Iterable[str]) -> "Marks":
        """Marks that occur in none of the texts, so that nobody can forge one."""
        used = set[str]().union(*texts)
        free = (chr(point) for point in _PRIVATE_USE if chr(point) not in used)
        return cls(next(free), next(free), next(free))


class ControlTokens:
    """The tokens that only a template may write.

    Which added tokens those are: special ones, and others that look like marks (`<tool_call>`, `[REF]`). White space
    (runs of blanks in Phi-2 and GPT-NeoX, line ends in Gemma) and words that somebody added for a field of knowledge
    are ordinary text. The unknown token counts only where it has another office too: a tokenizer may well produce it
    from text that it does not know.
    """

    def __init__(self, tokenizer: Tokenizer, also: Sequence[str] = ()) -> None:
        """Read them off a tokenizer; `also` names more (a policy's tokens before they are added)."""
        self._tokenizer = tokenizer
        added = {
            str(token.content): (int(at), bool(token.special)) for at, token in tokenizer.added_tokens_decoder.items()
        }
        by_text = {text: at for text, (at, special) in added.items() if _only_for_templates(text, special)}
        self.by_text = by_text
        offices = [tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.sep_token]
        reserved = {by_text[text] for text in (*offices, *also) if text in by_text}
        unknown = {by_text[tokenizer.unk_token]} if tokenizer.unk_token in by_text else set[int]()
        self.ids = frozenset(by_text.values()) - (unknown - reserved)
        texts = sorted({*by_text, *also}, key=len, reverse=True)  # the longest first, as the tokenizer matches
        self.pattern = re.compile("|".join(map(re.escape, texts)) or "(?!)")
        self._split = re.compile(f"({self.pattern.pattern})")
        self._heads = frozenset(text[:cut] for text in texts for cut in range(1, len(text)))
        self._tails = frozenset(text[cut:] for text in texts for cut in range(1, len(text)))
        self._texts = texts
        self._longest = max(map(len, texts), default=0)
        self._newline = encode(tokenizer, "\n")

    # -- users' text alone ---------------------------------------------------------------------------------------

    def plain(self, text: str) -> list[int]:
        """The ids of a user's text that starts a sequence; no control token among them."""
        pieces = self._pieces(text)
        ids = encode(self._tokenizer, pieces[0])
        for at, piece in enumerate(pieces[1:], start=1):
            ids += self._torn(piece) if at % 2 else self.within(piece)
        return ids if self.ids.isdisjoint(ids) else self._torn(text, first=True)

    def within(self, text: str) -> list[int]:
        """The ids of a user's text that follows other text; no control token among them.

        Encoded behind a line end, which is taken off again: a SentencePiece tokenizer puts a blank before the first
        word of a string only.
        """
        pieces = self._pieces(text)
        ids: list[int] = []
        for at, piece in enumerate(pieces):
            ids += self._torn(piece) if at % 2 else self._behind_newline(piece)
        return ids if self.ids.isdisjoint(ids) else self._torn(text)

    def _pieces(self, text: str) -> list[str]:
        """Text, control string, text, control string, ... text."""
        check_text(text)
        return self._split.split(text)

    def _behind_newline(self, piece: str) -> list[int]:
        if not piece:
            return []
        ids = encode(self._tokenizer, "\n" + piece)
        skip = len(self._newline)
        return ids[skip:] if ids[:skip] == self._newline else encode(self._tokenizer, piece)

    def _torn(self, text: str, first: bool = False) -> list[int]:
        """The ids of the text's two halves, each torn further while it still makes a control token."""
        if len(text) < 2:
            raise TokenPolicyError(
                f"the tokenizer makes a control token of the text {text!r} alone; palate can't use it."
            )
        ids: list[int] = []
        for half in (text[: len(text) // 2], text[len(text) // 2 :]):
            part = encode(self._tokenizer, half) if first and not ids else self._behind_newline(half)
            ids += part if self.ids.isdisjoint(part) else self._torn(half, first and not ids)
        return ids

    # -- users' text inside a chat template ----------------------------------------------------------------------

    def mark(self, text: str, marks: Marks) -> str:
        """The text with every control string enclosed in marks, and its edges marked where they are part of one."""
        check_text(text)
        cuts = range(1, min(len(text), self._longest) + 1)
        inside = len(text) < self._longest and any(text in one for one in self._texts)
        before = marks.edge if inside or any(text[:cut] in self._tails for cut in cuts) else ""
        after = marks.edge if inside or any(text[-cut:] in self._heads for cut in cuts) else ""
        enclosed = self.pattern.sub(lambda found: f"{marks.opening}{found[0]}{marks.closing}", text)
        return f"{before}{enclosed}{after}"

    def settle(self, text: str, marks: Marks) -> str:
        """A rendered chat without its edge marks; where the template completed a control string, they stay."""
        if marks.edge not in text:
            return text
        bare = text.replace(marks.edge, "")
        return bare if self.pattern.findall(bare) == self.pattern.findall(text) else text

    def encode_marked(self, text: str, marks: Marks) -> list[int]:
        """The ids of a rendered chat: the template's control tokens are tokens, marked ones are text."""
        every = marks.opening + marks.closing + marks.edge
        if not any(mark in text for mark in every):
            return self._template_text(text, first=True)
        marked = re.compile(f"{marks.opening}({self.pattern.pattern}){marks.closing}|[{every}]")
        ids: list[int] = []
        for at, piece in enumerate(marked.split(text)):
            if piece:
                ids += self._torn(piece) if at % 2 else self._template_text(piece, first=not ids)
        return ids

    def last_start(self, text: str, marks: Marks) -> int:
        """Where the last control token that the template wrote starts; 0 where there is none."""
        starts = (found.start() for found in self.pattern.finditer(text))
        return max((start for start in starts if start and text[start - 1] != marks.opening), default=0)

    def _template_text(self, text: str, first: bool) -> list[int]:
        ids = encode(self._tokenizer, text) if first else self._behind_newline_of_template(text)
        wanted = [self.by_text[found] for found in self.pattern.findall(text) if found in self.by_text]
        if [one for one in ids if one in self.ids] == [one for one in wanted if one in self.ids]:
            return ids
        # More than the text spells: a normaliser turned look-alikes (as full-width letters) into control tokens.
        ids = []
        for at, piece in enumerate(self._split.split(text)):
            if at % 2 and piece in self.by_text:
                ids.append(self.by_text[piece])
            elif piece:
                ids += self.plain(piece) if first and not ids else self.within(piece)
        return ids

    def _behind_newline_of_template(self, text: str) -> list[int]:
        return self._behind_newline(text) if not self.pattern.match(text) else encode(self._tokenizer, text)


def _only_for_templates(text: str, special: bool) -> bool:
    return len(text.strip()) > 1 and (special or _looks_like_a_mark(text))


def _looks_like_a_mark(text: str) -> bool:
    return any(char in "<>[]{}|｜" for char in text)


def check_text(text: str) -> None:
    """Refuse a text that no tokenizer can read.

    Raises:
        DataError: a lone surrogate, as broken JSON escapes leave it.
    """
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"a text has the lone surrogate {text[error.start]!r} at character {error.start}, which is not valid "
            "Unicode (half of an escaped emoji, most likely). Repair or drop the row."
        ) from error

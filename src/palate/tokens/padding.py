"""The pad token: never the end token, an existing one before a spare embedding row before a new row."""

import re
from dataclasses import dataclass

from palate.tokens.ending import Found, setting
from palate.tokens.policy import PadSource
from palate.tokens.tokenizer import Tokenizer, encode, token_id

NEW_PAD = "<|pad|>"

_PAD_NAME = re.compile(r"\W*(finetune_(left|right)_)?pad(ding)?(_id|[\W_]?token)?\W*", re.IGNORECASE)
_OTHER_PAD_NAME = re.compile(r"\W*fim[-_]pad\W*", re.IGNORECASE)
_RESERVED_NAME = re.compile(r"\W*(reserved|unused|placeholder|dummy|extra)\D*\d*\W*", re.IGNORECASE)

_STRANGE = "\U000e0001\ud7fb\u0e5b\U0001f9ff"  # characters that a vocabulary without bytes does not know


@dataclass(frozen=True)
class Pad:
    """The pad token, its id, where it was found, and why it was taken."""

    token: str
    id: int
    source: PadSource
    why: str


@dataclass(frozen=True)
class Taken:
    """What a pad token must not be.

    Attributes:
        ends: the ids that start or end a sequence; not even the tokenizer's own pad token may be one.
        offices: the ids with any other office (EOS, SEP, what stops generation); no new pad token is made of one.
        text: the chat template; a token that it writes is in use.
    """

    ends: frozenset[int]
    offices: frozenset[int]
    text: str


def choose_pad(tokenizer: Tokenizer, taken: Taken, config: object, rows: int, fresh: int) -> Pad:
    """The pad token for whoever loads the checkpoint with transformers.

    Args:
        tokenizer: read only.
        taken: what it must not be.
        config: the model's; its pad_token_id counts where it fits.
        rows: rows of the embedding.
        fresh: the id that a token added now would get.
    """
    own = tokenizer.pad_token
    own_id = None if own is None else token_id(tokenizer, own)
    if own is not None and own_id is not None and own_id not in taken.ends and own_id < rows:
        return Pad(own, own_id, "tokenizer", "the tokenizer's own; it neither starts nor ends a sequence")
    refused = "the tokenizer names none" if own is None else f"the tokenizer's {own!r} ends or starts sequences"
    if unused := _unused(tokenizer, taken, config, rows):
        return Pad(unused.token, unused.id, "unused_special", f"{refused}; {unused.why}")
    name = NEW_PAD
    while token_id(tokenizer, name) is not None:
        name = f"<|{name.strip('<|>')}_|>"
    if fresh < rows:
        why = f"{refused}; the embedding has {rows} rows, the tokenizer's ids end at {fresh - 1}: a spare row is used"
        return Pad(name, fresh, "spare_row", why)
    return Pad(name, fresh, "new_row", f"{refused}; all {rows} rows of the embedding are in use: it grows by one")


def _unused(tokenizer: Tokenizer, taken: Taken, config: object, rows: int) -> Found | None:
    """An existing special token that neither a template nor a text writes."""
    added = {int(at): str(token.content) for at, token in tokenizer.added_tokens_decoder.items()}
    free = {
        at: text
        for at, text in added.items()
        if at not in taken.ends | taken.offices and at < rows and text not in taken.text
    }
    named = setting(config, "pad_token_id")
    if isinstance(named, int) and named in free and free[named] != tokenizer.unk_token:
        return Found(free[named], named, f"pad_token_id of config.json is {free[named]!r}")
    for pattern, why in (
        (_PAD_NAME, "made for padding, and nothing writes it"),
        (_OTHER_PAD_NAME, "a pad token of another task, which no text writes"),
        (_RESERVED_NAME, "a reserved token that nothing writes"),
    ):
        for at, text in free.items():
            if pattern.fullmatch(text):
                return Found(text, at, f"{text!r} exists already: {why}")
    unknown = tokenizer.unk_token
    at = None if unknown is None else token_id(tokenizer, unknown)
    if unknown is not None and at in free and at not in encode(tokenizer, _STRANGE):
        return Found(unknown, at, f"{unknown!r} exists already, and the tokenizer spells unknown characters in bytes")
    return None

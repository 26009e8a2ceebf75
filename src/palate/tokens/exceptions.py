"""The exceptions to what detection finds, by model_type; each row says why it is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class ExceptionRow:
    """What is set for one family, over what its files say.

    Attributes:
        why: the reason, for `palate inspect` and docs/tokens.md.
        bos: True = always start with the tokenizer's BOS, False = never, None = as detected. Holds without a chat
            template; a chat template writes its own BOS or leaves it out.
        end_token: the end token where no chat template says otherwise; None = as detected.
        ignore_config_ids: the ids in config.json are known to be wrong for the family's checkpoints.
        bos_may_end: BOS and end token are one and the same, at both ends.
    """

    why: str
    bos: bool | None = None
    end_token: str | None = None
    ignore_config_ids: bool = False
    bos_may_end: bool = False


_GEMMA = ExceptionRow(
    bos=True,
    why="trained with <bos> in front of every text and far off without it (Gemma's model card); some conversions "
    "of the tokenizer do not add it",
)
_MISTRAL = ExceptionRow(
    bos=True,
    why="trained with <s> in front of every text; the tokenizer.model that Mistral publishes does not add it when "
    "transformers reads it",
)

EXCEPTIONS: Mapping[str, ExceptionRow] = MappingProxyType(
    {
        "gpt2": ExceptionRow(
            bos=False,
            why="<|endoftext|> (50256) is BOS, EOS and UNK in one; it separates documents, so a text ends with it and "
            "does not start with it",
        ),
        "gpt_neox": ExceptionRow(
            end_token="<|endoftext|>",  # noqa: S106, no password
            ignore_config_ids=True,
            bos=False,
            why="GPTNeoXConfig's default eos_token_id 2 is an ordinary token of Pythia's vocabulary; <|endoftext|> is "
            "0, and tokenizer files without a config name no special token at all",
        ),
        "opt": ExceptionRow(
            bos=True,
            bos_may_end=True,
            why="OPT starts every text with </s> (2), which is also its EOS: the one token stands at both ends",
        ),
        "falcon": ExceptionRow(
            end_token="<|endoftext|>",  # noqa: S106, no password
            bos=False,
            why="config.json calls <|endoftext|> (11) BOS and EOS, the tokenizer adds neither, and tokenizer files "
            "without a config name no special token at all",
        ),
        "baichuan": ExceptionRow(
            end_token="</s>",  # noqa: S106, no password
            bos=False,
            why="an answer ends with </s> (generation_config stops at 2); the role tokens 195 and 196 are written by "
            "the model's own Python code, which palate does not run, so turns are written as a transcript",
        ),
        "mistral": _MISTRAL,
        "mixtral": _MISTRAL,
        "gemma": _GEMMA,
        "gemma2": _GEMMA,
        "gemma3": _GEMMA,
        "gemma3_text": _GEMMA,
    }
)

NO_EXCEPTION = ExceptionRow(why="")


def exception_for(model_type: str | None) -> ExceptionRow:
    """The row of a family, or one that sets nothing."""
    return EXCEPTIONS.get(model_type or "", NO_EXCEPTION)

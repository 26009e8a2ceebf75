"""The demo's tasks: what is asked, what a perfect response holds, and how many faults a response has."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from palate.demo.words import CATEGORIES, DAYS, NUMBERS

Kind = Literal["list", "two lists", "count"]
KINDS: tuple[Kind, ...] = ("list", "two lists", "count")

Form = Literal["dashes", "stars", "arrows"]
FORMS: dict[Form, str] = {"dashes": "- ", "stars": "* ", "arrows": "> "}
"""How the content is laid out, one item a line: what tasks call it, and what stands before each item."""

Tone = Literal["plain", "quiet", "polite"]
TONES: dict[Tone, str] = {"plain": "", "quiet": " Write nothing else.", "polite": " Be polite."}
"""What is asked of the talk around the content: nothing; none; a friendly opening."""


@dataclass(frozen=True, slots=True)
class Part:
    """One run of items that a task asks for.

    Attributes:
        category: where its words come from.
        pool: the words that are right for it.
        ideal: the items of one perfect response; the only ones if `ordered`.
        ordered: these items in this order, rather than so many of the pool in any.
    """

    category: str
    pool: tuple[str, ...]
    ideal: tuple[str, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt, and all that decides how good a response to it is."""

    kind: Kind
    prompt: str
    parts: tuple[Part, ...]
    form: Form
    tone: Tone


@dataclass(frozen=True, slots=True)
class Draft:
    """A response in pieces.

    Attributes:
        items: the content, in order.
        form: the layout.
        opening: what is said before the content; "" for nothing.
        closing: what is said after it; "" for nothing.
    """

    items: tuple[str, ...]
    form: Form
    opening: str = ""
    closing: str = ""

    def text(self) -> str:
        """The response as it is written."""
        content = (f"{FORMS[self.form]}{item}" for item in self.items)
        return "\n".join(piece for piece in (self.opening, *content, self.closing) if piece)


def faults(task: Task, draft: Draft) -> int:
    """How many faults a response has; 0 is perfect. What is counted can be seen in the text alone.

    In a list: each item too few or too many of what was asked for, each that was not asked for, each said again. Where
    the order is given: the edit distance to the right items. And one each for another layout than asked for, for talk
    where none was wanted, and for no opening where politeness was.
    """
    if task.parts[0].ordered:
        content = edit_distance(draft.items, task.parts[0].ideal)
    else:
        said = set(draft.items)
        content = len(draft.items) - len(said) + len(said.difference(*(part.pool for part in task.parts)))
        content += sum(abs(len(said.intersection(part.pool)) - len(part.ideal)) for part in task.parts)
    talkative = task.tone == "quiet" and bool(draft.opening or draft.closing)
    rude = task.tone == "polite" and not draft.opening
    return content + (draft.form != task.form) + talkative + rude


def edit_distance(found: Sequence[str], wanted: Sequence[str]) -> int:
    """The fewest items to insert, delete or replace to turn one sequence into the other (Levenshtein 1966)."""
    row = list(range(len(wanted) + 1))
    for i, mine in enumerate(found, start=1):
        before, row = row, [i]
        for j, theirs in enumerate(wanted, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (mine != theirs)))
    return row[-1]


def make_task(rng: Random, kind: Kind) -> Task:
    """Draw one task of a kind."""
    form, tone = rng.choice(tuple(FORMS)), rng.choice(("plain", "plain", "plain", "quiet", "polite"))
    if kind == "count":
        ask, parts = _count(rng)
    elif kind == "two lists":
        parts = tuple(_list(rng, category, least=2, most=3) for category in rng.sample(tuple(CATEGORIES), 2))
        ask = "List " + " and ".join(f"{len(part.ideal)} {part.category}" for part in parts)
    else:
        category = rng.choice(tuple(CATEGORIES))
        without = rng.choice(CATEGORIES[category]) if rng.random() < 0.6 else ""
        parts = (_list(rng, category, least=2, most=5, without=without),)
        ask = f"List {len(parts[0].ideal)} {category}" + (f" other than {without}" if without else "")
    return Task(kind, f"{ask} with {form}.{TONES[tone]}", parts, form, tone)


def _list(rng: Random, category: str, least: int, most: int, without: str = "") -> Part:
    pool = tuple(word for word in CATEGORIES[category] if word != without)
    return Part(category, pool, tuple(rng.sample(pool, rng.randint(least, most))))


def _count(rng: Random) -> tuple[str, tuple[Part, ...]]:
    category, row = rng.choice((("numbers", NUMBERS), ("numbers", NUMBERS), ("days", DAYS)))
    count = rng.randint(3, 5)
    start = rng.randint(0, len(row) - count)
    items = row[start : start + count]
    if rng.random() < 0.4:
        items = items[::-1]
    return f"Name the {category} from {items[0]} to {items[-1]}", (Part(category, row, items, ordered=True),)

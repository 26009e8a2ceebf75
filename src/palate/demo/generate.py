"""Ranked responses whose true quality is known: small instructions, followed with a known number of faults."""

from collections.abc import Collection
from dataclasses import replace
from random import Random

from palate.demo.tasks import FORMS, KINDS, Draft, Task, faults, make_task
from palate.demo.words import CATEGORIES, CLOSINGS, OPENINGS
from palate.errors import UsageError
from palate.records import Message, Prompt, RankedList

GRADES: dict[int, int] = {0: 3, 1: 2, 3: 1, 4: 1}
"""What so many faults are worth; six and more are worth 0. Responses with two or five are not made, so that a person
could tell any two grades apart: perfect, a slip, poor, useless."""

_USELESS = 6

MOST_PROMPTS = 3000
"""How many lists can have a prompt each, rounded down: there are 3726 prompts."""

_EDITS = (0, 0, 1, 1, 2, 3, 3, 5, 6)
# How often a faulty response answers another question altogether. Where single strangers are the only sign of which
# word belongs to which category, a model of this size stays at chance on them for the first 1000 steps.
_OFF_TOPIC = 0.15
_CHANGES = ("drop",) * 5 + ("add",) * 3 + ("again",) * 2 + ("stranger",) * 3 + ("form", "talk")


def make_lists(n: int, seed: int = 0, *, without: Collection[Prompt] = (), repeat: bool = False) -> list[RankedList]:
    """Make ranked lists of 4 to 9 responses to small instructions.

    A response's grade follows from its faults (`GRADES`), its rank from the grade; equal grades tie. Length
    says little: dropped items make a bad response short, added ones and twice-said ones make it long, and talk around
    the content is mostly free.

    Args:
        n: how many lists; up to 3000 where each has a prompt of its own.
        seed: the same one gives the same lists; the first lists of a longer run are those of a shorter one.
        without: prompts to leave out, so that those of another call stay unseen.
        repeat: a prompt may come again, with other responses.

    Raises:
        UsageError: `n` is negative, or over 3000 without `repeat`.
    """
    if n < 0 or (n + len(without) > MOST_PROMPTS and not repeat):
        raise UsageError(f"n is {n}; the demo makes 0 to {MOST_PROMPTS - len(without)} lists with a new prompt each.")
    rng = Random(seed)  # noqa: S311  repeatable, not secret
    lists: list[RankedList] = []
    taken = set(without)
    while len(lists) < n:
        task = make_task(rng, rng.choice(KINDS))
        ranked = _ranked(task, _answers(rng, task), name=f"demo-{seed}-{len(lists)}")
        if ranked.prompt in taken:
            continue
        lists.append(ranked)
        if not repeat:
            taken.add(ranked.prompt)
    return lists


def make_draft(rng: Random, task: Task, edits: int) -> Draft:
    """Draw a response: a perfect one, changed so many times. Changes may meet, so `faults` has the last word."""
    runs = [part.ideal if part.ordered else rng.sample(part.pool, len(part.ideal)) for part in task.parts]
    opening = rng.choice(OPENINGS) if task.tone == "polite" or (task.tone == "plain" and rng.random() < 0.3) else ""
    closing = rng.choice(CLOSINGS) if task.tone != "quiet" and rng.random() < 0.2 else ""
    if edits and rng.random() < _OFF_TOPIC:
        runs = [_off_topic(rng, task, rng.randint(1, len(run))) for run in runs]
    draft = Draft(tuple(item for run in runs for item in run), task.form, opening, closing)
    for _ in range(edits):
        draft = change(rng, task, draft)
    return draft


def change(rng: Random, task: Task, draft: Draft) -> Draft:
    """Change a response once, mostly for the worse."""
    what = rng.choice(_CHANGES)
    if what == "form":
        return replace(draft, form=rng.choice(tuple(FORMS)))
    if what == "talk":
        return replace(draft, opening="" if task.tone == "polite" else rng.choice(OPENINGS))
    items = list(draft.items)
    at = rng.randrange(len(items))
    if what == "drop" and len(items) > 1:
        del items[at]
    elif what == "add":
        unused = [word for part in task.parts for word in part.pool if word not in items]
        items[at:at] = rng.sample(unused, min(1, len(unused)))
    elif what == "again":
        items.insert(at, items[at])
    elif what == "stranger":
        part = task.parts[0]
        items[at] = rng.choice(part.pool) if part.ordered else _off_topic(rng, task, 1)[0]
    return replace(draft, items=tuple(items))


def _off_topic(rng: Random, task: Task, count: int) -> tuple[str, ...]:
    asked = {part.category for part in task.parts}
    return tuple(rng.sample(CATEGORIES[rng.choice([name for name in CATEGORIES if name not in asked])], count))


def _answers(rng: Random, task: Task) -> dict[str, int]:
    """Texts and their grades: 4 to 9 different texts that are not all equally good."""
    k = rng.randint(4, 9)
    while True:
        answers: dict[str, int] = {}
        while len(answers) < k:
            draft = make_draft(rng, task, rng.choice(_EDITS))
            count = min(_USELESS, faults(task, draft))
            if count in GRADES or count == _USELESS:
                answers[draft.text()] = GRADES.get(count, 0)
        if len(set(answers.values())) > 1:
            return answers


def _ranked(task: Task, answers: dict[str, int], name: str) -> RankedList:
    order = sorted(set(answers.values()), reverse=True)
    return RankedList(
        prompt=(Message("user", task.prompt),),
        responses=tuple(answers),
        ranks=tuple(order.index(grade) + 1 for grade in answers.values()),
        id=name,
        grades=tuple(float(grade) for grade in answers.values()),
        source="demo",
        extra={"task": task.kind},
    )

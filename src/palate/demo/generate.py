"""Ranked responses whose true quality is known: small instructions, followed with a known number of faults."""

from dataclasses import replace
from random import Random

from palate.demo.tasks import FORMS, KINDS, Draft, Task, faults, make_task
from palate.demo.words import CATEGORIES, CLOSINGS, OPENINGS
from palate.errors import UsageError
from palate.records import Message, RankedList

BEST_GRADE = 4
"""The grade of a response without faults. Each fault takes one off; four or more are equally bad."""

MOST_LISTS = 4000
"""How many prompts can be told apart, rounded down: there are about 5000."""

_EDITS = (0, 0, 1, 1, 2, 2, 3, 4, 5)
_OFF_TOPIC = 0.15
"""How often a faulty response answers another question altogether. Where single strangers are the only sign of which word
belongs to which category, a model of this size stays at chance on them for the first 1000 steps."""
_CHANGES = ("drop",) * 6 + ("add",) * 2 + ("stranger",) * 3 + ("again", "form", "talk")


def make_lists(n: int, seed: int = 0) -> list[RankedList]:
    """Make ranked lists of 4 to 9 responses to small instructions.

    A response's grade is 4 less its faults (but at least 0), its rank follows from the grade, equal grades tie. Length
    says little: dropped items make a bad response short, added ones and twice-said ones make it long, and talk around
    the content is mostly free.

    Args:
        n: how many lists, up to 4000; no two have the same prompt.
        seed: the same one gives the same lists; the first lists of a longer run are those of a shorter one.

    Raises:
        UsageError: `n` is negative or over 4000.
    """
    if not 0 <= n <= MOST_LISTS:
        raise UsageError(f"n is {n}; the demo can make 0 to {MOST_LISTS} lists with a prompt each.")
    rng = Random(seed)  # noqa: S311  repeatable, not secret
    lists: list[RankedList] = []
    prompts: set[str] = set()
    while len(lists) < n:
        task = make_task(rng, rng.choice(KINDS))
        if task.prompt not in prompts:
            prompts.add(task.prompt)
            lists.append(_ranked(task, _answers(rng, task), name=f"demo-{seed}-{len(lists)}"))
    return lists


def make_draft(rng: Random, task: Task, edits: int) -> Draft:
    """Draw a response: a perfect one, changed so many times. Changes may meet, so `faults` has the last word."""
    items = tuple(part.ideal if part.ordered else tuple(rng.sample(part.pool, len(part.ideal))) for part in task.parts)
    opening = rng.choice(OPENINGS) if task.tone == "polite" or (task.tone == "plain" and rng.random() < 0.3) else ""
    closing = rng.choice(CLOSINGS) if task.tone != "quiet" and rng.random() < 0.2 else ""
    draft = Draft(items, task.form, opening, closing)
    if edits and rng.random() < _OFF_TOPIC:
        draft = replace(draft, items=tuple(_off_topic(rng, task, len(part.ideal)) for part in task.parts))
    for _ in range(edits):
        draft = change(rng, task, draft)
    return draft


def change(rng: Random, task: Task, draft: Draft) -> Draft:
    """Change a response once, mostly for the worse."""
    what = rng.choice(_CHANGES)
    if what == "form":
        return replace(draft, form=rng.choice(FORMS))
    if what == "talk":
        return replace(draft, opening="" if task.tone == "polite" else rng.choice(OPENINGS))
    at_part = rng.randrange(len(task.parts))
    part, items = task.parts[at_part], list(draft.items[at_part])
    at = rng.randrange(len(items))
    if what == "drop" and len(items) > 1:
        del items[at]
    elif what == "add":
        unused = [word for word in part.pool if word not in items]
        items[at + 1 : at + 1] = rng.sample(unused, min(1, len(unused)))
    elif what == "again":
        items.insert(at, items[at])
    elif what == "stranger":
        items[at] = rng.choice(part.pool) if part.ordered else _off_topic(rng, task, 1)[0]
    return replace(draft, items=(*draft.items[:at_part], tuple(items), *draft.items[at_part + 1 :]))


def _off_topic(rng: Random, task: Task, count: int) -> tuple[str, ...]:
    # Words of the task's own other part would make one text of two different numbers of faults.
    asked = {part.category for part in task.parts}
    return tuple(rng.sample(CATEGORIES[rng.choice([name for name in CATEGORIES if name not in asked])], count))


def _answers(rng: Random, task: Task) -> dict[str, int]:
    """Texts and their faults: 4 to 9 different texts that are not all equally good."""
    k = rng.randint(4, 9)
    while True:
        answers: dict[str, int] = {}
        while len(answers) < k:
            draft = make_draft(rng, task, rng.choice(_EDITS))
            answers[draft.text()] = min(BEST_GRADE, faults(task, draft))
        if len(set(answers.values())) > 1:
            return answers


def _ranked(task: Task, answers: dict[str, int], name: str) -> RankedList:
    order = sorted(set(answers.values()))
    return RankedList(
        prompt=(Message("user", task.prompt),),
        responses=tuple(answers),
        ranks=tuple(order.index(count) + 1 for count in answers.values()),
        id=name,
        grades=tuple(float(BEST_GRADE - count) for count in answers.values()),
        source="demo",
        extra={"task": task.kind},
    )

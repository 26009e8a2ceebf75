"""The demo's lists: their grades are what a reader of the text would count, and length does not give them away."""

import re
from random import Random

import pytest

from palate.demo import GRADES, MOST_PROMPTS, make_lists
from palate.demo.tasks import KINDS, Draft, edit_distance, faults, make_task
from palate.demo.words import CATEGORIES, CLOSINGS, DAYS, NUMBERS, OPENINGS
from palate.errors import UsageError
from palate.metrics import longer_wins


@pytest.fixture(scope="module")
def lists():
    return make_lists(600, seed=0)


def count_faults(prompt: str, response: str) -> int:
    """Count them from the two texts alone, as a reader would."""
    lines = response.split("\n")
    opening, closing = lines[0] in OPENINGS, lines[-1] in CLOSINGS
    content = lines[opening : len(lines) - closing]
    form = {"- ": "dashes", "* ": "stars", "> ": "arrows"}[content[0][:2]]
    items = [line[2:] for line in content]
    found = int(f"with {form}" not in prompt)
    found += "Write nothing else." in prompt and (opening or closing)
    found += "Be polite." in prompt and not opening
    if ranged := re.match(r"Name the (numbers|days) from (\w+) to (\w+)", prompt):
        row = NUMBERS if ranged[1] == "numbers" else DAYS
        first, last = row.index(ranged[2]), row.index(ranged[3])
        wanted = row[first : last + 1] if first < last else row[last : first + 1][::-1]
        return found + edit_distance(items, wanted)
    without = re.search(r"other than (\w+)", prompt)
    asked = {name: int(count) for count, name in re.findall(r"(\d) (\w+)", prompt)}
    home = {word: name for name, words in CATEGORIES.items() for word in words if not without or word != without[1]}
    distinct = set(items)
    found += len(items) - len(distinct)
    found += sum(home.get(item) not in asked for item in distinct)
    return found + sum(abs(sum(home.get(item) == name for item in distinct) - count) for name, count in asked.items())


def test_the_grade_follows_from_the_faults_that_can_be_read_in_the_text(lists):
    seen = set()
    for ranked in lists:
        for response, grade in zip(ranked.responses, ranked.grades, strict=True):
            count = count_faults(ranked.prompt[0].content, response)
            assert grade == (0 if count >= 6 else GRADES[count]), (ranked.prompt, response)
            seen.add(grade)
    assert seen == {0.0, 1.0, 2.0, 3.0}


def test_ranks_follow_the_grades_and_equal_grades_tie(lists):
    for ranked in lists:
        better = sorted(set(ranked.grades), reverse=True)
        assert ranked.ranks == tuple(better.index(grade) + 1 for grade in ranked.grades)


def test_lists_have_four_to_nine_different_responses_of_different_quality_and_ties_occur(lists):
    assert {ranked.k for ranked in lists} == {4, 5, 6, 7, 8, 9}
    assert all(len(set(ranked.responses)) == ranked.k for ranked in lists)
    assert all(ranked.pairs() for ranked in lists)
    tied = sum(ranked.k * (ranked.k - 1) // 2 - len(ranked.pairs()) for ranked in lists)
    assert tied > 0.1 * sum(ranked.k * (ranked.k - 1) // 2 for ranked in lists)


def test_longer_wins_little_more_often_than_chance(lists):
    found = longer_wins([[len(text) for text in one.responses] for one in lists], [one.ranks for one in lists])
    assert 0.5 < found.by_pair < 0.6
    assert 0.5 < found.by_list < 0.6


def test_position_in_the_list_says_nothing(lists):
    first_wins = [ranked.ranks[0] < ranked.ranks[-1] for ranked in lists if ranked.ranks[0] != ranked.ranks[-1]]
    assert sum(first_wins) / len(first_wins) == pytest.approx(0.5, abs=0.07)


def test_one_seed_gives_one_set_and_a_longer_run_starts_with_the_shorter(lists):
    assert make_lists(600, seed=0) == lists
    assert make_lists(50, seed=0) == lists[:50]
    assert make_lists(50, seed=1) != lists[:50]


def test_every_list_has_a_prompt_of_its_own_unless_repeats_are_wanted(lists):
    assert len({ranked.prompt for ranked in lists}) == len(lists)
    repeated = make_lists(2000, seed=3, repeat=True)
    assert len({ranked.prompt for ranked in repeated}) < 2000


def test_as_many_prompts_as_promised_can_be_found():
    assert len({ranked.prompt for ranked in make_lists(MOST_PROMPTS, seed=5)}) == MOST_PROMPTS


def test_prompts_left_out_stay_unseen(lists):
    unseen = {ranked.prompt for ranked in lists}
    others = make_lists(2000, seed=7, without=unseen, repeat=True)
    assert unseen.isdisjoint(ranked.prompt for ranked in others)


def test_all_kinds_of_task_come_up_and_name_themselves(lists):
    assert {ranked.extra["task"] for ranked in lists} == set(KINDS)


def test_no_word_stands_in_two_categories():
    words = [word for of_one in CATEGORIES.values() for word in of_one]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("kind", KINDS)
def test_an_ideal_response_has_no_fault_and_each_slip_costs_one(kind):
    rng = Random(0)
    for _ in range(30):
        task = make_task(rng, kind)
        items = tuple(item for part in task.parts for item in part.ideal)
        opening = OPENINGS[0] if task.tone == "polite" else ""
        assert faults(task, Draft(items, task.form, opening)) == 0
        assert faults(task, Draft(items[:-1], task.form, opening)) == 1
        assert faults(task, Draft((items[0], *items), task.form, opening)) == 1
        assert faults(task, Draft(items, "stars" if task.form != "stars" else "arrows", opening)) == 1


@pytest.mark.parametrize(
    ("found", "wanted", "distance"),
    [("", "", 0), ("abc", "abc", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("abcd", "bcd", 1), ("ab", "ba", 2)],
)
def test_the_edit_distance_is_the_fewest_changes(found, wanted, distance):
    assert edit_distance(found, wanted) == distance


@pytest.mark.parametrize("n", [-1, MOST_PROMPTS + 1])
def test_more_lists_than_there_are_prompts_are_refused(n):
    with pytest.raises(UsageError, match=f"n is {n}"):
        make_lists(n)

"""The publishers' own files read with the counts that are known of them."""

from collections import Counter
from pathlib import Path

from palate.data import read_lists


def test_hh_harmless_base_reads_with_its_known_faults_counted(shared: Path) -> None:
    result = read_lists(shared / "data/hh_rlhf/harmless-base", on_bad_row="skip")
    assert result.format == "hh"
    assert result.read == 1832
    assert result.skipped == {"prompts differ": 3, "empty response": 4}
    assert len(result.lists) == 1832 - 3 - 4
    assert Counter(one.k for one in result.lists) == {2: 1825}
    assert all(one.prompt[0].role == "user" and one.prompt[-1].role == "user" for one in result.lists)


def test_ukp_strict_csv_reads_with_every_pair_and_every_prompt(shared: Path) -> None:
    result = read_lists(shared / "data/ukp_convarg1/data/UKPConvArg1Strict-CSV")
    assert result.format == "ukp"
    assert (result.read, len(result.lists), result.skipped) == (9384, 9384, {})
    assert len({one.prompt for one in result.lists}) == 26
    assert Counter(one.ranks for one in result.lists) == {(1, 2): 4731, (2, 1): 4653}
    assert any('"' in text for one in result.lists for text in one.responses), "quotation marks are text here"

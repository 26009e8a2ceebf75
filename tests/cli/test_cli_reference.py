"""docs/cli.md says what the commands say."""

from pathlib import Path

from palate.cli.reference import render
from palate.cli.train_flags import flags

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_the_commands_own():
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m palate.cli.reference docs/cli.md"


def test_every_flag_of_train_is_on_the_page_in_the_direction_that_changes_something():
    page = render()
    for flag in flags():
        assert f"`{flag.name}`" in page or f"`--no-{flag.name.removeprefix('--')}`" in page

"""`palate demo`: the tour on a few lists; what it draws, where the files are, and what it does not touch."""

import json
import subprocess

import pytest

from palate.cli.demo import sparkline

SMALL = {"max_steps": 4, "eval_every": 2, "lists_per_step": 4}


@pytest.fixture
def small(monkeypatch):
    """The demo with 40 lists to train on, 20 to judge by, and four steps."""
    from palate.demo import run

    made = run.run_demo
    monkeypatch.setattr(run, "UNSEEN_LISTS", 20)
    monkeypatch.setattr(run, "run_demo", lambda out, seed, say: made(out, seed, say, train_lists=40, **SMALL))


@pytest.mark.usefixtures("small")
def test_it_shows_a_ranking_with_true_grades_the_baseline_the_curve_and_the_files(palate, tmp_path):
    out = tmp_path / "demo"
    ended = palate("demo", "--out", out)
    assert ended.code == 0
    for said in ("true grade", "the longer wins", "training loss", "curves.png", f"palate inspect {out / 'rm'}"):
        assert said in ended.out
    assert (out / "rm" / "curves.png").is_file()
    (command,) = [line for line in ended.out.splitlines() if line.startswith(f"palate score {out / 'rm'} --prompt")]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, text=True, check=True
    ).stdout
    assert palate(*words.split("\0")[1:-1]).code == 0
    assert {"train.jsonl", "unseen.jsonl", "model", "rm", "demo.json"} <= {one.name for one in out.iterdir()}


@pytest.mark.usefixtures("small")
def test_it_replaces_its_own_folder_and_no_other(palate, tmp_path):
    out = tmp_path / "demo"
    first = json.loads(palate("demo", "--out", out, "--json").out)
    again = json.loads(palate("demo", "--out", out, "--json").out)
    assert first["accuracy"] == again["accuracy"]
    assert json.loads((out / "demo.json").read_text())["accuracy"] == again["accuracy"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    ended = palate("demo", "--out", tmp_path / "mine")
    assert ended.code == 2
    assert "is not a demo's folder" in ended.err
    assert (tmp_path / "mine" / "file").read_text() == "mine"


def test_no_prompt_that_judges_was_trained_on(tmp_path):
    from palate.demo.generate import make_lists

    prompts = [one.prompt for one in make_lists(400, seed=0)]
    assert len(set(prompts)) == len(prompts)


def test_a_sparkline_goes_from_empty_to_full():
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([2.0, 2.0]) == "▁▁"

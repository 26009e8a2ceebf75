"""Several processes learn what one learns."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("two_processes.py")


def launch(processes, run, *more):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(SCRIPT), str(run), *more], check=True, env=environment, timeout=300)
    return load_file(run / "end.safetensors"), (run / "end.txt").read_text()


@pytest.mark.slow
def test_two_processes_with_different_rows_take_the_steps_of_one_and_resume(tmp_path):
    """15 lists in steps of 7: the last step of an epoch has one list, so the second process has no row of its own."""
    one, said_by_one = launch(1, tmp_path / "one")
    two, said_by_two = launch(2, tmp_path / "two")
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=5e-5, msg=name)
    assert said_by_two.split()[0][:5] == said_by_one.split()[0][:5]
    shutil.rmtree(tmp_path / "two" / "checkpoint-6")
    again, said = launch(2, tmp_path / "two", "resume")
    assert said.split()[1] == "4"
    assert all(torch.equal(again[name], two[name]) for name in two)

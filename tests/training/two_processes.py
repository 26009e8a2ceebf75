"""What each of two processes runs in `test_processes.py`: a fit whose weights the first one writes."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from palate.training.fit import fit
from training.worlds import planted_lists, quick, speaking_model, weights


def main(run: Path, resume: bool) -> None:
    """7 lists a step in small rows: the processes have different numbers of rows, and once one has none."""
    torch.set_num_threads(1)
    model = speaking_model()
    settings = quick(
        lists_per_step=7, tokens_per_row=40, save_every=2, epochs=2, lm_weight=0.1, device="cpu", shuffle=False
    )
    done = fit(model, planted_lists(15), settings, run, evaluation=planted_lists(9, seed=1), resume=resume)
    if done.is_main:
        save_file({name: value.contiguous() for name, value in weights(model).items()}, run / "end.safetensors")
        (run / "end.txt").write_text(f"{done.evaluation.loss} {done.resumed_from} {done.losses}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), resume=len(sys.argv) > 2)

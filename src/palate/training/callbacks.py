"""What happens beside the steps: the history file, the progress bar, early stopping."""

# ruff: noqa: ARG002  (transformers decides which arguments a callback is given)

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from palate.training.settings import FitSettings


class CurrentSteps(TrainerCallback):
    """A resumed run logs, evaluates and saves as often as it is told now, not as often as its snapshot was."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Count anew."""
        state.compute_steps(args, state.max_steps)


class HistoryFile(TrainerCallback):
    """One line of JSON per log entry; a resumed run writes it anew from what its snapshot knew."""

    def __init__(self, path: Path):
        """Write to `path`."""
        self.path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the file."""
        if state.is_world_process_zero:
            self.path.write_text("".join(_line(entry) for entry in state.log_history), encoding="utf-8")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Add the newest entry."""
        if state.is_world_process_zero:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(state.log_history[-1]))


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry) + "\n"


class ProgressBar(TrainerCallback):
    """Steps, loss, accuracy and the time left, on a terminal's standard error; nothing elsewhere."""

    def __init__(self, show: bool) -> None:
        """Make the bar; it shows when training begins, if at all."""
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[figures]}"),
        )  # fmt: skip
        console = Console(stderr=True)
        self.progress = Progress(*columns, console=console, disable=not (show and console.is_terminal))
        self.task: TaskID | None = None
        self.figures: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Show the bar."""
        if state.is_world_process_zero:
            self.progress.start()
            self.task = self.progress.add_task(
                "training", total=state.max_steps, completed=state.global_step, figures=""
            )

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move on."""
        newest = state.log_history[-1]
        for name, shown in (("loss", "loss"), ("eval_accuracy", "accuracy")):
            if name in newest:
                self.figures[shown] = f"{shown} {newest[name]:.3f}"
        if self.task is not None:
            self.progress.update(self.task, completed=state.global_step, figures="  ".join(self.figures.values()))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the last state on the screen."""
        self.close()

    def close(self) -> None:
        """Give the terminal back."""
        self.progress.stop()

    @classmethod
    @contextmanager
    def shown(cls, show: bool) -> "Generator[ProgressBar]":
        """A bar that gives the terminal back, also after an error."""
        bar = cls(show)
        try:
            yield bar
        finally:
            bar.close()


class EarlyStop(TrainerCallback):
    """Stop after `patience` evaluations without a better one. It reads the history, so a resumed run counts on."""

    def __init__(self, settings: FitSettings):
        """Watch what makes an evaluation better; without patience, never stop."""
        self.metric = f"eval_{settings.best_by}"
        self.patience = settings.early_stopping

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Count."""
        if self.patience is None:
            return
        sign = -1.0 if self.metric == "eval_loss" else 1.0
        values = [sign * entry[self.metric] for entry in state.log_history if self.metric in entry]
        if values and len(values) - 1 - values.index(max(values)) >= self.patience:
            control.should_training_stop = True

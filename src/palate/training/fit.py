"""fit: from a reward model and lists of token ids to trained weights. The road below `train`, and the one benchmarks drive."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback, TrainingArguments, set_seed

from palate.errors import ConfigError
from palate.models import RewardModel
from palate.training.batch import TokenList
from palate.training.callbacks import EarlyStop, HistoryFile, ProgressBar
from palate.training.evaluation import Evaluation
from palate.training.lora import Adapters
from palate.training.objective import check_objective
from palate.training.settings import FitSettings
from palate.training.snapshots import facts_of, newest_complete
from palate.training.trainer import ListTrainer


@dataclass(frozen=True, slots=True)
class Fit:
    """What a fit did.

    Attributes:
        steps: optimiser steps taken, those before a resumption included.
        history: the log entries: per step (every `log_every`) `loss`, `grad_norm`, `learning_rate`; per evaluation
            `eval_accuracy`, `eval_loss` ..., at the end `final_accuracy` ...; all with `step` and `epoch`.
        seconds: of training in this process.
        resumed_from: the step that the run went on from; 0 is a new one.
        evaluation: of the weights at the end (with early stopping, the best ones); None without evaluation lists.
        is_main: whether this process is the one that writes.
    """

    steps: int
    history: tuple[Mapping[str, Any], ...]
    seconds: float
    resumed_from: int
    evaluation: Evaluation | None
    is_main: bool

    @property
    def losses(self) -> list[float]:
        """The logged training losses, in order."""
        return [entry["loss"] for entry in self.history if "loss" in entry]


ADAPTER = "adapter"
"""The folder in a run's folder that the adapter goes to, where it is to be kept."""

HARMLESS = frozenset({
    "eval_every", "save_every", "keep_snapshots", "log_every", "report_to", "progress", "dataloader_workers",
    "tokens_per_row", "gradient_checkpointing", "torch_compile", "device",
})  # fmt: skip
"""Settings that may change when a run resumes: they decide what is shown, kept and how it is computed, not what is learnt."""


def fit(
    model: RewardModel,
    train: Sequence[TokenList],
    settings: FitSettings,
    run: Path,
    *,
    evaluation: Sequence[TokenList] = (),
    resume: bool = False,
    new_token: int | None = None,
) -> Fit:
    """Train a reward model on lists of token ids.

    Args:
        model: changed in place, on the device where it ends up; adapters are merged at the end.
        train: the lists to learn from.
        settings: losses, steps, optimiser.
        run: folder for snapshots, the history, trackers and the adapter.
        evaluation: the lists for evaluations during training.
        resume: go on from the newest complete snapshot in `run`, if there is one.
        new_token: the id of an end token that was added to the model, which adapters must train too.

    Raises:
        DataError: nothing to train on, or lists that cannot be ranked.
        ConfigError: settings that this model, machine or snapshot cannot do.
        NonFiniteError: a loss or gradient that is NaN or infinite.
        CheckpointError: `resume`, and no snapshot is complete.
    """
    check_objective(train, settings, model.config)
    run.mkdir(parents=True, exist_ok=True)
    facts = run_facts(train, settings)
    snapshot = newest_complete(run) if resume else None
    if snapshot is not None:
        _check_same_run(snapshot, facts)
    set_seed(settings.seed)
    adapters = Adapters(model, settings.lora, new_token) if settings.lora else None
    if settings.gradient_checkpointing:
        _checkpoint_layers(model.backbone)
    if settings.torch_compile:
        model.backbone.compile(dynamic=True)
    bar = ProgressBar() if settings.progress else None
    callbacks: list[TrainerCallback] = [HistoryFile(run / "history.jsonl"), *([bar] if bar else [])]
    if settings.early_stopping and evaluation:
        callbacks.append(EarlyStop(settings.best_by, settings.early_stopping))
    arguments = make_arguments(settings, run, evaluated=bool(evaluation))
    try:
        trainer = ListTrainer(model, arguments, settings, train, evaluation, callbacks, facts)
        output = trainer.train(resume_from_checkpoint=None if snapshot is None else str(snapshot))
        if evaluation:
            trainer.evaluate(metric_key_prefix="final")
    finally:
        if bar:
            bar.close()
    if adapters and settings.lora:
        if settings.lora.save_adapter and arguments.should_save:
            adapters.save(run / ADAPTER)
        adapters.merge(model)
    start = 0 if snapshot is None else int(facts_of(snapshot)["step"])
    return Fit(
        steps=output.global_step,
        history=tuple(trainer.state.log_history),
        seconds=float(output.metrics["train_runtime"]),
        resumed_from=start,
        evaluation=trainer.last_evaluation,
        is_main=bool(arguments.should_save),
    )


def make_arguments(settings: FitSettings, run: Path, *, evaluated: bool) -> TrainingArguments:
    """The settings as transformers names them.

    Raises:
        ConfigError: bfloat16 on a machine without it, an unknown tracker or one that is not installed.
    """
    from transformers.integrations import get_reporting_integration_callbacks

    evaluates = evaluated and settings.eval_every is not None
    best = evaluates and settings.early_stopping is not None
    save_every = settings.eval_every if best else settings.save_every
    try:
        get_reporting_integration_callbacks(list(settings.report_to))
        arguments = TrainingArguments(
            output_dir=str(run),
            per_device_train_batch_size=settings.lists_per_step,
            num_train_epochs=settings.epochs,
            max_steps=settings.max_steps or -1,
            learning_rate=settings.learning_rate,
            lr_scheduler_type=settings.scheduler,
            warmup_steps=settings.warmup if settings.warmup < 1 else int(settings.warmup),
            weight_decay=settings.weight_decay,
            adam_beta1=settings.beta1,
            adam_beta2=settings.beta2,
            adam_epsilon=settings.epsilon,
            max_grad_norm=settings.max_grad_norm,
            optim="adamw_torch_fused",
            bf16=settings.dtype == "bfloat16",
            use_cpu=settings.device == "cpu",
            seed=settings.seed,
            logging_steps=settings.log_every,
            logging_nan_inf_filter=False,  # a loss that is not finite ends the run, with its lists' names
            eval_strategy="steps" if evaluates else "no",
            eval_steps=settings.eval_every if evaluates else None,
            save_strategy="no" if save_every is None else "steps",
            save_steps=save_every or 500,
            load_best_model_at_end=best,
            metric_for_best_model=settings.best_by if best else None,
            greater_is_better=settings.best_by == "accuracy" if best else None,
            report_to=list(settings.report_to) or "none",
            disable_tqdm=True,
            remove_unused_columns=False,
        )
    except (ValueError, RuntimeError, ImportError) as error:
        raise ConfigError(f"these settings do not work here: {' '.join(str(error).split())}") from error
    if arguments.n_gpu > 1:
        # one process drives one GPU: torch's DataParallel would split rows; several GPUs are several processes
        arguments._n_gpu = 1  # noqa: SLF001
    return arguments


def run_facts(train: Sequence[TokenList], settings: FitSettings) -> dict[str, Any]:
    """What must be the same for a run to go on: the settings that decide what is learnt, and the lists, as JSON values."""
    digest = hashlib.sha256()
    for one in train:
        digest.update(
            repr((one.ranks, one.prompt_tokens, one.margin, one.confidence, one.weight, one.end_is_text)).encode()
        )
        for ids in one.sequences:
            digest.update(np.asarray(ids, dtype=np.int64).tobytes() + b";")
    chosen = {
        name: value for name, value in settings.model_dump(mode="json").items() if name in FitSettings.model_fields
    }
    kept = {name: value for name, value in chosen.items() if name not in HARMLESS}
    return {"settings": json.loads(json.dumps(kept)), "lists_sha256": digest.hexdigest()}


def _check_same_run(snapshot: Path, facts: Mapping[str, Any]) -> None:
    before = facts_of(snapshot)
    was, now = before.get("settings", {}), facts["settings"]
    changed = [f"{name} was {was.get(name)!r} and is {now.get(name)!r}" for name in now if was.get(name) != now[name]]
    if before.get("lists_sha256") != facts["lists_sha256"]:
        changed.append("the training lists are not the same")
    if changed:
        raise ConfigError(
            f"{snapshot} is of another run, so going on from it would be neither: {'; '.join(changed)}. Set these back, or "
            "start anew with overwrite."
        )


def _checkpoint_layers(backbone: Any) -> None:
    options = {"use_reentrant": False}  # the reentrant kind loses keyword arguments, and with them the row's plan
    if not getattr(backbone, "supports_gradient_checkpointing", False):
        raise ConfigError(f"{type(backbone).__name__} cannot do gradient_checkpointing. Set it to false.")
    if hasattr(backbone, "activation_checkpointing_enable"):  # transformers 5.21 on
        backbone.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
    else:
        backbone.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)

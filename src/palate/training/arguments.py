"""palate's settings in transformers' words."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from palate.errors import ConfigError
from palate.training.settings import FitSettings


def make_arguments(settings: FitSettings, run: Path, *, evaluated: bool) -> TrainingArguments:
    """What transformers' Trainer is told; snapshots and trackers write to `run`.

    Raises:
        ConfigError: bfloat16 or torch_compile on a machine without it, a tracker that is unknown or not installed.
    """
    from transformers.integrations.integration_utils import get_reporting_integration_callbacks

    evaluates = evaluated and settings.eval_every is not None
    best = settings.early_stopping is not None and evaluates
    save_every = settings.eval_every if best else settings.save_every
    try:
        for tracker in get_reporting_integration_callbacks(list(settings.report_to)):
            tracker()  # says now, and not after the data were read, what is not installed
        arguments = TrainingArguments(
            output_dir=str(run),
            per_device_train_batch_size=settings.lists_per_step,
            num_train_epochs=settings.epochs,
            max_steps=settings.max_steps or -1,
            learning_rate=settings.learning_rate,
            lr_scheduler_type=settings.scheduler,
            warmup_steps=settings.warmup if settings.warmup < 1 else int(settings.warmup),
            weight_decay=settings.weight_decay,
            optim="adamw_torch_fused",
            adam_beta1=settings.beta1,
            adam_beta2=settings.beta2,
            adam_epsilon=settings.epsilon,
            max_grad_norm=settings.max_grad_norm,
            bf16=settings.dtype == "bfloat16",
            use_cpu=_on_cpu(settings),
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
    if arguments.n_gpu > 1:  # one process drives one GPU: DataParallel, which transformers would take, splits rows
        arguments._n_gpu = 1  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return arguments


def _on_cpu(settings: FitSettings) -> bool:
    on_cpu = settings.device == "cpu" or not torch.accelerator.is_available()
    if settings.torch_compile and on_cpu:
        raise ConfigError("torch_compile is for GPUs; on a CPU palate's own kernels are faster. Set it to false.")
    return on_cpu

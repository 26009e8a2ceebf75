"""What a run may be told about its steps: losses, rows, optimiser, evaluation, snapshots. Frozen, and free of torch."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

TOKENS_PER_ROW = 8192


class Settings(BaseModel):
    """A group of settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _as_names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_names)]
"""One name or several."""


class PairwiseLoss(Settings):
    """Bradley-Terry over a list's pairs: every list counts once, however long."""

    kind: Literal["pairwise"] = Field("pairwise", description="mean over a list's pairs of -log sigmoid(gap)")
    label_smoothing: float = Field(
        0.0, ge=0.0, lt=0.5, description="share of the pairs taken to be labelled the wrong way round, in [0, 0.5)"
    )
    ties: Literal["ignore", "half"] = Field(
        "ignore", description="equal ranks: form no pair (ignore), or pull their rewards together (half)"
    )
    margins: bool = Field(True, description="use the data's margins: what a label asks of its pairs' gaps")
    confidences: bool = Field(True, description="use the data's confidences: soft labels")


class PlackettLuceLoss(Settings):
    """The likelihood of a list's whole order, per choice."""

    kind: Literal["plackett_luce"] = Field(
        "plackett_luce", description="the best out of all, the second out of the rest, ..."
    )
    margins: Literal[False] = Field(
        False, description="there are no margins here: false says that the data's margins may be left out"
    )
    confidences: Literal[False] = Field(
        False, description="there are no soft labels here: false says that the data's confidences may be left out"
    )


def _with_kind(loss: Any) -> Any:
    """Options without a kind are the default loss's."""
    return {"kind": "pairwise", **loss} if isinstance(loss, Mapping) else loss


Loss = Annotated[PairwiseLoss | PlackettLuceLoss, Field(discriminator="kind"), BeforeValidator(_with_kind)]


class Lora(Settings):
    """Low-rank adapters on the backbone; the head is always trained, and the adapters are merged at the end."""

    rank: int = Field(16, ge=1, description="of the two small matrices")
    alpha: float = Field(32.0, gt=0, description="scale: the adapter's output counts alpha / rank")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="on the adapters' input, in training")
    targets: str | tuple[str, ...] = Field(
        "all-linear", description='which layers: "all-linear", or names such as q_proj and v_proj'
    )
    save_adapter: bool = Field(
        False, description="also keep the adapter itself, in the folder `adapter` of the checkpoint"
    )


class FitSettings(Settings):
    """Everything that decides how weights change, given a model and lists of token ids."""

    loss: Loss = Field(PairwiseLoss(), description="how a list's ranks judge its rewards")  # type: ignore[call-arg]
    center_weight: float = Field(0.0, ge=0.0, description="weight of the loss that keeps rewards near 0")
    center_of: Literal["responses", "mean"] = Field(
        "responses", description="what is kept near 0: every reward (responses), or a list's mean reward (mean)"
    )
    lm_weight: float = Field(
        0.0,
        ge=0.0,
        description="beta: weight of the language-model loss on the best response, which keeps the model fluent",
    )
    lm_reduction: Literal["mean", "sum"] = Field(
        "mean", description="of the language-model loss over the response's tokens"
    )

    lists_per_step: int = Field(32, ge=1, description="ranked lists in one optimiser step, over all processes")
    tokens_per_row: int = Field(
        TOKENS_PER_ROW, ge=1, description="distinct tokens in one forward pass; memory follows it, results do not"
    )
    epochs: float = Field(1.0, gt=0, description="passes over the training lists")
    max_steps: int | None = Field(None, ge=1, description="stop after so many steps, whatever `epochs` says")
    shuffle: bool = Field(True, description="draw a new order of the lists in every epoch")

    learning_rate: float = Field(1e-5, gt=0, description="the peak; 1e-5 suits a whole pretrained model, 1e-4 LoRA")
    scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup"] = Field(
        "linear", description="how the learning rate falls after the warm-up"
    )
    warmup: float = Field(0.03, ge=0, description="steps until the peak; below 1 it is a share of all steps")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's, on everything but biases and norms")
    beta1: float = Field(0.9, ge=0, lt=1, description="AdamW's")
    beta2: float = Field(0.999, ge=0, lt=1, description="AdamW's")
    epsilon: float = Field(1e-8, gt=0, description="AdamW's")
    max_grad_norm: float = Field(1.0, ge=0, description="longer gradients are scaled down to this norm; 0 never does")

    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the forward and backward pass (autocast); the head always computes in float32"
    )
    dropout: bool = Field(
        False, description="keep the backbone's dropout; without it a response gets one reward in training too"
    )
    gradient_checkpointing: bool = Field(False, description="keep less memory, compute the layers twice")
    lora: Lora | None = Field(None, description="train adapters instead of the backbone's weights; null trains all")
    torch_compile: bool = Field(False, description="compile the backbone; pays on a GPU after minutes")
    device: Literal["auto", "cpu"] = Field("auto", description="cpu leaves an accelerator alone")
    seed: int = Field(0, ge=0, lt=2**32, description="of the head, the order of the lists, dropout and adapters")
    dataloader_workers: int = Field(0, ge=0, description="processes that plan rows ahead; 1 is enough for a fast GPU")

    eval_every: int | None = Field(None, ge=1, description="steps between evaluations; null evaluates at the end only")
    early_stopping: int | None = Field(
        None, ge=1, description="stop after so many evaluations without a better one, and keep the best one's weights"
    )
    best_by: Literal["accuracy", "loss"] = Field(
        "accuracy", description="what makes an evaluation better, for early stopping"
    )
    save_every: int | None = Field(
        500,
        ge=1,
        description="steps between snapshots to resume from; null makes none; early stopping saves at evaluations",
    )
    keep_snapshots: int = Field(
        2, ge=1, description="how many of the newest complete snapshots stay while a run is going on"
    )
    log_every: int = Field(1, ge=1, description="steps between entries of the history")
    report_to: Names = Field((), description="trackers known to transformers: tensorboard, wandb, trackio, mlflow ...")
    progress: bool = Field(True, description="a progress bar on the terminal, with the time left")

"""Low-rank adapters on the backbone: put in before training, merged into its weights after. Needs peft."""

import warnings
from pathlib import Path
from typing import Any

from palate.errors import ConfigError
from palate.models import RewardModel
from palate.training.settings import Lora


class Adapters:
    """The adapters in a model's backbone. The head is outside, so it is always trained and always saved."""

    def __init__(self, model: RewardModel, settings: Lora, new_token: int | None = None):
        """Freeze the backbone (and the lm_head) and put adapters into its linear layers.

        Args:
            model: changed in place.
            settings: rank, scale, dropout, targets.
            new_token: the id of an end token that was added: its embedding is trained too.

        Raises:
            ConfigError: peft is not installed, or no layer has the name of a target.
        """
        try:
            from peft import LoraConfig, PeftModel, get_peft_model
        except ImportError as error:
            raise ConfigError("lora needs peft: pip install 'palate[peft]'.") from error
        targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,  # type: ignore[arg-type]  (peft multiplies by it; a fraction is fine)
            lora_dropout=settings.dropout,
            target_modules=targets,
            trainable_token_indices=None if new_token is None else [new_token],
        )
        backbone: Any = model.backbone
        try:
            with warnings.catch_warnings():
                # peft asks for a name that transformers renamed, and says that it noticed GPT-2's transposed weights
                warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
                warnings.filterwarnings("ignore", message=".*fan_in_fan_out", category=UserWarning)
                wrapped = get_peft_model(backbone, config)
        except ValueError as error:
            raise ConfigError(f"lora.targets is {settings.targets!r}: {str(error).splitlines()[0]}") from error
        assert isinstance(wrapped, PeftModel)
        self._peft = wrapped
        if model.lm_head is not None:
            model.lm_head.requires_grad_(False)

    def save(self, folder: Path) -> None:
        """Write the adapter alone, as peft reads it."""
        self._peft.save_pretrained(str(folder))

    def merge(self, model: RewardModel) -> None:
        """Add the adapters to the weights they stand beside, and take them out."""
        merged: Any = self._peft
        model.backbone = merged.merge_and_unload()

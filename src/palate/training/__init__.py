"""Training: settings, packed steps on transformers' Trainer, snapshots, and the run that ties them together.

Only the settings are imported here: they need no torch. `palate.training.run.train` does the work.
"""

from palate.training.config import TokenSettings, TrainConfig
from palate.training.load import dump_config, load_config
from palate.training.settings import FitSettings, Lora, PairwiseLoss, PlackettLuceLoss

__all__ = [
    "FitSettings",
    "Lora",
    "PairwiseLoss",
    "PlackettLuceLoss",
    "TokenSettings",
    "TrainConfig",
    "dump_config",
    "load_config",
]

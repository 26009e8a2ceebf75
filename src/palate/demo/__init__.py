"""The demo: ranked responses whose quality is known, and a tiny model to train on them. Nothing is downloaded."""

from palate.demo.generate import GRADES, MOST_PROMPTS, make_lists
from palate.demo.model import make_model

__all__ = ["GRADES", "MOST_PROMPTS", "make_lists", "make_model"]

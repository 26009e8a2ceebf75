"""Shapes are enforced while the losses are tested: every annotation is checked at every call."""

from jaxtyping import install_import_hook

install_import_hook("palate.losses", "beartype.beartype")

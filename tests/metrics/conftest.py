"""Shapes are enforced while the metrics are tested: every annotation is checked at every call."""

from jaxtyping import install_import_hook

install_import_hook("palate.metrics", "beartype.beartype")

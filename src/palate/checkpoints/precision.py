"""Float32 that is float32, for as long as probes are computed: wide weights, and no TF32 in matrix products."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def in_float32(model: torch.nn.Module) -> Generator[None]:
    """Parameters widened to float32 in place, and narrowed back: exact both ways, and they stay the same objects."""
    before = [(parameter, parameter.dtype) for parameter in model.parameters() if parameter.dtype != torch.float32]
    for parameter, _ in before:
        parameter.data = parameter.data.float()
    try:
        yield
    finally:
        for parameter, dtype in before:
            parameter.data = parameter.data.to(dtype)


@contextmanager
def exact_products() -> Generator[None]:
    """Matrix products of float32 in IEEE float32, whatever a training run has set; then as before.

    TF32 keeps 10 bits: probes saved under it would be off by 1e-3 for everyone who loads without it.
    """
    backends: Any = torch.backends
    if not hasattr(backends, "fp32_precision"):  # torch before 2.9
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)
        return
    parts = [backends.cuda.matmul, backends.mkldnn.matmul]
    general, before = backends.fp32_precision, [part.fp32_precision for part in parts]
    for place in [backends, *parts]:
        place.fp32_precision = "ieee"
    try:
        yield
    finally:
        backends.fp32_precision = general
        for part, own in zip(parts, before, strict=True):
            part.fp32_precision = "none" if own == general else own  # "none" follows the general setting

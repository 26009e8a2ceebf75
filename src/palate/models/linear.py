"""Linear layers in float32 on x86 CPUs through oneDNN instead of MKL: the same numbers, up to 2.3 times as fast.

torch sends float32 matrix products on CPU to MKL, which gives AMD processors its AVX2 kernels. oneDNN, which is in
torch too, uses AVX-512 there. Measured with 2 threads on an AMD EPYC with AVX-512, [3000, 512] x [512, 1536]: MKL 220
GFLOP/s, oneDNN 497 (`benchmarks/peaks.py`). Both are plain IEEE float32. The choice depends on the machine alone, never
on a timing, so that a run can be repeated bit for bit.
"""

import platform
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class OneDnnLinear(nn.Linear):
    """`nn.Linear` that takes oneDNN for float32 on CPU, and torch's own way for everything else."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (nn.Linear's own name)
        """The affine map of `nn.Linear`; shapes as there."""
        plain = input.dtype == self.weight.dtype == torch.float32 and input.device.type == "cpu"
        if not plain or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        output = _Product.apply(input.reshape(-1, input.shape[-1]), self.weight)
        assert isinstance(output, Tensor)
        output = output.view(*input.shape[:-1], -1)
        bias: Tensor | None = self.bias
        return output if bias is None else output + bias  # pyright: ignore[reportUnnecessaryComparison]


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Float[Tensor, "tokens dim"], weight: Float[Tensor, "out dim"]
    ) -> Float[Tensor, "tokens out"]:
        ctx.save_for_backward(x, weight)
        return _times_transposed(x, weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        grad_x = _times_transposed(grad, weight.t()) if ctx.needs_input_grad[0] else None
        grad_weight = _times_transposed(grad.t(), x.t()) if ctx.needs_input_grad[1] else None
        return grad_x, grad_weight


def use_onednn(model: nn.Module) -> int:
    """Let the model's linear layers take oneDNN where that is available; subclasses of `nn.Linear` are left alone.

    Returns:
        How many layers were switched.
    """
    if not available():
        return 0
    switched = [module for module in model.modules() if type(module) is nn.Linear]
    for module in switched:
        module.__class__ = OneDnnLinear
    return len(switched)


def available() -> bool:
    """Whether this build of torch has the product, on a processor where it pays."""
    return (
        platform.machine() in {"x86_64", "AMD64"}
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _times_transposed(left: Float[Tensor, "rows dim"], right: Float[Tensor, "out dim"]) -> Float[Tensor, "rows out"]:
    """left @ right.T; views with any strides are fine."""
    return torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")  # noqa: SLF001  (inductor's own call)

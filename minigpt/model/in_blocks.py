"""A matrix in bfloat16 in the blocks in which oneDNN, PyTorch's library for products on a CPU, reads it fastest.

Dimensions: D inputs of a matrix, M outputs; leading axes are arbitrary.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.model.inspection import wants_numbers_alone


def in_blocks(matrix: Tensor) -> Tensor:
    """A matrix in an order that only :func:`linear_in_blocks` and ``to_dense`` know; elsewhere as it is.

    Args:
        matrix: ``(M, D)``; it is laid out anew if it is in bfloat16, on a CPU that multiplies this.
    """
    bfloat16_on_cpu = matrix.is_cpu and matrix.dtype is torch.bfloat16 and torch.backends.mkldnn.is_available()
    if bfloat16_on_cpu and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        matrix = torch.ops.mkldnn._reorder_linear_weight(matrix, 1)
    return matrix


def linear_in_blocks(x: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x (…, D)`` times the transpose of ``matrix (M, D)``, plus ``bias (M,)``.

    The kernel for blocks has no gradient, and PyTorch would take that for a gradient of 0.

    Args:
        x: in the dtype of the matrix.
        matrix: as :func:`in_blocks` gives it.
        bias: in the same dtype.

    Raises:
        NotImplementedError: while ``torch.compile`` traces it, which then leaves this call as it is: a matrix in blocks
            can't be traced.
    """
    if torch.compiler.is_dynamo_compiling():
        raise NotImplementedError
    if matrix.is_mkldnn and wants_numbers_alone(x):
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, matrix, bias, "none", [], "")
        return y
    return F.linear(x, matrix.to_dense() if matrix.is_mkldnn else matrix, bias)

r"""A copy of a model that only writes, with its matrices in a layout that one row of tokens reads faster.

A step of generation multiplies one vector by every matrix, so it takes the time to read them. What helps is to read
them in a better order, or fewer bytes of them:

==========  ================================================================  ======================
weights     matrices, and what enters them                                    what changes
==========  ================================================================  ======================
float32     (in, out) rather than (out, in); the tied head has its own copy   the last bits
bfloat16    2 bytes a number, in blocks; all else in bfloat16, too            8 bits of precision
int8        1 byte a number and a scale for each output; bfloat16 elsewhere   8 bits of every matrix
==========  ================================================================  ======================

Dimensions: D inputs of a matrix, M outputs; leading axes are arbitrary.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Literal, Self

import torch
from einops import einsum
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.equations import equation, fast_twin
from minigpt.model import GPT
from minigpt.model.in_blocks import in_blocks, linear_in_blocks
from minigpt.model.inspection import wants_numbers_alone
from minigpt.settings import check_choice

WeightsName = Literal["float32", "bfloat16", "int8"]
FEW_ROWS = 16  # up to which a product takes int8 weights as they are, and is cut in parts by columns
LANES = 32  # inputs that PyTorch's int8 kernel reads at once: of another number it reads beyond the end


def linear_map(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x (…, D)`` times the transpose of ``weight (M, D)``, plus ``bias (M,)``."""
    y = einsum(x, weight, "... i, o i -> ... o")
    return y if bias is None else y + bias


@fast_twin(
    of=linear_map,
    error=2e-6,
    gradient="autograd",
    when='`for_generation(model, weights="float32")`',
    faster="the matrix is read in the order in which one row of tokens needs it",
)
def linear_by_columns(x: Tensor, columns: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same with the matrix as ``columns (D, M)``.

    Args:
        x: ``(…, D)``.
        columns: the transposed matrix.
        bias: ``(M,)``.
    """
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[0] > FEW_ROWS or not x.is_cpu:
        y = rows @ columns if bias is None else torch.addmm(bias, rows, columns)
    else:
        y = _by_parts(rows, columns, torch.get_num_threads())
        y = y if bias is None else y + bias
    return y.view(*x.shape[:-1], columns.shape[1])


def _by_parts(rows: Tensor, columns: Tensor, n_parts: int) -> Tensor:
    """``rows @ columns``, a part of the columns for each thread: one product of few rows is left to a single thread."""
    n_inputs, n_columns = columns.shape
    if rest := n_columns % n_parts:
        even = _by_parts(rows, columns[:, :-rest], n_parts) if rest < n_columns else rows[:, :0]
        return torch.cat((even, rows @ columns[:, -rest:]), dim=1)
    parts = columns.unflatten(1, (n_parts, -1)).transpose(0, 1)
    return torch.bmm(rows.expand(n_parts, -1, n_inputs), parts).transpose(0, 1).flatten(1)


@equation(
    "int8-weights",
    r"""\begin{aligned}
    s_i &= \frac{1}{127} \max_{k=1}^{D} \left|W_{ik}\right| \\
    q_{ij} &= \left\lfloor \frac{W_{ij}}{s_i} + \frac{1}{2} \right\rfloor \end{aligned}""",
    symbols={
        "W": "(M, D) a matrix",
        "D": "() its inputs",
        "s": "(M) scale of each output",
        "q": "(M, D) whole numbers from -127 to 127; the matrix is about s times q",
    },
    source="Dettmers, Lewis, Belkada & Zettlemoyer 2022, arXiv:2208.07339, Eq. 2 (absmax), with a scale for each row",
)
def int8_weights(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix in one byte a number: of each row, 127 is the largest magnitude.

    Args:
        weight: ``(M, D)`` floating point.

    Returns:
        q ``(M, D)`` int8 and s ``(M,)`` in the dtype of ``weight``; a row of zeros has the scale 0.
    """
    exact = weight.double()
    scales = exact.abs().amax(1) / 127
    q = torch.floor(exact / scales.clamp(min=torch.finfo(torch.float64).tiny)[:, None] + 0.5)
    return q.to(torch.int8), scales.to(weight.dtype)


class InferenceLinear(nn.Module):
    """A linear map that can't be trained.

    Args:
        layer: what is copied.
        dtype: of its bias.
    """

    bias: Tensor | None

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone().to(dtype))

    def train(self, mode: bool = True) -> "InferenceLinear":
        """Evaluation mode only.

        Raises:
            ValueError: if ``mode`` is True.
        """
        if mode:
            raise ValueError("a copy made by for_generation only writes; train the model that it was made from")
        return super().train(False)


class ColumnsLinear(InferenceLinear):
    """:func:`linear_by_columns` with the numbers of a linear layer."""

    columns: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer, layer.weight.dtype)
        self.register_buffer("columns", layer.weight.detach().T.contiguous())

    @property
    def weight(self) -> Tensor:
        """``(M, D)``."""
        return self.columns.T

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D)`` → ``(…, M)``."""
        return linear_by_columns(x, self.columns, self.bias)


class RowsLinear(InferenceLinear):
    """A linear map in bfloat16, on a CPU with its matrix in the blocks in which PyTorch's kernel reads it."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer, torch.bfloat16)
        self.matrix = in_blocks(layer.weight.detach().bfloat16())

    @property
    def weight(self) -> Tensor:
        """``(M, D)``."""
        return self.matrix.to_dense() if self.matrix.is_mkldnn else self.matrix

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D)`` → ``(…, M)``."""
        return linear_in_blocks(x, self.matrix, self.bias)

    def get_extra_state(self) -> Tensor:
        """The matrix, which is no buffer, for ``state_dict``."""
        return self.weight

    def set_extra_state(self, state: Tensor) -> None:
        """Take the matrix of another state dict; a ``ValueError`` where it has another shape."""
        if state.shape != self.weight.shape:
            raise ValueError(f"the state dict has a matrix {tuple(state.shape)}; expected {tuple(self.weight.shape)}")
        self.matrix = in_blocks(state.detach().to(self.weight, copy=True))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.matrix = in_blocks(fn(self.weight))
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"matrix": self.weight}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state | {"matrix": in_blocks(state["matrix"])})


class Int8Linear(InferenceLinear):
    """A linear map with :func:`int8_weights`; what enters and leaves is in bfloat16."""

    q: Tensor
    scales: Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer, torch.bfloat16)
        q, scales = int8_weights(layer.weight.detach())
        self.register_buffer("q", q)
        self.register_buffer("scales", scales.bfloat16())

    @property
    def weight(self) -> Tensor:
        """``(M, D)`` bfloat16: s times q."""
        return self.q.bfloat16() * self.scales[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D)`` → ``(…, M)``."""
        rows = x.reshape(-1, x.shape[-1])
        if len(rows) > FEW_ROWS or x.shape[-1] % LANES or not x.is_cpu or not wants_numbers_alone(x):
            return F.linear(x, self.weight, self.bias)
        y = torch.ops.aten._weight_int8pack_mm(rows, self.q, self.scales)
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], self.q.shape[0])


#: What takes the place of a linear layer, and the dtype of all else, by the name of the weights.
LAYOUTS: dict[str, tuple[Callable[[nn.Linear], nn.Module], torch.dtype]] = {
    "float32": (ColumnsLinear, torch.float32),
    "bfloat16": (RowsLinear, torch.bfloat16),
    "int8": (Int8Linear, torch.bfloat16),
}


def for_generation(model: GPT, weights: WeightsName = "float32") -> GPT:
    """A copy of a model for generation: the same forward pass, with other linear layers. It can't be trained.

    With "bfloat16" and "int8", several rows at once are rounded otherwise than one alone, so their tokens may differ
    where two are almost equally likely.

    Args:
        model: stays as it is.
        weights: "float32", "bfloat16" or "int8"; the module's table says what each changes.
            :func:`minigpt.evaluation.copy_error` measures how far the copy is from the model.

    Returns:
        A model in evaluation mode, on the device of ``model``.

    Raises:
        ValueError: if there are no such weights, or ``model`` is such a copy already.
    """
    check_choice("weights", weights, LAYOUTS)
    if any(isinstance(module, InferenceLinear) for module in model.modules()):
        raise ValueError("the model is a copy made by for_generation; make another one from the model itself")
    build, dtype = LAYOUTS[weights]
    copy = deepcopy(model).eval().requires_grad_(False)
    for module in list(copy.modules()):
        for name, layer in list(module.named_children()):
            if type(layer) is nn.Linear:
                setattr(module, name, build(layer.to(torch.promote_types(layer.weight.dtype, torch.float32))).eval())
            elif type(layer) is nn.Dropout:
                setattr(module, name, nn.Identity().eval())
    if isinstance(copy, GPT):
        copy.n_replaced += model.n_parameters - copy.n_parameters
    return copy.to(dtype)

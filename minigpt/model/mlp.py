"""The position-wise network of a block and its activations.

Each activation is here as it is written, and as a fast twin of the same value, which the networks use.

Dimensions: D model width, F hidden width; leading axes are arbitrary.
"""

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.equations import Equation, equation, fast_twin

GELU_SOURCE = "Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2"
SILU = r"\mathrm{SiLU}(u) = \frac{u}{1 + \exp(-u)}"


@equation(
    "gelu",
    r"\mathrm{GELU}(x) = \frac{x}{2} \left(1 + \operatorname{erf}\left(\frac{x}{\sqrt{2}}\right)\right)",
    symbols={"x": "() input, each element by itself"},
    source=GELU_SOURCE,
)
def gelu(x: Tensor) -> Tensor:
    """The Gaussian error linear unit, exact: ``x`` times the normal distribution function of ``x``.

    Args:
        x: ``(...)`` any shape, floating point.

    Returns:
        ``(...)`` in the dtype of ``x``.
    """
    return x / 2 * (1 + torch.erf(x / math.sqrt(2)))


@equation(
    "gelu-tanh",
    r"\mathrm{GELU}(x) = \frac{x}{2} \left(1 + \tanh\left(\sqrt{\frac{2}{\pi}} (x + 0.044715 x^3)\right)\right)",
    symbols={"x": "() input, each element by itself"},
    source=GELU_SOURCE,
)
def gelu_tanh(x: Tensor) -> Tensor:
    """GELU's approximation by a hyperbolic tangent, the one GPT-2 was trained with.

    Args:
        x: ``(...)`` any shape, floating point.

    Returns:
        ``(...)`` in the dtype of ``x``.
    """
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@equation(
    "relu-squared",
    r"f(x) = \max(x, 0)^2",
    symbols={"x": "() input, each element by itself"},
    source="So et al. 2021, arXiv:2109.08668",
)
def relu_squared(x: Tensor) -> Tensor:
    """The square of the positive part.

    Args:
        x: ``(...)`` any shape, floating point.

    Returns:
        ``(...)`` in the dtype of ``x``.
    """
    return x.clamp(min=0) ** 2


@equation(
    "silu",
    SILU,
    symbols={"u": "() input, each element by itself"},
    source="Elfwing, Uchibe & Doya 2017, arXiv:1702.03118; Ramachandran, Zoph & Le 2017, arXiv:1710.05941",
)
def silu(x: Tensor) -> Tensor:
    """``x`` times its logistic function, also called swish.

    Args:
        x: ``(...)`` any shape, floating point.

    Returns:
        ``(...)`` in the dtype of ``x``.
    """
    return x / (1 + torch.exp(-x))


ONE_PASS = "one pass over memory, forward and backward"


@fast_twin(
    of=gelu, error=1e-6, gradient="autograd", when='`MLP` with `activation="gelu"`', faster=ONE_PASS, bfloat16=True
)
def fast_gelu(x: Tensor) -> Tensor:
    """:func:`gelu` in one pass over memory."""
    return F.gelu(x)


@fast_twin(
    of=gelu_tanh,
    error=1e-6,
    gradient="autograd",
    when='`MLP` with `activation="gelu-tanh"`',
    faster=ONE_PASS,
    bfloat16=True,
)
def fast_gelu_tanh(x: Tensor) -> Tensor:
    """:func:`gelu_tanh` in one pass over memory."""
    return F.gelu(x, approximate="tanh")


@fast_twin(
    of=relu_squared,
    error=0,
    gradient="autograd",
    when='`MLP` with `activation="relu2"`',
    faster="the gradient of a product is cheaper than that of a power",
    bfloat16=True,
)
def fast_relu_squared(x: Tensor) -> Tensor:
    """:func:`relu_squared` as a product, whose gradient is cheaper than that of a power."""
    positive = F.relu(x)
    return positive * positive


@fast_twin(of=silu, error=1e-6, gradient="autograd", when="`SwiGLU`", faster=ONE_PASS, bfloat16=True)
def fast_silu(x: Tensor) -> Tensor:
    """:func:`silu` in one pass over memory."""
    return F.silu(x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": fast_gelu,
    "gelu-tanh": fast_gelu_tanh,
    "relu2": fast_relu_squared,
    "relu": F.relu,  # max(x, 0), which has one form only
}


@equation(
    "mlp",
    r"y = W_2 \phi(W_1 x + b_1) + b_2",
    symbols={
        "x": "(D) input",
        "W_1": "(F, D) expanding matrix",
        "b_1": "(F) its bias",
        "W_2": "(D, F) contracting matrix",
        "b_2": "(D) its bias",
        r"\phi": "function activation",
        "y": "(D) output",
    },
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.3",
)
class MLP(nn.Module):
    """Two linear maps with an activation between: ``(..., D)`` → ``(..., F)`` → ``(..., D)``.

    Args:
        d_model: D.
        d_hidden: F.
        activation: a name in ``ACTIVATIONS``.
        bias: whether the linear maps have one.
    """

    equation: ClassVar[Equation]
    parameter_roles: ClassVar = {"expand": "matrix", "contract": "residual"}

    def __init__(self, d_model: int, d_hidden: int, activation: str = "gelu-tanh", *, bias: bool = True) -> None:
        super().__init__()
        self.expand = nn.Linear(d_model, d_hidden, bias=bias)
        self.contract = nn.Linear(d_hidden, d_model, bias=bias)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        return self.contract(self.activation(self.expand(x)))


@equation(
    "swiglu",
    r"y = W_2 (\mathrm{SiLU}(W_1 x) \odot W_3 x)",
    where=[SILU],
    symbols={
        "x": "(D) input",
        "W_1": "(F, D) gate matrix",
        "W_3": "(F, D) expanding matrix",
        "W_2": "(D, F) contracting matrix",
        "u": "() argument of SiLU",
        "y": "(D) output",
    },
    source="Shazeer 2020, arXiv:2002.05202, Eq. 6",
)
class SwiGLU(nn.Module):
    """A gated network: one linear map, through SiLU, gates another. Its three matrices take F = 8D/3 to equal an MLP.

    Args:
        d_model: D.
        d_hidden: F.
        bias: whether the linear maps have one.
    """

    equation: ClassVar[Equation]
    parameter_roles: ClassVar = {"gate": "matrix", "expand": "matrix", "contract": "residual"}

    def __init__(self, d_model: int, d_hidden: int, *, bias: bool = False) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_hidden, bias=bias)
        self.expand = nn.Linear(d_model, d_hidden, bias=bias)
        self.contract = nn.Linear(d_hidden, d_model, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        return self.contract(fast_silu(self.gate(x)) * self.expand(x))

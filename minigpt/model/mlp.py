r"""The position-wise network of a block and its activations.

$$\operatorname{GELU}(x) = x\,\Phi(x) = \tfrac{x}{2}\Big(1 + \operatorname{erf}\big(x/\sqrt2\big)\Big)$$
$$\operatorname{GELU}_{\tanh}(x) = \tfrac{x}{2}\Big(1 + \tanh\big(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\big)\Big)$$
$$\operatorname{ReLU}^2(x) = \max(x, 0)^2, \qquad \operatorname{SiLU}(x) = \frac{x}{1 + \exp(-x)}$$
$$\operatorname{MLP}(x) = W_2\,\phi(W_1 x)$$
$$\operatorname{SwiGLU}(x) = W_2\,\big(\operatorname{SiLU}(W_1 x) \odot W_3 x\big)$$

Dimensions: D model width, F hidden width; leading axes are arbitrary.
Source: GELU, Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2; ReLU², So et al. 2021, arXiv:2109.08668;
SwiGLU, Shazeer 2020, arXiv:2002.05202, Eq. 6.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gelu(x: Tensor) -> Tensor:
    """The Gaussian error linear unit, exact: ``x`` times the normal distribution function of ``x``."""
    return x / 2 * (1 + torch.erf(x / math.sqrt(2)))


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU's approximation by a hyperbolic tangent, the one GPT-2 was trained with."""
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def relu_squared(x: Tensor) -> Tensor:
    """The square of the positive part."""
    return x.clamp(min=0) ** 2


def silu(x: Tensor) -> Tensor:
    """``x`` times its logistic function, also called swish."""
    return x / (1 + torch.exp(-x))


def fused_gelu(x: Tensor) -> Tensor:
    """:func:`gelu` in one pass over memory."""
    return F.gelu(x)


def fused_gelu_tanh(x: Tensor) -> Tensor:
    """:func:`gelu_tanh` in one pass over memory."""
    return F.gelu(x, approximate="tanh")


def fused_relu_squared(x: Tensor) -> Tensor:
    """:func:`relu_squared` with the fused rectifier."""
    return F.relu(x).square()


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": fused_gelu,
    "gelu-tanh": fused_gelu_tanh,
    "relu2": fused_relu_squared,
}


class MLP(nn.Module):
    """Two linear maps with an activation between: ``(..., D)`` → ``(..., F)`` → ``(..., D)``.

    Args:
        d_model: D.
        d_hidden: F.
        activation: a name in ``ACTIVATIONS``.
        bias: whether the linear maps have one.
    """

    def __init__(self, d_model: int, d_hidden: int, activation: str = "gelu-tanh", *, bias: bool = True) -> None:
        super().__init__()
        self.expand = nn.Linear(d_model, d_hidden, bias=bias)
        self.contract = nn.Linear(d_hidden, d_model, bias=bias)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        return self.contract(self.activation(self.expand(x)))


class SwiGLU(nn.Module):
    """A gated network: one linear map, through SiLU, gates another. Its three matrices take F = 8D/3 to equal an MLP.

    Args:
        d_model: D.
        d_hidden: F.
        bias: whether the linear maps have one.
    """

    def __init__(self, d_model: int, d_hidden: int, *, bias: bool = False) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_hidden, bias=bias)
        self.expand = nn.Linear(d_model, d_hidden, bias=bias)
        self.contract = nn.Linear(d_hidden, d_model, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D)`` → ``(..., D)``."""
        return self.contract(F.silu(self.gate(x)) * self.expand(x))

"""The causal Transformer block: attention mixes positions, an MLP works on each, norms keep both in range.

Pre-norm (GPT-2) leaves the residual stream untouched from end to end; post-norm (the first Transformer) normalises each
sum. Xiong et al. 2020, arXiv:2002.04745, compare the two. Where there is a short convolution, the x of both is what it
returns.

Dimensions: B batch, T positions, D model width, H query heads, G key/value heads, E head width.
"""

from collections.abc import Callable
from typing import ClassVar

from einops import rearrange
from torch import Tensor, nn

from minigpt.equations import Equation, equation
from minigpt.model.backends import ATTENTION
from minigpt.model.config import GPTConfig
from minigpt.model.context import NO_POSITIONS, Context
from minigpt.model.convolution import NoConvolution, ShortConvolution
from minigpt.model.experts import MixtureOfExperts
from minigpt.model.mlp import MLP, SwiGLU
from minigpt.model.norms import NORMS, RMSNorm
from minigpt.model.pattern import Pattern
from minigpt.model.positions.formulas import rotary

SUBLAYERS = {
    "x": "(T, D) the residual stream",
    "A": "function attention",
    "F": "function MLP",
    "N": "function first norm",
    "M": "function second norm",
    "y": "(T, D) the residual stream after the block",
}


class CausalSelfAttention(nn.Module):
    """Grouped-query causal attention with its projections, positions and optional QK-norm.

    The matrices $W^Q, W^K, W^V$ lie side by side in one: the H query heads first, then G key and G value heads.

    Args:
        config: of the model.
        layer: number of the block, from 0.
    """

    parameter_roles: ClassVar = {"project_qkv": "qkv", "project_out": "residual"}

    def __init__(self, config: GPTConfig, layer: int = 0) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_width = config.n_heads, config.kv_heads, config.head_width
        n_columns = (self.n_heads + 2 * self.n_kv_heads) * config.head_width
        self.project_qkv = nn.Linear(config.d_model, n_columns, bias=config.biases["qkv"])
        self.project_out = nn.Linear(config.heads_width, config.d_model, bias=config.biases["out"])
        self.norm_q = RMSNorm(config.head_width, eps=config.norm_eps) if config.qk_norm else nn.Identity()
        self.norm_k = RMSNorm(config.head_width, eps=config.norm_eps) if config.qk_norm else nn.Identity()
        self.attend = ATTENTION[config.attention]
        self.window, self.dropout = config.windows[layer], config.dropout

    def forward(self, x: Tensor, context: Context = NO_POSITIONS) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``; position t depends on positions ≤ t alone."""
        heads = rearrange(self.project_qkv(x), "b t (n e) -> b n t e", e=self.head_width)
        q, k, v = heads.split([self.n_heads, self.n_kv_heads, self.n_kv_heads], dim=1)
        q, k = self.norm_q(q), self.norm_k(k)
        if context.rotation is not None:
            q, k = rotary(q, context.rotation), rotary(k, context.rotation)
        if context.kept is not None:
            k, v = context.kept.extend(k, v, context.start)
            q = q.to(k.dtype)  # a cache may be wider than the layers
        output = self.attend(q, k, v, self._pattern(context, context.start + x.shape[1] - k.shape[2]))
        return self.project_out(rearrange(output.to(heads.dtype), "b h t e -> b t (h e)"))

    def _pattern(self, context: Context, first_key: int) -> Pattern:
        """What the queries see of the keys, of which the first is at the position ``first_key`` of its row."""
        dropout = self.dropout if self.training else 0.0
        padding = None if context.padding is None else context.padding - first_key
        return Pattern(window=self.window, slopes=context.slopes, dropout=dropout, padding=padding)


@equation(
    "pre-norm-block",
    r"y = h + F(M(h))",
    where=[r"h = x + A(N(x))"],
    symbols=SUBLAYERS,
    source="Radford et al. 2019 (GPT-2), section 2.3",
)
class PreNormBlock(nn.Module):
    """Norms inside the branches.

    Args:
        config: of the model.
        layer: number of the block, from 0.
    """

    equation: ClassVar[Equation]

    def __init__(self, config: GPTConfig, layer: int = 0) -> None:
        super().__init__()
        taps, width = config.convolution, config.d_model
        self.convolution = NoConvolution() if taps is None else ShortConvolution(taps, width)
        self.norm_1 = build_norm(config)
        self.attention = CausalSelfAttention(config, layer)
        self.norm_2 = build_norm(config)
        self.mlp = build_mlp(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, context: Context = NO_POSITIONS) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``."""
        x = self.convolution(x, context)
        x = x + self.drop(self.attention(self.norm_1(x), context))
        return x + self.drop(self.mlp(self.norm_2(x)))


@equation(
    "post-norm-block",
    r"y = M(h + F(h))",
    where=[r"h = N(x + A(x))"],
    symbols=SUBLAYERS,
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.1",
)
class PostNormBlock(PreNormBlock):
    """Norms after the sums.

    Args:
        config: of the model.
        layer: number of the block, from 0.
    """

    def forward(self, x: Tensor, context: Context = NO_POSITIONS) -> Tensor:
        """``(B, T, D)`` → ``(B, T, D)``."""
        x = self.convolution(x, context)
        x = self.norm_1(x + self.drop(self.attention(x, context)))
        return self.norm_2(x + self.drop(self.mlp(x)))


BLOCKS: dict[str, type[PreNormBlock]] = {"pre": PreNormBlock, "post": PostNormBlock}


def build_norm(config: GPTConfig) -> nn.Module:
    """The norm that the configuration names, over the model width."""
    return NORMS[config.norm](config.d_model, config.bias, config.norm_eps)


def build_mlp(config: GPTConfig) -> nn.Module:
    """The position-wise network that the configuration names, or a mixture of several."""
    if config.n_experts is None:
        return _dense_mlp(config)
    experts = [_dense_mlp(config) for _ in range(config.n_experts)]
    return MixtureOfExperts(config.d_model, experts, config.n_active_experts)


def _dense_mlp(config: GPTConfig) -> nn.Module:
    build: Callable[..., nn.Module] = SwiGLU if config.mlp == "swiglu" else MLP
    names = () if config.mlp == "swiglu" else (config.mlp,)
    return build(config.d_model, config.hidden_width, *names, bias=config.biases["mlp"])

r"""The floating-point operations of a sequence, part by part, forward and backward.

A product of matrices $(a, b)$ and $(b, c)$ is $2abc$ operations: a multiplication and an addition each. Norms,
activations, softmax and the look-up of embeddings are no products and count nothing, as everyone counts.

The scores can be counted in two ways. *Causal*: only the pairs of positions that see each other, which is what the
formula needs. *Full*: every pair, which is what a program does that masks after multiplying, and what PyTorch's
``FlopCounterMode`` counts with ``attention="formula"``.

With ``attention="sdpa"`` that counter shows other totals for the same products. It knows no formula for the fused
attention of a CPU and counts nothing there, so its total lacks the scores and weighted sums. For that of a GPU it
counts the backward pass as 2.5 times the forward pass, since the kernel computes the scores once more; here it is
twice, as for every product.

Dimensions: T positions, D width, L layers, H query heads, G key/value heads, E head width, F hidden width of the MLP, V
vocabulary, w window.
"""

from dataclasses import dataclass, fields

from minigpt.equations import equation
from minigpt.model import GPTConfig

BACKWARD = 2  # products for each product of the forward pass: one gradient for each factor


@dataclass(frozen=True, kw_only=True)
class Flops:
    """Floating-point operations of each part of a model.

    Attributes:
        embedding: a look-up: none.
        qkv: queries, keys and values.
        scores: queries times keys.
        weighted_sum: weights times values.
        out: the output matrices of attention.
        mlp: the MLPs.
        head: the logits.
    """

    embedding: int = 0
    qkv: int
    scores: int
    weighted_sum: int
    out: int
    mlp: int
    head: int

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(getattr(self, part.name) for part in fields(self))

    @property
    def in_blocks(self) -> int:
        """All parts but the embedding and the head: what is computed again where blocks are recomputed."""
        return self.total - self.embedding - self.head

    def __mul__(self, factor: int) -> "Flops":
        return Flops(**{part.name: factor * getattr(self, part.name) for part in fields(self)})


@equation(
    "attention-pairs",
    r"Q = \sum_{t=1}^{T} \min(t, w)",
    symbols={
        "T": "() positions",
        "w": "() window: positions that a query sees, itself included; at least T for the whole past",
        "Q": "() pairs of positions that see each other",
    },
    source="counted from the causal mask",
)
def attention_pairs(n_positions: int, window: int | None = None) -> int:
    """Q: the pairs of a query and a key that it sees.

    Args:
        n_positions: T.
        window: positions that a query sees, itself included; ``None`` means the whole past.
    """
    w = n_positions if window is None else min(window, n_positions)
    return w * (w + 1) // 2 + (n_positions - w) * w


@equation(
    "forward-flops",
    r"""\begin{aligned}
    C_q &= 2 T L D (H + 2 G) E \\
    C_s &= 2 Q L H E \\
    C_w &= 2 Q L H E \\
    C_o &= 2 T L H E D \\
    C_m &= 2 T L (k m D F + R D) \\
    C_h &= 2 T D V
    \end{aligned}""",
    symbols={
        "T": "() positions",
        "L": "() layers",
        "D": "() model width",
        "H": "() query heads",
        "G": "() key/value heads",
        "E": "() head width",
        "F": "() hidden width of the MLP",
        "k": "() experts that a token goes through, 1 for a dense MLP",
        "R": "() rows of the router: the experts, or 0 for a dense MLP",
        "V": "() vocabulary",
        "m": "() matrices of the MLP: 2, or 3 with a gate",
        "Q": "() pairs of positions that are multiplied, in the mean of the layers",
        "C_q": "() operations for queries, keys and values",
        "C_s": "() for the scores",
        "C_w": "() for the weighted sums",
        "C_o": "() for the output matrices of attention",
        "C_m": "() for the MLPs",
        "C_h": "() for the head",
    },
    source="Hoffmann et al. 2022, arXiv:2203.15556, appendix F, without its embedding and softmax terms",
)
def forward_flops(config: GPTConfig, n_positions: int, *, full: bool = False) -> Flops:
    """The operations of one sequence, forward.

    Args:
        config: the model's shape.
        n_positions: T, the length of the sequence in tokens.
        full: count every pair of positions, as kernels that mask after multiplying and ``FlopCounterMode`` do;
            otherwise only those that see each other.
    """
    t, layers, d, e = n_positions, config.n_layers, config.d_model, config.head_width
    pairs = sum(t * t if full else attention_pairs(t, window) for window in config.windows)  # L Q in the equation
    matrices = 3 if config.mlp == "swiglu" else 2
    return Flops(
        qkv=2 * t * layers * d * (config.n_heads + 2 * config.kv_heads) * e,
        scores=2 * pairs * config.n_heads * e,
        weighted_sum=2 * pairs * config.n_heads * e,
        out=2 * t * layers * config.heads_width * d,
        mlp=2 * t * layers * d * (matrices * config.active_width + (config.n_experts or 0)),
        head=2 * t * d * config.vocab_size,
    )


def backward_flops(config: GPTConfig, n_positions: int, *, full: bool = False, recomputed: bool = False) -> Flops:
    """The operations of one sequence, backward: twice the forward pass, or three times in recomputed blocks.

    Args:
        config: the model's shape.
        n_positions: T, the length of the sequence in tokens.
        full: as in :func:`forward_flops`.
        recomputed: whether the backward pass runs each block once more (activation checkpointing).
    """
    forward = forward_flops(config, n_positions, full=full)
    in_blocks = forward * (BACKWARD + recomputed)
    return Flops(**{**vars(in_blocks), "head": BACKWARD * forward.head})

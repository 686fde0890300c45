r"""The parameters of a GPT, part by part, from its configuration alone.

Dimensions: V vocabulary, T context, D width, L layers, H query heads, G key/value heads, E head width, F hidden width
of the MLP.
"""

from dataclasses import dataclass, fields

from minigpt.equations import equation
from minigpt.model import GPTConfig


@dataclass(frozen=True, kw_only=True)
class ParameterCount:
    """How many trained numbers each part of a model has.

    Attributes:
        embedding: the table of tokens; a tied head is this table.
        position: the table of learned positions.
        attention: queries, keys, values and output of all blocks, with QK-norm.
        mlp: the MLPs of all blocks.
        norms: the norms of all blocks and the final one.
        convolution: the short convolutions of all blocks.
        head: an output matrix of its own.
    """

    embedding: int
    position: int
    attention: int
    mlp: int
    norms: int
    convolution: int
    head: int

    @property
    def total(self) -> int:
        """N, all of them."""
        return sum(getattr(self, part.name) for part in fields(self))

    @property
    def non_embedding(self) -> int:
        """The blocks and the final norm: without the tables and the head, as Kaplan et al. 2020 count."""
        return self.total - self.embedding - self.position - self.head


@equation(
    "parameters",
    r"""\begin{aligned}
    N_e &= V D \\
    N_p &= p T D \\
    N_a &= L ((D + c) (H + 2 G) E + (H E + o) D + 2 q E) \\
    N_m &= L (X (m D F + b ((m - 1) F + D)) + R D) \\
    N_n &= (2 L + f) n D \\
    N_c &= L K D \\
    N_h &= (1 - t) V D
    \end{aligned}""",
    symbols={
        "V": "() vocabulary",
        "D": "() model width",
        "T": "() context length",
        "L": "() layers",
        "H": "() query heads",
        "G": "() key/value heads",
        "E": "() head width",
        "F": "() hidden width of the MLP",
        "K": "() positions that a short convolution takes in, 0 without one",
        "m": "() matrices of the MLP: 2, or 3 with a gate",
        "X": "() experts, 1 for a dense MLP",
        "R": "() rows of the router: the experts, or 0 for a dense MLP",
        "n": "() vectors of a norm: a gain, and maybe a shift",
        "c": "() 1 with biases of queries, keys and values, otherwise 0",
        "o": "() 1 with a bias of the output of attention, otherwise 0",
        "b": "() 1 with biases in the MLP, otherwise 0",
        "p": "() 1 with learned positions, otherwise 0",
        "q": "() 1 with QK-norm, otherwise 0",
        "f": "() 1 with a final norm, otherwise 0",
        "t": "() 1 with a tied head, otherwise 0",
        "N_e": "() parameters of the embedding",
        "N_p": "() of the positions",
        "N_a": "() of the attention",
        "N_m": "() of the MLPs",
        "N_n": "() of the norms",
        "N_c": "() of the convolutions",
        "N_h": "() of the head",
    },
    source="counted from the parts of a block; for GPT-2 it is V D + T D + L (12 D² + 13 D) + 2 D",
)
def count_parameters(config: GPTConfig) -> ParameterCount:
    """The parameters of each part of a model that need not be built.

    Args:
        config: the model's shape.
    """
    d, e, f, layers = config.d_model, config.head_width, config.hidden_width, config.n_layers
    has, matrices = config.biases, 3 if config.mlp == "swiglu" else 2
    norm = 2 if config.norm == "layer" and config.bias else 1
    attention = (d + has["qkv"]) * (config.n_heads + 2 * config.kv_heads) * e
    attention += (config.heads_width + has["out"]) * d + 2 * config.qk_norm * e
    mlp = matrices * d * f + has["mlp"] * ((matrices - 1) * f + d)
    if config.n_experts is not None:
        mlp = config.n_experts * (mlp + d)
    return ParameterCount(
        embedding=config.vocab_size * d,
        position=config.context_length * d if config.position == "learned" else 0,
        attention=layers * attention,
        mlp=layers * mlp,
        norms=(2 * layers + (config.norm_placement == "pre")) * norm * d,
        convolution=layers * (config.convolution or 0) * d,
        head=0 if config.tied_head else config.vocab_size * d,
    )

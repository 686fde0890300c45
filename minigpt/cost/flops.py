r"""What training costs, predicted from the shape of the model alone.

A matrix of P numbers costs 2P floating-point operations per token forward and 4P backward. Attention's two products
$q k^\top$ and $a v$ cost $2 \cdot 2 \cdot E$ per head and pair of positions, of which a causal model has
$(T + 1)/2$ per token.

Dimensions: P numbers in the matrices (the head counts, the embedding look-up does not), L layers, H heads, E head
width, T positions; C floating-point operations per trained token.
"""

from minigpt.equations import equation
from minigpt.model import GPTConfig


@equation(
    "matrix-parameters",
    r"P = L (D (H + 2 G) E + H E D + k m D F + R D) + D V",
    symbols={
        "L": "() layers",
        "D": "() model width",
        "H": "() query heads",
        "G": "() key/value heads",
        "E": "() head width",
        "m": "() matrices of the MLP: 2, or 3 with a gate",
        "F": "() hidden width of the MLP",
        "k": "() experts that a token goes through, 1 for a dense MLP",
        "R": "() rows of the router: the experts, or 0 for a dense MLP",
        "V": "() vocabulary",
        "P": "() numbers in the matrices",
    },
    source="counted from the matrices of a block and the head",
)
def matrix_parameters(config: GPTConfig) -> int:
    """P: the numbers in the weight matrices that every token is multiplied with."""
    d, e, f = config.d_model, config.head_width, config.hidden_width
    attention = d * (config.n_heads + 2 * config.kv_heads) * e + config.heads_width * d
    mlp = (3 if config.mlp == "swiglu" else 2) * d * f
    if config.n_experts is not None:
        mlp = config.n_active_experts * mlp + config.n_experts * d
    return config.n_layers * (attention + mlp) + d * config.vocab_size


@equation(
    "training-flops",
    r"C = 6 P + 6 L H E (T + 1)",
    symbols={
        "P": "() numbers in the matrices",
        "L": "() layers",
        "H": "() query heads",
        "E": "() head width",
        "T": "() positions in a sequence",
        "C": "() floating-point operations per token, forward and backward",
    },
    source="Kaplan et al. 2020, arXiv:2001.08361, section 2.1, with the attention term made causal and exact",
)
def training_flops_per_token(config: GPTConfig, n_positions: int) -> float:
    """C: floating-point operations for one token, forward and backward.

    Args:
        config: the model's shape.
        n_positions: T, the length of the sequences in tokens. A window is not looked at: every position sees its whole
            past. :func:`minigpt.cost.flops_by_part.forward_flops` counts the pairs within a window.
    """
    attention = 6 * config.n_layers * config.heads_width * (n_positions + 1)
    return 6 * matrix_parameters(config) + attention

r"""What the forward pass leaves in memory for the backward pass, tensor by tensor.

It depends on how the parts are computed, so this follows the modules of :mod:`minigpt.model` as they run on a CPU: what
each operation keeps for its gradient. In mixed precision, the residual stream and the norms stay in float32 (4 bytes a
number), and what enters a product has h = 2 bytes. Tensors of less than D numbers a position are left out, but for the
statistics of norms. Of a mixture of experts, each active expert keeps its own copy of its input, and its output, which
is multiplied with its weight; the scores of the router are left out.

Dimensions: T positions, D width, H query heads, G key/value heads, E head width, F hidden width of the MLP, V
vocabulary.
"""

from dataclasses import dataclass

from minigpt.model import GPTConfig
from minigpt.model.backends import LARGEST_TABLE, LONGEST_ROW

STREAM = 4  # bytes of a number of the residual stream, of the softmax and of the loss
HALVES = {"fp32": 4, "bf16": 2, "fp16": 2}  # bytes of a number that enters a product
MLP_KEEPS = {"gelu": 2, "gelu-tanh": 2, "relu2": 2, "relu": 1, "swiglu": 4}  # vectors of F numbers


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Bytes that one sequence leaves for the backward pass.

    Attributes:
        stream: of the residual stream at the entry of a block.
        attention: of a block up to its first sum, the stream at its entry included.
        mlp: of the rest of a block.
        outside: of the final norm and what enters the head.
        logits: of the logits, as the loss keeps them.
    """

    stream: int
    attention: int
    mlp: int
    outside: int
    logits: int

    @property
    def block(self) -> int:
        """Of a whole block."""
        return self.attention + self.mlp


def kept_activations(
    config: GPTConfig, n_positions: int, precision: str = "fp32", loss: str = "logits", n_sequences: int = 1
) -> Kept:
    """What one sequence leaves for the backward pass.

    Args:
        config: the model's shape.
        n_positions: T, the length of the sequence in tokens.
        precision: "fp32", "bf16" or "fp16".
        loss: "logits"; or "chunked" or "triton", which keep no logits.
        n_sequences: b, sequences at once through the model; they decide how attention is computed.
    """
    t, d, half = n_positions, config.d_model, HALVES[precision]
    norm = STREAM * t * (d + (2 if config.norm == "layer" else 1))
    dropped = half * t * d if config.dropout else 0  # the mask, in the dtype of what it drops
    taken_in = STREAM * t * d if config.convolution else 0
    by_products = is_by_products(config, t, precision, n_sequences)
    inside = _products(config, t, half) if by_products else _attention(config, t, half, n_sequences)
    attention = norm + half * t * d + inside + dropped + taken_in
    inputs = 2 if config.mlp == "swiglu" and half < STREAM else 1  # each of two products makes its own copy in 16 bits
    vectors = inputs if config.n_experts is None else 1 + (inputs + 1) * config.n_active_experts
    mlp = norm + vectors * half * t * d + half * t * MLP_KEEPS[config.mlp] * config.active_width + dropped
    outside = (norm if config.norm_placement == "pre" else 0) + half * t * d + (STREAM * t * d if config.dropout else 0)
    return Kept(
        stream=STREAM * t * d,
        attention=attention,
        mlp=mlp,
        outside=outside,
        logits=STREAM * t * config.vocab_size if loss == "logits" else 0,
    )


def keeps_tables(config: GPTConfig) -> bool:
    """Whether the T × T weights of every head are in memory: by the formula, and where PyTorch has no kernel on a CPU.

    Args:
        config: the model's shape.
    """
    return config.attention == "formula" or config.position == "alibi" or config.dropout > 0


def is_by_products(config: GPTConfig, n_positions: int, precision: str, n_sequences: int) -> bool:
    """Whether attention is two products with a softmax between, which keeps one table of weights.

    Args:
        config: the model's shape.
        n_positions: T, in tokens.
        precision: "fp32", "bf16" or "fp16".
        n_sequences: b, sequences at once through the model.
    """
    if config.attention not in ("auto", "products"):
        return False
    if config.attention == "products":
        return True
    n_weights = n_sequences * config.n_heads * n_positions**2
    return precision == "bf16" and 1 < n_positions <= LONGEST_ROW and n_weights <= LARGEST_TABLE


def _products(config: GPTConfig, t: int, half: int) -> int:
    """As :func:`_attention`: queries, keys, values and the output, each copied to the layout of its product."""
    d, keys = config.heads_width, config.kv_heads * config.head_width
    kept = half * (4 * t * d + config.n_heads * t * t * (3 if config.dropout else 1))
    if config.qk_norm:  # of the norms: their statistics and their input, in 16 bits a copy in float32
        kept += STREAM * t * (config.n_heads + config.kv_heads)
        kept += STREAM * t * (d + keys) if half < STREAM else half * t * (d + 2 * keys)
    return kept


def _attention(config: GPTConfig, t: int, half: int, n_sequences: int) -> int:
    """Between the projection to queries, keys and values and the one back.

    What is a view of the projection keeps all of it; what was changed or copied since is a tensor of its own.
    """
    d, heads, groups = config.heads_width, config.n_heads, config.kv_heads
    keys = groups * config.head_width
    is_formula = config.attention == "formula"
    is_tables = keeps_tables(config)
    is_wide = half < STREAM and not is_formula  # on a CPU, PyTorch's attention is computed in float32
    is_shared = 1 < groups < heads  # keys and values are repeated for their query heads
    is_scaled = is_tables and not is_formula
    is_turned = config.position in ("rope-half", "rope-interleaved")
    own_q = is_turned or config.qk_norm or is_wide or is_scaled
    own_v = is_wide or is_shared
    word = half if is_formula else STREAM
    kept = word * t * d * own_q
    kept += word * t * (d if is_shared or is_scaled else keys) * (own_q or is_shared)
    kept += word * t * (d if is_shared else keys) * own_v
    if config.qk_norm:  # of the norms: their statistics, and in 16 bits their input in float32
        kept += STREAM * t * (heads + groups + (d + keys if half < STREAM else 0))
    if not (own_q and own_v) or (config.qk_norm and half == STREAM):
        kept += half * t * (d + 2 * keys)
    if is_tables:
        return kept + half * t * d + _tables(config, t, word)
    with_mask = sum(window is not None and window < t for window in config.windows)
    mask = t * t * with_mask // (config.n_layers * n_sequences)  # in the mean of the layers; the same for all sequences
    is_copied = is_turned or half < STREAM  # to the layout of the product that follows
    return kept + STREAM * (t * (d + heads) + mask) + half * t * d * is_copied


def _tables(config: GPTConfig, t: int, word: int) -> int:
    """What is kept of the T × T weights of every head, where they are all in memory."""
    n_tables = 1 + (config.attention == "formula") + (config.dropout > 0)
    mask = 1 if config.attention == "formula" else 0  # a byte for each pair, the same for all heads
    dropped = 1 if config.dropout > 0 and config.attention != "formula" else 0
    return word * config.n_heads * t * t * (n_tables + dropped) + mask * t * t

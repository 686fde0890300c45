r"""The memory of a training step, predicted: the vocabulary is that of :mod:`minigpt.training.safety.memory`, which
measures it.

Weights, gradients and moments are float32. What comes and goes is followed through the step, stage by stage:

======================  ==========================================================================================
stage                   what is in memory besides the weights and moments
======================  ==========================================================================================
scores of a block       where attention is two products: what the blocks below keep, and two tables in float32
end of the forward      what all blocks and the loss keep, and the logits
start of the backward   what all blocks and the loss keep, and two gradients of the logits
head                    what all blocks keep, the gradient of the logits and that of the head's matrix
a block's MLP           what this and the blocks below keep, gradients above, and those inside the MLP
a block's attention     the same without the MLP's, and the gradients inside the attention
embedding               the gradients of all parameters, and that of the table before it is added to a tied head's
======================  ==========================================================================================

The peak is the largest of them. Where blocks are recomputed, a block keeps its input alone, until its turn comes.

Dimensions: T positions, D width, F hidden width of the MLP, V vocabulary, L layers, b sequences at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from minigpt.cost.activations import HALVES, STREAM, is_by_products, keeps_tables, kept_activations
from minigpt.cost.flops import matrix_parameters
from minigpt.cost.parameters import count_parameters
from minigpt.model import GPTConfig
from minigpt.model.chunked_loss import LEAST_ROWS
from minigpt.settings import check_choice, whole_number
from minigpt.training.losses import LOSSES
from minigpt.training.optim import OPTIMIZERS
from minigpt.training.safety.memory import StepMemory

MLP_NEEDS = {  # gradients of F numbers inside an MLP, less what is freed
    "gelu": 1,
    "gelu-tanh": 1,
    "relu2": 2,
    "relu": 2,
    "swiglu": 2,
}
WORD = 4  # bytes of a weight, of its gradient and of each of its moments


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """How a step is computed, as far as memory depends on it.

    Attributes:
        n_positions: T, the length of the sequences in tokens.
        precision: "fp32", "bf16" or "fp16".
        loss: "logits", "chunked" or "triton".
        recomputed: whether the backward pass computes the inside of each block again (activation checkpointing).
        optimizer: its name.
        n_sequences: b, sequences at once through the model.
    """

    n_positions: int
    precision: str = "fp32"
    loss: str = "logits"
    recomputed: bool = False
    optimizer: str = "adamw"
    n_sequences: int = 1

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, HALVES)
        check_choice("loss", self.loss, LOSSES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("n_positions", "n_sequences"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1))


@dataclass(frozen=True, kw_only=True)
class PredictedMemory(StepMemory):
    """What a training step needs at its peak, predicted for any number of sequences.

    Attributes:
        config: the model's shape.
        plan: how a step is computed.
    """

    config: GPTConfig = field(repr=False)
    plan: StepPlan = field(repr=False)

    def working(self, n_sequences: int) -> int:
        """What comes and goes within the step, from its stages: the peak of many sequences may be in another stage.

        Args:
            n_sequences: b, sequences at once through the model.
        """
        return peak_bytes(self.config, self.plan, n_sequences) - self.gradients


def predict_memory(config: GPTConfig, plan: StepPlan) -> PredictedMemory:
    """What :func:`minigpt.training.safety.memory.step_memory` would measure, in bytes, without building the model.

    For one and two sequences, trust the measurement where there is one. Beyond two, trust the ``total`` of this: it
    follows each stage of the step, whereas the measured line may be too low.

    Args:
        config: the model's shape.
        plan: how a step is computed.
    """
    n = count_parameters(config).total
    one, two = (peak_bytes(config, plan, n_sequences) - WORD * n for n_sequences in (1, 2))
    return PredictedMemory(
        weights=WORD * n,
        gradients=WORD * n,
        moments=WORD * moment_numbers(config, plan.optimizer),
        fixed=max(0, 2 * one - two),
        activations=two - one,
        config=config,
        plan=plan,
    )


def moment_numbers(config: GPTConfig, optimizer: str) -> int:
    """The numbers that an optimizer remembers of all weights, without its counts of steps.

    Args:
        config: the model's shape.
        optimizer: a name in :data:`minigpt.training.OPTIMIZERS`.
    """
    count = count_parameters(config)
    kept = {name: len(set(kind.rule.keeps) - {"step"}) for name, kind in OPTIMIZERS.items()}
    if optimizer != "muon":
        return kept[optimizer] * count.total
    matrices = matrix_parameters(config) - config.vocab_size * config.d_model  # Muon's; AdamW takes the rest
    return kept["muon"] * matrices + kept["adamw"] * (count.total - matrices)


def peak_bytes(config: GPTConfig, plan: StepPlan, n_sequences: int) -> int:
    """The most bytes that are alive at once of what a forward and a backward pass make, gradients included.

    Args:
        config: the model's shape.
        plan: how a step is computed.
        n_sequences: b, sequences at once through the model.
    """
    return max(size for _, size in stages(config, plan, n_sequences))


def stages(config: GPTConfig, plan: StepPlan, n_sequences: int) -> Iterator[tuple[str, int]]:
    """The stages of a step with the bytes that are alive in each, besides weights and moments.

    Args:
        config: the model's shape.
        plan: how a step is computed.
        n_sequences: b, sequences at once through the model.
    """
    b, layers = n_sequences, config.n_layers
    tokens, d = b * plan.n_positions, config.d_model
    kept = kept_activations(config, plan.n_positions, plan.precision, plan.loss, b)
    half, table, count = HALVES[plan.precision], config.vocab_size * d, count_parameters(config)
    narrow = half if half < STREAM else 0  # bytes of a 16-bit copy of a weight
    matrices = (matrix_parameters(config) - table) // layers
    mlp_matrices = (3 if config.mlp == "swiglu" else 2) * d * config.active_width
    head_copy = narrow * table if plan.loss == "logits" else 0
    each = b * kept.stream if plan.recomputed else b * kept.block + narrow * matrices
    inside = b * (kept.block - kept.stream) + narrow * matrices if plan.recomputed else 0
    all_copies = layers * narrow * matrices if plan.recomputed else 0  # of the forward pass
    forward = layers * each + all_copies + head_copy + b * kept.outside
    scores = _scores(config, plan, b)
    yield "scores of the last block", (layers - 1) * each + b * kept.attention + narrow * matrices + scores
    yield from _loss_stages(config, plan, tokens, forward, head_copy)
    own = WORD * count.non_embedding // layers
    for layer in range(layers, 0, -1):
        here = WORD * table + (layers - layer) * own + layer * each + inside
        if plan.recomputed:
            yield f"scores of block {layer}", here - b * kept.mlp + scores
        yield f"MLP of block {layer}", here + _in_mlp(config, tokens, half) + WORD * d * config.hidden_width
        here += own - b * kept.mlp - narrow * mlp_matrices
        yield f"attention of block {layer}", here + _in_attention(config, plan, b)
    # two gradients of a tied head's matrix become one: in place, unless the first is a view of the product's result
    tables = 0 if not config.tied_head else 2 if plan.loss == "logits" and not narrow else 1
    yield "embedding", WORD * (count.total + tables * table) + STREAM * tokens * d


def _loss_stages(config: GPTConfig, plan: StepPlan, tokens: int, kept: int, copy: int) -> Iterator[tuple[str, int]]:
    """From the logits to the gradient of the head's matrix, of which there is a 16-bit copy."""
    half, v, table = HALVES[plan.precision], config.vocab_size, config.vocab_size * config.d_model
    narrow = half if half < STREAM else 0
    if plan.loss != "logits":
        rows = min(tokens, max(LEAST_ROWS, config.d_model // 2))
        wide = WORD * table if narrow else 0  # of the head's matrix, in float32 once more
        yield "loss", kept + WORD * table + wide + STREAM * (tokens * config.d_model + rows * v)
        return
    yield "end of the forward pass", kept + tokens * v * (2 * STREAM + narrow)
    yield "start of the backward pass", kept + tokens * v * 3 * STREAM
    yield "head", kept + half * tokens * (v + config.d_model) + half * table
    if narrow:  # the copy is gone when the gradient of the matrix is made float32
        yield "head, widened", kept - copy + half * tokens * config.d_model + (WORD + narrow) * table


def _scores(config: GPTConfig, plan: StepPlan, n_sequences: int) -> int:
    """Where attention is two products: the scores and their softmax in float32, the mask, and not yet what is kept.

    With slopes each head has a mask of its own.
    """
    if not is_by_products(config, plan.n_positions, plan.precision, n_sequences):
        return 0
    t, n_rows = plan.n_positions, n_sequences * config.n_heads
    later = HALVES[plan.precision] * (3 if config.dropout else 1)  # the weights, and with dropout two tables more
    n_masks = config.n_heads if config.position == "alibi" else 1
    return (2 * STREAM - later) * n_rows * t * t + (STREAM * n_masks + 2) * t * t


def _in_mlp(config: GPTConfig, tokens: int, half: int) -> int:
    """Gradients inside an MLP: of the stream, and before and behind the activation."""
    return tokens * (STREAM * config.d_model + MLP_NEEDS[config.mlp] * half * config.active_width)


def _in_attention(config: GPTConfig, plan: StepPlan, n_sequences: int) -> int:
    """Gradients inside the attention: of the stream, and either of the T × T weights or of queries, keys and values."""
    half, t = HALVES[plan.precision], plan.n_positions
    tokens, columns = n_sequences * t, config.heads_width + 2 * config.kv_heads * config.head_width
    is_formula = config.attention == "formula"
    by_products = is_by_products(config, t, plan.precision, n_sequences)
    word = half if is_formula or by_products else STREAM
    vectors = tokens * ((half if by_products else STREAM) + half) * columns  # alone, and side by side
    has_tables = by_products or keeps_tables(config)
    n_tables = (4 if is_formula else 2) - (config.dropout > 0) if has_tables else 0
    return STREAM * tokens * config.d_model + max(vectors, word * n_tables * config.n_heads * tokens * t)

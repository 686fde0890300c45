r"""The time of a training step on a machine that was measured, put together from what its parts take.

$$
t = t_0 + L t_1 + \frac{6 b T P}{r} + 12 b Q L H E\, t_a + b T L (D t_s + F t_h) + b T V t_v + N t_w + V D t_e
$$

with $r$ the rate of products as large as those of the model, $P$ the numbers in its matrices, $Q$ the pairs of
positions, and the other times those of one number: of an operation in attention ($t_a$), of the stream ($t_s$), of the
hidden vector of an MLP ($t_h$), of a logit ($t_v$), of a weight in the optimizer ($t_w$), of the embedding's gradients
($t_e$), which are made for the whole vocabulary; $t_0$ and $t_1$ are what a step and a block take however small they
are. Logits, weights and embeddings take longer each where there are too many for the caches, so their times are looked
up in tables, as those of products and attention are.

Dimensions: b sequences, T positions, D width, F hidden width of the MLP, V vocabulary, L layers, N parameters.
"""

from bisect import bisect
from dataclasses import dataclass

from minigpt.cost.flops import matrix_parameters
from minigpt.cost.flops_by_part import forward_flops
from minigpt.cost.parameters import count_parameters
from minigpt.cost.scaling.chinchilla import power_law_between
from minigpt.model import GPTConfig

# Work on the numbers of the hidden vector, and of the stream, over that of GPT-2's parts: by the passes over memory.
HIDDEN_PASSES = {"gelu": 1.0, "gelu-tanh": 1.0, "relu": 0.5, "relu2": 1.0, "swiglu": 1.5}
ROTATION, QK_NORM, CONVOLUTION = 0.5, 0.5, 0.3


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the parts of a training step take on one machine; times in seconds.

    Attributes:
        name: what was measured, and in which precision.
        products: from the width of a matrix to the operations per second of its products.
        attention: from the length of a sequence to the seconds of one operation in attention.
        step: of any step, however small.
        block: of any block.
        stream: of one number of the residual stream in a block: all that is not in the other fields.
        hidden: of one number of the hidden vector of an MLP.
        logit: from the number of logits to the time of one in the loss.
        weight: from the number of weights to the time of one in clipping and AdamW.
        embedding: from the numbers of the embedding matrix to the time of one in its gradients, those of the embedding,
            zeros for the most part, and of the head.
    """

    name: str
    products: tuple[tuple[float, float], ...]
    attention: tuple[tuple[float, float], ...]
    step: float
    block: float
    stream: float
    hidden: float
    logit: tuple[tuple[float, float], ...]
    weight: tuple[tuple[float, float], ...]
    embedding: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        return self.name


def step_seconds(config: GPTConfig, machine: Machine, n_sequences: int) -> float:
    """t: the seconds of one training step.

    Args:
        config: the model's shape; its sequences are as long as its context.
        machine: what its parts take.
        n_sequences: b, sequences of a step.
    """
    t, d, layers = config.context_length, config.d_model, config.n_layers
    tokens = n_sequences * t
    logits, embedding = tokens * config.vocab_size, config.vocab_size * d
    n_weights = count_parameters(config).total
    in_blocks = matrix_parameters(config) - config.vocab_size * d
    scores = 6 * n_sequences * forward_flops(config, t).scores
    passes = 1 + (ROTATION if config.position.startswith("rope") else 0) + (QK_NORM if config.qk_norm else 0)
    passes += CONVOLUTION if config.convolution else 0
    hidden = HIDDEN_PASSES[config.mlp] * config.active_width * machine.hidden
    return (
        machine.step
        + layers * machine.block
        + 6 * tokens * in_blocks / between(machine.products, d)
        + 6 * tokens * d * config.vocab_size / between(machine.products, d)
        + scores * between(machine.attention, t)
        + tokens * layers * (passes * d * machine.stream + hidden)
        + logits * between(machine.logit, logits)
        + n_weights * between(machine.weight, n_weights)
        + embedding * between(machine.embedding, embedding)
    )


def between(table: tuple[tuple[float, float], ...], x: float) -> float:
    """The value of a table between two of its rows; beyond them, that of the nearest row.

    Args:
        table: rows of x and y, x rising.
        x: where it is wanted.
    """
    if not table[0][0] < x < table[-1][0]:
        return table[0][1] if x <= table[0][0] else table[-1][1]
    i = bisect([row[0] for row in table], x)
    return power_law_between(x, table[i - 1], table[i])

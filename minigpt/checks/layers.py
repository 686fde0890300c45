"""Checks of softmax, positions, norms, MLPs, blocks and the GPT."""

from typing import Any

import torch

from minigpt import equations
from minigpt.checks.draw import Case, Draw, check, literal
from minigpt.model import GPTConfig, positions
from minigpt.model.positions.scaling import RopeScaling


@check
def softmax(function: Any, draw: Draw) -> Case:
    """Any number of scores."""
    z = draw.normal(draw.size(1, 6))
    return {"z": z}, function(z)


@check
def log_sum_exp(function: Any, draw: Draw) -> Case:
    """As softmax."""
    return softmax(function, draw)


@check
def log_softmax(function: Any, draw: Draw) -> Case:
    """As softmax."""
    return softmax(function, draw)


@check
def sinusoidal_positions(function: Any, draw: Draw) -> Case:
    """Two bases."""
    n, width, base = draw.size(), 2 * draw.size(), draw.choice([10.0, 10000.0])
    return {"T": n, "D": width, "b": base}, function(n, width, base, dtype=draw.wide)


@check
def rotary_angles(function: Any, draw: Draw) -> Case:
    """Two bases."""
    n, width, base = draw.size(), 2 * draw.size(), draw.choice([10.0, 10000.0])
    return {"T": n, "E": width, "b": base}, function(n, width, base, dtype=draw.wide)


#: A base, the length of the rows, and the two numbers of turns: a ramp within the head, one that its end cuts off, and
#: one that its start cuts off.
_RAMPS = [(30.0, 40, 0.6, 6.0), (10.0, 90_000, 1.0, 4500.0), (100.0, 3, 0.7, 4.0), (10000.0, 90_000, 3.0, 60.0)]


def _scaled_frequencies(function: Any, draw: Draw, *, turned: bool = False) -> Case:
    """A base and a factor; the frequencies before the change are those of RoPE."""
    width, factor = 2 * draw.size(2, 6), draw.choice([1.0, 2.5, 8.0])
    base, length, low, high = draw.choice(_RAMPS)
    angles = positions.rotary_angles(2, width, base, dtype=torch.float64)[1].to(draw.wide)
    given = {"E": width, "b": base, "s": factor}
    scaling = RopeScaling(factor=factor)
    if turned:
        scaling = RopeScaling(factor=factor, original_context=length, low_turns=low, high_turns=high)
        given |= {"L": length, "alpha": low, "beta": high}
    return given, function(angles, base, scaling)


@check
def rope_linear(function: Any, draw: Draw) -> Case:
    """With and without a change."""
    return _scaled_frequencies(function, draw)


@check
def rope_ntk(function: Any, draw: Draw) -> Case:
    """As linear; a head of two pairs or more."""
    return _scaled_frequencies(function, draw)


@check
def rope_llama3(function: Any, draw: Draw) -> Case:
    """Pairs below, between and above both numbers of turns."""
    return _scaled_frequencies(function, draw, turned=True)


@check
def rope_yarn(function: Any, draw: Draw) -> Case:
    """As Llama 3, and ramps that begin or end outside the head."""
    return _scaled_frequencies(function, draw, turned=True)


@check
def yarn_attention_factor(function: Any, draw: Draw) -> Case:
    """From 1, where nothing is scaled."""
    s = draw.choice([1.0, 1.5, 4.0, 32.0])
    return {"s": s}, function(s)


@check
def rotary_interleaved(function: Any, draw: Draw) -> Case:
    """Two bases; a head of one pair or more."""
    x, base = draw.normal(draw.size(), 2 * draw.size(1, 3)), draw.choice([10.0, 10000.0])
    angles = positions.rotary_angles(x.shape[0], x.shape[1], base, dtype=torch.float64)
    return {"x": x, "b": base}, function(x, angles.cos().to(x.dtype), angles.sin().to(x.dtype))


@check
def rotary_half(function: Any, draw: Draw) -> Case:
    """As the other layout."""
    return rotary_interleaved(function, draw)


@check
def layer_norm(function: Any, draw: Draw) -> Case:
    """An epsilon that changes the result and one that hardly does."""
    x, gain, shift = draw.normal(3, draw.size(2, 6))
    eps = draw.choice([1e-5, 0.5])
    return {"x": x, "g": gain, "b": shift, "epsilon": eps}, function(x, gain, shift, eps)


@check
def rms_norm(function: Any, draw: Draw) -> Case:
    """As LayerNorm."""
    x, gain = draw.normal(2, draw.size(1, 6))
    eps = draw.choice([1e-6, 0.5])
    return {"x": x, "g": gain, "epsilon": eps}, function(x, gain, eps)


@check
def gelu(function: Any, draw: Draw) -> Case:
    """Numbers on both sides of 0."""
    x = draw.normal(draw.size(), draw.size())
    return {"x": x}, function(x)


@check
def gelu_tanh(function: Any, draw: Draw) -> Case:
    """As GELU."""
    return gelu(function, draw)


@check
def relu_squared(function: Any, draw: Draw) -> Case:
    """As GELU."""
    return gelu(function, draw)


@check
def silu(function: Any, draw: Draw) -> Case:
    """As GELU."""
    x = draw.normal(draw.size(), draw.size(), scale=2)
    return {"u": x}, function(x)


@check
def mlp(function: Any, draw: Draw) -> Case:
    """Each activation, taken from its own equation."""
    activation, formula = draw.choice([("gelu", "gelu"), ("gelu-tanh", "gelu-tanh"), ("relu2", "relu-squared")])
    module = draw.filled(function(draw.size(), draw.size(), activation))
    x = draw.normal(module.expand.in_features)
    given = {"W_1": module.expand.weight, "b_1": module.expand.bias, "W_2": module.contract.weight}
    given |= {"b_2": module.contract.bias, "phi": lambda u: equations.get(formula).evaluate(x=u)}
    return {"x": x, **given}, module(x)


@check
def swiglu(function: Any, draw: Draw) -> Case:
    """Wider or narrower than the model."""
    module = draw.filled(function(draw.size(), draw.size()))
    x = draw.normal(module.gate.in_features)
    given = {"W_1": module.gate.weight, "W_3": module.expand.weight, "W_2": module.contract.weight}
    return {"x": x, **given}, module(x)


@check
def top_k_gate(function: Any, draw: Draw) -> Case:
    """One of the experts, some, and all."""
    n = draw.size(1, 5)
    s, k = draw.normal(n), draw.integer(1, n)
    return {"s": s, "k": k}, function(s, k)


@check
def mixture_of_experts(function: Any, draw: Draw) -> Case:
    """Any weights."""
    o = draw.normal(draw.size(1, 4), draw.size(1, 4))
    g = draw.normal(len(o))
    return {"g": g, "o": o}, function(g, o)


@check
def expert_shares(function: Any, draw: Draw) -> Case:
    """One of the experts, some, and all."""
    n_tokens, n = draw.size(1, 5), draw.size(1, 4)
    s, k = draw.normal(n_tokens, n), draw.integer(1, n)
    return {"N": n_tokens, "n": n, "s": s, "k": k}, function(s, k)


@check
def load_balancing_loss(function: Any, draw: Draw) -> Case:
    """As the shares of the experts."""
    return expert_shares(function, draw)


@check
def short_convolution(function: Any, draw: Draw) -> Case:
    """A kernel longer than the sequence, and one that is shorter."""
    x = draw.normal(draw.size(), draw.size())
    w = draw.normal(draw.size(), x.shape[1])
    return {"x": x, "w": w}, function(x, w)


def small_config(draw: Draw, **fields: Any) -> GPTConfig:
    """One or two heads, norms and MLP of any kind, no dropout."""
    n_heads = draw.size(1, 2)
    chosen = {"norm": draw.choice(["layer", "rms"]), "mlp": draw.choice(["gelu-tanh", "swiglu"])}
    shape = {"d_model": 4 * n_heads, "n_heads": n_heads, "n_layers": draw.size(1, 2)}
    # with a small eps a norm magnifies the rounding of numbers that happen to be close together
    settings = {"vocab_size": 5, "context_length": 6, "attention": "formula", "norm_eps": 0.1}
    return GPTConfig(**{**settings, **shape, **chosen, **fields})


@check
def pre_norm_block(function: Any, draw: Draw) -> Case:
    """The equation calls the sublayers; the check is of how they are combined."""
    block = draw.filled(function(small_config(draw)))
    x = draw.normal(draw.size(), block.norm_1.gain.shape[0])
    parts = {"A": block.attention, "F": block.mlp, "N": block.norm_1, "M": block.norm_2}
    return {"x": x, **{name: literal(part) for name, part in parts.items()}}, block(x[None])[0]


@check
def post_norm_block(function: Any, draw: Draw) -> Case:
    """As pre-norm."""
    return pre_norm_block(function, draw)


@check
def gpt(function: Any, draw: Draw) -> Case:
    """Learned positions and a tied head; the equation calls the blocks."""
    config = small_config(draw)
    model = draw.filled(function(config))
    ids = draw.ids(draw.size(1, 6), below=config.vocab_size)
    given = {"U": model.token_embedding.weight, "P": model.position.embedding.weight[: len(ids)]}
    given |= {"B": literal(torch.nn.Sequential(*model.blocks)), "N": literal(model.norm)}
    return {"x": ids + 1, **given}, model(ids[None])[0]

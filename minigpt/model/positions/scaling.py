r"""Rotary frequencies for rows longer than those that a model was first trained on.

A pair of coordinates i turns by $\theta_i = b^{-2(i - 1)/E}$ radians a position. In rows s times longer the slow pairs
reach angles that no training has shown. Each scheme slows pairs down:

- "linear": all by s, as if positions were closer together.
- "ntk": by a larger base: the fastest hardly, the slowest by s.
- "llama3": pairs that turn rarely by s, those that turn often not at all, those between in part.
- "yarn": the same by the number of the pair, and queries and keys grow by a factor, which sharpens attention.

Dimensions: E head width, L length of the rows of the first training in tokens, s factor.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.equations import equation

FREQUENCIES = r"\theta_i = b^{-2(i - 1)/E}"
SCALED = {
    "E": "() head width, even",
    "b": "() base, 10000 in the paper of RoPE",
    "s": "() factor, at least 1",
    r"\theta'": "(E/2) frequency of each pair, in radians a position",
}
BEFORE = {r"\theta": "(E/2) frequency before the change"}
RAMP = {
    **BEFORE,
    "L": "() length of the rows of the first training",
    r"\alpha": "() turns over those rows up to which a pair is slowed down by s",
    r"\beta": "() turns from which a pair keeps its frequency",
    r"\gamma": "(E/2) place of each pair between the two, from 0 to 1",
}
YARN = "Peng et al. 2023, arXiv:2309.00071"


@dataclass(frozen=True, kw_only=True)
class RopeScaling:
    """A change of the rotary frequencies.

    Attributes:
        kind: one of ``ROPE_SCALINGS``.
        factor: s.
        original_context: L, in tokens.
        low_turns: α, turns over L positions.
        high_turns: β.
        attention_factor: factor on rotated queries and keys.
    """

    kind: str = "none"
    factor: float = 1.0
    original_context: int = 1
    low_turns: float = 1.0
    high_turns: float = 4.0
    attention_factor: float = 1.0


#: No change.
UNSCALED = RopeScaling()


@equation(
    "rope-linear",
    r"\theta'_i = \frac{\theta_i}{s}",
    where=[FREQUENCIES],
    symbols=SCALED | BEFORE,
    source="Chen et al. 2023, arXiv:2306.15595, Eq. 3",
)
def linear_frequencies(frequencies: Tensor, base: float, scaling: RopeScaling) -> Tensor:
    """All pairs slowed down by s.

    Args:
        frequencies: ``(E/2,)`` in radians a position.
        base: b.
        scaling: s.

    Returns:
        ``(E/2,)``.
    """
    return frequencies / scaling.factor


@equation(
    "rope-ntk",
    r"\theta'_i = (b s^{E/(E - 2)})^{-2(i - 1)/E}",
    symbols=SCALED,
    source=f"{YARN}, section 3.1",
)
def ntk_frequencies(frequencies: Tensor, base: float, scaling: RopeScaling) -> Tensor:
    """A base so much larger that the slowest pair is slowed down by s; the arguments are as before, and E > 2."""
    width = 2 * len(frequencies)
    larger = base * scaling.factor ** (width / (width - 2))
    return larger ** -(2 * torch.arange(len(frequencies), device=frequencies.device, dtype=frequencies.dtype) / width)


@equation(
    "rope-llama3",
    r"\theta'_i = (1 - \gamma_i) \frac{\theta_i}{s} + \gamma_i \theta_i",
    where=[
        r"\gamma_i = \min(\max(\frac{r_i - \alpha}{\beta - \alpha}, 0), 1)",
        r"r_i = \frac{L \theta_i}{2 \pi}",
        FREQUENCIES,
    ],
    symbols=SCALED | RAMP | {"r": "(E/2) turns of each pair over the rows of the first training"},
    source="the code of Llama 3.1, Meta 2024; the ramp is Eq. 18 of " + YARN,
)
def llama3_frequencies(frequencies: Tensor, base: float, scaling: RopeScaling) -> Tensor:
    """Pairs slowed down by how often they turn in the rows of the first training; the arguments are as before."""
    low, high = scaling.low_turns, scaling.high_turns
    turns = scaling.original_context * frequencies / (2 * math.pi)
    kept = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - kept) * frequencies / scaling.factor + kept * frequencies


@equation(
    "rope-yarn",
    r"\theta'_i = \gamma_i \frac{\theta_i}{s} + (1 - \gamma_i) \theta_i",
    where=[
        r"\gamma_i = \min(\max(\frac{i - 1 - u}{\max(v - u, 1)}, 0), 1)",
        r"u = \max(\left\lfloor \frac{E \ln(L / (2 \pi \beta))}{2 \ln(b)} \right\rfloor, 0)",
        r"v = \min(\left\lceil \frac{E \ln(L / (2 \pi \alpha))}{2 \ln(b)} \right\rceil, E - 1)",
        FREQUENCIES,
    ],
    symbols=SCALED | RAMP,
    source=f"{YARN}, Eq. 23, with the ramp of its code",
)
def yarn_frequencies(frequencies: Tensor, base: float, scaling: RopeScaling) -> Tensor:
    """Pairs slowed down by their number; the arguments are as before.

    Departure: the paper's ramp is linear in the turns of a pair, as that of Llama 3 is. The authors' code, which models
    were trained with, has a ramp that is linear in the number of the pair, between two whole numbers.
    """
    width = 2 * len(frequencies)

    def pair_of(turns: float) -> float:
        """The number of the pair, from 0 and not whole, that makes so many turns."""
        return width * math.log(scaling.original_context / (2 * math.pi * turns)) / (2 * math.log(base))

    first = max(math.floor(pair_of(scaling.high_turns)), 0)
    last = min(math.ceil(pair_of(scaling.low_turns)), width - 1)
    pairs = torch.arange(len(frequencies), device=frequencies.device, dtype=frequencies.dtype)
    slowed = ((pairs - first) / max(last - first, 1)).clamp(0, 1)
    return slowed * frequencies / scaling.factor + (1 - slowed) * frequencies


@equation(
    "yarn-attention-factor",
    r"m = 0.1 \ln(s) + 1",
    symbols={"s": "() factor, at least 1", "m": "() factor on rotated queries and keys"},
    source=f"{YARN}, Eq. 22",
)
def yarn_attention_factor(factor: float) -> float:
    """By how much YaRN multiplies queries and keys: a score grows by the square.

    Args:
        factor: s.
    """
    return 0.1 * math.log(factor) + 1


#: The changes of the rotary frequencies, by the name that ``GPTConfig.rope_scaling`` has for them.
ROPE_SCALINGS: dict[str, Callable[[Tensor, float, RopeScaling], Tensor]] = {
    "none": lambda frequencies, base, scaling: frequencies,
    "linear": linear_frequencies,
    "ntk": ntk_frequencies,
    "yarn": yarn_frequencies,
    "llama3": llama3_frequencies,
}


def check_scaling(scaling: RopeScaling, width: int, base: float) -> None:
    """Refuse a change that is not defined.

    Args:
        scaling: the change.
        width: E.
        base: b.

    Raises:
        ValueError: naming the fields of ``GPTConfig`` that do not fit together.
    """
    low, high = scaling.low_turns, scaling.high_turns
    if scaling.kind in ("yarn", "llama3") and low >= high:
        raise ValueError(
            f"rope_low_turns={low} must be less than rope_high_turns={high}; usual are 1 and 4, or 1 and 32"
        )
    if scaling.kind == "ntk" and width <= 2:
        raise ValueError(f"rope_scaling='ntk' needs heads wider than 2, got {width}")
    if scaling.kind == "yarn" and base <= 1:
        raise ValueError(f"rope_scaling='yarn' needs rope_base greater than 1, got {base}")
    if scaling.kind != "yarn" and scaling.attention_factor != 1:
        raise ValueError(f"rope_attention_factor={scaling.attention_factor} is for rope_scaling='yarn' alone")

r"""Data that is read more than once: worth less each time.

A token that is read again is worth less than a new one: its value decays as $e^{-R / R^*}$ with the repetitions R. The
same holds for parameters beyond those that are best for the data.

Dimensions: N parameters, D tokens in all, U tokens of their own.
"""

import math

from minigpt.cost.scaling.chinchilla import LAW_CONSTANTS, ScalingLaw
from minigpt.equations import equation

#: Constants of the loss by Muennighoff et al. 2023, whose code has their logarithms.
REPEATED = ScalingLaw(
    E=math.exp(0.6254804), A=math.exp(6.255414), alpha=0.3526596, B=math.exp(7.3049974), beta=0.3526596
)
TOKENS_FADE = 15.387756  # repetitions after which a repeated token is worth 1/e
PARAMETERS_FADE = 5.309743


@equation(
    "repeated-data-loss",
    r"""L = E + \frac{A}{\left(M + M r \left(1 - e^{-\frac{n}{r}}\right)\right)^{\alpha}}
    + \frac{B}{\left(V + V q \left(1 - e^{-\frac{d}{q}}\right)\right)^{\beta}}""",
    where=[
        r"n = \frac{N}{M} - 1",
        r"M = \min(N, g (g V)^{\frac{\beta}{\alpha}})",
        r"g = \left(\frac{\alpha A}{\beta B}\right)^{\frac{1}{\alpha + \beta}}",
        r"d = \frac{D}{V} - 1",
        r"V = \min(U, D)",
    ],
    symbols=LAW_CONSTANTS
    | {
        "N": "() parameters",
        "D": "() tokens that are read, repetitions included",
        "U": "() different tokens that there are",
        "r": "() excess of parameters at which one more is worth 1/e",
        "q": "() repetitions at which one more is worth 1/e",
        "V": "() different tokens that are read",
        "M": "() parameters that are best for them, at most N",
        "d": "() repetitions of the data",
        "n": "() excess of parameters",
        "g": "() balance of size and data",
        "L": "() loss in nats per token",
    },
    source="Muennighoff et al. 2023, arXiv:2305.16264, with the constants of the authors' code",
)
def repeated_data_loss(parameters: float, tokens: float, unique: float, law: ScalingLaw = REPEATED) -> float:
    """L: the loss of a model that reads the same text several times.

    Args:
        parameters: N.
        tokens: D, repetitions included.
        unique: U, different tokens that there are.
        law: the constants.
    """
    seen = min(unique, tokens)
    balance = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    best = min(parameters, balance * (balance * seen) ** (law.beta / law.alpha))
    size, read = _worth(parameters, best, PARAMETERS_FADE), _worth(tokens, seen, TOKENS_FADE)
    return law.E + law.A / size**law.alpha + law.B / read**law.beta


def _worth(total: float, own: float, fade: float) -> float:
    """As many of their own as would be worth the same as ``total``, in which they are repeated."""
    return own + own * fade * (1 - math.exp(-(total / own - 1) / fade))

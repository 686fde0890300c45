r"""Chinchilla: how large a model, and how many tokens, for a given number of operations.

Hoffmann et al. 2022 answer in three ways. Here are the first, a table of the best of many runs, and the third, a law
for the loss whose minimum on $C = 6ND$ is known in closed form. The constants of the third as printed are rounded, and
Besiroglu et al. 2024, arXiv:2404.10102, found others for the same runs: at $C = 5.76 \cdot 10^{23}$, the budget of
Chinchilla, the printed ones ask for 93 tokens a parameter, the new ones for 18, and the table for 22.

Dimensions: N parameters, D tokens, C operations.
"""

import math
from bisect import bisect
from dataclasses import dataclass

from minigpt.equations import equation

LAW = r"L = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}}"
LAW_CONSTANTS = {
    "E": "() loss of a perfect model, the entropy of the text, in nats per token",
    "A": "() constant of the size",
    "B": "() constant of the data",
    r"\alpha": "() exponent of the size",
    r"\beta": "() exponent of the data",
}


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """The constants of a law for the loss; a law without B knows only the size.

    Attributes:
        E: the loss that no size and no data go below, in nats per token.
        A: constant of the size.
        alpha: exponent of the size.
        B: constant of the data.
        beta: exponent of the data.
    """

    E: float
    A: float
    alpha: float
    B: float = 0.0
    beta: float = 1.0

    def loss(self, parameters: float, tokens: float = math.inf) -> float:
        """The loss in nats per token, as :func:`scaling_loss` has it.

        Args:
            parameters: N.
            tokens: D.
        """
        return scaling_loss(self, parameters, tokens)


#: The constants that Hoffmann et al. 2022 print in Equation 10.
CHINCHILLA = ScalingLaw(E=1.69, A=406.4, alpha=0.34, B=410.7, beta=0.28)
#: The constants that Besiroglu et al. 2024 fitted to the same runs.
CHINCHILLA_REFIT = ScalingLaw(E=1.817, A=482.01, alpha=0.3478, B=2085.43, beta=0.3658)
#: Parameters and the tokens that are best for them, from table 3 (approach 1) of Hoffmann et al. 2022.
APPROACH_1 = (
    (400e6, 8.0e9),
    (1e9, 20.2e9),
    (10e9, 205.1e9),
    (67e9, 1.5e12),
    (175e9, 3.7e12),
    (280e9, 5.9e12),
    (520e9, 11.0e12),
    (1e12, 21.2e12),
    (10e12, 216.2e12),
)


@equation(
    "scaling-loss",
    LAW,
    symbols=LAW_CONSTANTS | {"N": "() parameters", "D": "() tokens", "L": "() loss in nats per token"},
    source="Hoffmann et al. 2022, arXiv:2203.15556, Eq. 2 and 10",
)
def scaling_loss(law: ScalingLaw, parameters: float, tokens: float) -> float:
    """L: the loss of a model of N parameters that has read D tokens, each once.

    Args:
        law: its constants.
        parameters: N.
        tokens: D.
    """
    return law.E + law.A / parameters**law.alpha + law.B / tokens**law.beta


@equation(
    "compute-optimal",
    r"""\begin{aligned}
    N &= g \left(\frac{C}{6}\right)^{\frac{\beta}{\alpha + \beta}} \\
    D &= \frac{1}{g} \left(\frac{C}{6}\right)^{\frac{\alpha}{\alpha + \beta}}
    \end{aligned}""",
    where=[r"g = \left(\frac{\alpha A}{\beta B}\right)^{\frac{1}{\alpha + \beta}}"],
    symbols=LAW_CONSTANTS
    | {"C": "() operations of training", "N": "() best parameters", "D": "() best tokens", "g": "() their balance"},
    source="Hoffmann et al. 2022, arXiv:2203.15556, approach 3: the least loss with 6 N D = C",
)
def compute_optimal(law: ScalingLaw, flops: float) -> tuple[float, float]:
    """N and D: the size and the tokens that have the least loss for a number of operations.

    Args:
        law: its constants.
        flops: C, the floating-point operations of the whole training.
    """
    both = law.alpha + law.beta
    balance = (law.alpha * law.A / (law.beta * law.B)) ** (1 / both)
    return balance * (flops / 6) ** (law.beta / both), (flops / 6) ** (law.alpha / both) / balance


@equation(
    "power-law-between",
    r"y = y_0 \left(\frac{x}{x_0}\right)^{\frac{\ln(y_1) - \ln(y_0)}{\ln(x_1) - \ln(x_0)}}",
    symbols={
        "x": "() where a value is wanted",
        "x_0": "() a row of a table",
        "x_1": "() the next one",
        "y_0": "() value of the first row",
        "y_1": "() value of the second",
        "y": "() value on the power law through both rows",
    },
    source="a straight line on paper with two logarithmic scales",
)
def power_law_between(x: float, first: tuple[float, float], second: tuple[float, float]) -> float:
    """A value between two rows of a table, or beyond them, on the power law through both.

    Args:
        x: where it is wanted.
        first: x and y of a row.
        second: x and y of another row.
    """
    (x_0, y_0), (x_1, y_1) = first, second
    return y_0 * (x / x_0) ** (math.log(y_1 / y_0) / math.log(x_1 / x_0))


def approach_1_tokens(parameters: float) -> float:
    """The tokens that are best for a size, by the table of approach 1; about 20 a parameter.

    Args:
        parameters: N. Between the rows, and beyond them, a power law through the nearest two.
    """
    i = min(max(1, bisect([n for n, _ in APPROACH_1], parameters)), len(APPROACH_1) - 1)
    return power_law_between(parameters, APPROACH_1[i - 1], APPROACH_1[i])

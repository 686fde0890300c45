r"""Kaplan's law, the first one: for comparison.

It was fitted to smaller models, counts parameters without embeddings, and asks for larger models and fewer tokens than
Chinchilla's: the best size grows as $C^{0.73}$ and not as $C^{0.50}$.

Dimensions: N parameters without embeddings, D tokens.
"""

from minigpt.equations import equation

#: Constants of the joint fit, from table 2 of Kaplan et al. 2020.
KAPLAN = {"alpha_N": 0.076, "alpha_D": 0.103, "N_c": 6.4e13, "D_c": 1.8e13}


@equation(
    "kaplan-loss",
    r"L = \left(\left(\frac{N_c}{N}\right)^{\frac{\alpha_N}{\alpha_D}} + \frac{D_c}{D}\right)^{\alpha_D}",
    symbols={
        "N": "() parameters without embeddings",
        "D": "() tokens",
        "N_c": "() constant of the size",
        "D_c": "() constant of the data",
        r"\alpha_N": "() exponent of the size",
        r"\alpha_D": "() exponent of the data",
        "L": "() loss in nats per token",
    },
    source="Kaplan et al. 2020, arXiv:2001.08361, Eq. 1.5 with the constants of table 2",
)
def kaplan_loss(parameters: float, tokens: float) -> float:
    """L: the loss of a model of N parameters that has read D tokens.

    Args:
        parameters: N, without embeddings.
        tokens: D.
    """
    size = (KAPLAN["N_c"] / parameters) ** (KAPLAN["alpha_N"] / KAPLAN["alpha_D"])
    return (size + KAPLAN["D_c"] / tokens) ** KAPLAN["alpha_D"]

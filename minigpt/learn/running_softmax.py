"""The softmax of one query, a block of keys at a time: :func:`~minigpt.learn.online_softmax` with longer steps.

Dimensions: n keys of the block, d width of a value.
"""

import torch
from torch import Tensor

from minigpt.equations import equation


@equation(
    "online-softmax-block",
    r"""\begin{aligned}
    m' &= \max(m, \max_{j=1}^{n} z_j) \\
    l' &= l e^{m - m'} + \sum_{j=1}^{n} e^{z_j - m'} \\
    o' &= o e^{m - m'} + \sum_{j=1}^{n} e^{z_j - m'} v_j \end{aligned}""",
    symbols={
        "m": "() largest score so far",
        "l": "() sum of exponentials so far",
        "o": "(d) running output; divided by l, the attention to the keys so far",
        "z": "(n) scores of the block",
        "v": "(n, d) values of the block",
        "m'": "() largest score, the block included",
        "l'": "() sum of exponentials, the block included",
        "o'": "(d) running output, the block included",
    },
    source="Dao et al. 2022, arXiv:2205.14135, Algorithm 1, with the division by l left to the end",
)
def softmax_step(m: Tensor, l: Tensor, o: Tensor, z: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Rescale what was summed under the old maximum, then add the block.

    Args:
        m: ``()``; $-\infty$ before the first block.
        l: ``()``; 0 before the first block.
        o: ``(d,)``; 0 before the first block.
        z: ``(n,)`` scores.
        v: ``(n, d)`` values.

    Returns:
        m, l and o after the block.
    """
    largest = torch.maximum(m, z.max())
    p, shrink = torch.exp(z - largest), torch.exp(m - largest)
    return largest, l * shrink + p.sum(), o * shrink + p @ v
